import type { Log } from '@rekey/lib/log.ts';
import { errorCode } from '@rekey/lib/log.ts';
import { sleep } from '@rekey/lib/backoff.ts';
import { listAndWatch } from '@rekey/lib/watch.ts';
import type { Authority, Serving } from './certificate-authority.ts';
import { createAuthority, createServing, isDue } from './certificate-authority.ts';
import type { WebhookConfiguration } from './certificate-bundle.ts';
import { bundleOf, bundlePatch, trusts } from './certificate-bundle.ts';
import type { Kubernetes } from './kubernetes.ts';
import type { ServingCertificate } from './server.ts';

export interface CertificateOptions {
  kubernetes: Pick<Kubernetes, 'get' | 'read' | 'patch'>;
  /** Name of the MutatingWebhookConfiguration. */
  configuration: string;
  /** DNS names of the webhook's Service, the one that the API server calls first. */
  names: readonly string[];
  log: Log;
  pace?: Pace;
  now?: () => Date;
  pause?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

/** How long things last, in milliseconds. */
export interface Pace {
  /** The lives of a CA and of a certificate; ten days and one day unless given. */
  authority?: number;
  serving?: number;
  /** Between two checks. */
  check?: number;
  /** How long an API server may take to read a bundle that was written. */
  known?: number;
}

export interface Certificate {
  current: () => ServingCertificate;
  /** Whether the API server was told of the CA of the current certificate. */
  trusted: () => boolean;
  /** The bundle that the API server has, as it was read or written last. */
  published: () => string;
  /**
   * Checks twice a minute until the signal aborts, and when somebody has changed the configuration: who empties it takes the CAs of all
   * replicas away. No timer is longer, so neither a suspended machine nor a changed clock is missed.
   */
  run: (signal: AbortSignal, onChange: (certificate: ServingCertificate) => void) => Promise<void>;
}

const intervals = { check: 30_000, known: 20_000 };
const intervalAfterFailure = 2000;
/** Somebody who puts his own bundle back each time must not be fought with in a hot loop. */
const intervalAfterChange = 200;
const collection = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations';

interface Holding {
  /** Oldest first. */
  authorities: Authority[];
  serving: Serving;
  trusted: boolean;
  published: string;
  /** Since when all CAs have stood in the bundle, as far as we know. */
  knownSince: Date;
}

/** The webhook's certificate: made here, renewed while running, and its CA kept in the webhook configuration. */
export async function createCertificate(options: CertificateOptions): Promise<Certificate> {
  const { log, now = () => new Date(), pause = sleep, names, pace = {} } = options;
  const authority = await createAuthority(now(), pace.authority);
  const holding: Holding = {
    authorities: [authority],
    serving: await createServing(authority, names, now(), pace.serving),
    trusted: false,
    published: '',
    knownSince: now(),
  };
  return {
    current: () => holding.serving,
    trusted: () => holding.trusted,
    published: () => holding.published,
    run: async (signal, onChange) => {
      const changes = changesOf(options, signal);
      while (!signal.aborted) {
        // Before the check, so that none is missed.
        const changed = changes();
        const before = holding.serving;
        const failure = await turn(holding, options, now()).then(() => undefined, errorCode);
        if (failure !== undefined)
          log('warn', 'the CA of the webhook could not be written', { name: options.configuration, code: failure });
        if (holding.serving !== before) onChange(holding.serving);
        await Promise.race([pause(failure === undefined ? (pace.check ?? intervals.check) : intervalAfterFailure, signal), changed]);
      }
    },
  };
}

/** Watches the configuration. What it returns makes a promise that resolves at the first change from then on. */
function changesOf({ kubernetes, configuration }: CertificateOptions, signal: AbortSignal): () => Promise<void> {
  let changed = (): void => {};
  const query = { fieldSelector: `metadata.name=${configuration}` };
  const onChange = (): void => void sleep(intervalAfterChange, signal).then(() => changed());
  void listAndWatch({ path: collection, query, get: kubernetes.get, signal, onChange });
  return () => new Promise((resolve) => (changed = resolve));
}

/**
 * One check. A new CA serves some time after it was written, when every API server has read it beside the old one; without
 * the API server, the certificate is still renewed under the CA that it trusts already.
 */
async function turn(holding: Holding, options: CertificateOptions, now: Date): Promise<void> {
  const { names, pace = {} } = options;
  await renewAuthority(holding, now, pace);
  if (isDue(holding.serving, now)) holding.serving = await createServing(holding.serving.authority, names, now, pace.serving);
  if (await writeBundle(holding, options, now)) holding.knownSince = now;
  const newest = newestOf(holding);
  if (holding.serving.authority === newest || (!isKnown(holding, now, pace) && isGood(holding.serving.authority, now))) return;
  holding.serving = await createServing(newest, names, now, pace.serving);
  options.log('info', 'the webhook serves under a new CA', { name: options.configuration });
}

function isKnown({ knownSince }: Holding, now: Date, { known = intervals.known }: Pace): boolean {
  return now.getTime() - knownSince.getTime() >= known;
}

/** After a clock has jumped, the old CA may be past its end or before its beginning: then there is nothing to wait for. */
function isGood({ notBefore, notAfter }: Authority, now: Date): boolean {
  return notBefore <= now && now < notAfter;
}

async function renewAuthority(holding: Holding, now: Date, pace: Pace): Promise<void> {
  if (isDue(newestOf(holding), now)) holding.authorities.push(await createAuthority(now, pace.authority));
  holding.authorities = holding.authorities.filter(({ notAfter }) => notAfter > now);
}

function newestOf({ authorities, serving }: Holding): Authority {
  return authorities.at(-1) ?? serving.authority;
}

/** Resolves to whether something had to be written. */
async function writeBundle(holding: Holding, { kubernetes, configuration, log }: CertificateOptions, now: Date): Promise<boolean> {
  const path = `${collection}/${configuration}`;
  const found = (await kubernetes.read<WebhookConfiguration>(path)) ?? { metadata: { name: configuration } };
  observe(holding, found);
  if ((found.webhooks ?? []).length === 0) throw Object.assign(new Error('no webhooks'), { code: 'NotFound' });
  const ours = holding.authorities.map(({ cert }) => cert);
  const patch = bundlePatch(found, ours, now);
  if (patch === undefined) return false;
  observe(holding, await kubernetes.patch<WebhookConfiguration>(path, patch, 'application/strategic-merge-patch+json'));
  log('info', 'wrote the CA of the webhook', { name: configuration, count: ours.length });
  return true;
}

function observe(holding: Holding, configuration: WebhookConfiguration): void {
  holding.trusted = trusts(configuration, holding.serving.authority.cert);
  holding.published = bundleOf(configuration);
}
