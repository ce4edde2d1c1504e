import { kubectl, list, pods } from './kube.ts';
import { say } from './run.ts';

/** Seconds in which a status must be right: the promise of the issue, not a benchmark. */
const promisedSeconds = 10;

/** Says what the operators logged, and the sidecars reported, of a credential whose status was right too late: the pods, and with them all of it, are soon gone. */
export async function explainIfLate(name: string, namespace: string, at: number, seconds: number): Promise<void> {
  if (seconds <= promisedSeconds) return;
  await explain(name, namespace, { at, seconds }).catch((error: unknown) => say(`  not explained: ${(error as Error).message}`));
}

async function explain(name: string, namespace: string, { at, seconds }: { at: number; seconds: number }): Promise<void> {
  say(`${namespace}/${name}: the status was right ${seconds} s after ${new Date(at).toISOString()}`);
  for (const { metadata } of await pods('rekey-system')) {
    for (const earlier of [[], ['--previous']]) {
      const where = ['-n', 'rekey-system', metadata.name, `--since-time=${new Date(at - 10_000).toISOString()}`, ...earlier];
      const log = await kubectl('logs', ...where).catch(() => '');
      for (const line of log.split('\n').filter((one) => isOf(one, name))) say(`  ${metadata.name}${earlier.join('')}: ${line}`);
    }
  }
  const bindings = await list<{ spec: { credentials: string[] }; status?: unknown }>('mcpcredentialbindings', '-n', namespace);
  for (const { spec, status } of bindings) if (spec.credentials.includes(name)) say(`  binding: ${JSON.stringify(status)}`);
  const [{ status } = {}] = await list<{ status?: unknown }>('mcpcredentials', '-n', namespace, `--field-selector=metadata.name=${name}`);
  say(`  status: ${JSON.stringify(status)}`);
}

/** Of this credential, or of no credential at all. */
function isOf(line: string, name: string): boolean {
  return line !== '' && (line.includes(`"${name}"`) || line.includes(`/${name}"`) || !line.includes('"status written"'));
}
