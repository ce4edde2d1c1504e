import type { Log } from '@rekey/lib/log.ts';
import { errorCode } from '@rekey/lib/log.ts';
import { sleep } from '@rekey/lib/backoff.ts';
import type { Authority, Serving } from './certificate-authority.ts';
import { createAuthority, createServing, isDue } from './certificate-authority.ts';
import type { WebhookConfiguration } from './certificate-bundle.ts';
import { bundlePatch, trusts } from './certificate-bundle.ts';
import type { Kubernetes } from './kubernetes.ts';
import type { ServingCertificate } from './server.ts';

export interface CertificateOptions {
  kubernetes: Pick<Kubernetes, 'read' | 'patch'>;
  /** Name of the MutatingWebhookConfiguration. */
  configuration: string;
  /** DNS names of the webhook's Service, the one that the API server calls first. */
  names: readonly string[];
  log: Log;
  now?: () => Date;
  pause?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

export interface Certificate {
  current: () => ServingCertificate;
  /** Whether the API server was told of the CA of the current certificate. */
  trusted: () => boolean;
  /** Checks twice a minute until the signal aborts; no timer is longer, so neither a suspended machine nor a changed clock is missed. */
  run: (signal: AbortSignal, onChange: (certificate: ServingCertificate) => void) => Promise<void>;
}

const interval = 30_000;
const intervalAfterFailure = 2000;

interface Holding {
  /** Oldest first. */
  authorities: Authority[];
  serving: Serving;
  trusted: boolean;
}

/** The webhook's certificate: made here, renewed while running, and its CA kept in the webhook configuration. */
export async function createCertificate(options: CertificateOptions): Promise<Certificate> {
  const { log, now = () => new Date(), pause = sleep, names } = options;
  const authority = await createAuthority(now());
  const holding: Holding = { authorities: [authority], serving: await createServing(authority, names, now()), trusted: false };
  return {
    current: () => holding.serving,
    trusted: () => holding.trusted,
    run: async (signal, onChange) => {
      while (!signal.aborted) {
        const before = holding.serving;
        const failure = await turn(holding, options, now()).then(() => undefined, errorCode);
        if (failure !== undefined)
          log('warn', 'the CA of the webhook could not be written', { name: options.configuration, code: failure });
        if (holding.serving !== before) onChange(holding.serving);
        await pause(failure === undefined ? interval : intervalAfterFailure, signal);
      }
    },
  };
}

/**
 * One check. A new CA serves one check after it was written, when every API server has read it beside the old one; without
 * the API server, the certificate is still renewed under the CA that it trusts already.
 */
async function turn(holding: Holding, options: CertificateOptions, now: Date): Promise<void> {
  await renewAuthority(holding, now);
  if (isDue(holding.serving, now)) holding.serving = await createServing(holding.serving.authority, options.names, now);
  const known = await writeBundle(holding, options, now);
  const newest = newestOf(holding);
  if (holding.serving.authority === newest || (!known && isGood(holding.serving.authority, now))) return;
  holding.serving = await createServing(newest, options.names, now);
  options.log('info', 'the webhook serves under a new CA', { name: options.configuration });
}

/** After a clock has jumped, the old CA may be past its end or before its beginning: then there is nothing to wait for. */
function isGood({ notBefore, notAfter }: Authority, now: Date): boolean {
  return notBefore <= now && now < notAfter;
}

async function renewAuthority(holding: Holding, now: Date): Promise<void> {
  if (isDue(newestOf(holding), now)) holding.authorities.push(await createAuthority(now));
  holding.authorities = holding.authorities.filter(({ notAfter }) => notAfter > now);
}

function newestOf({ authorities, serving }: Holding): Authority {
  return authorities.at(-1) ?? serving.authority;
}

/** Resolves to whether all our CAs stood in the bundle before. */
async function writeBundle(holding: Holding, { kubernetes, configuration, log }: CertificateOptions, now: Date): Promise<boolean> {
  const path = `/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/${configuration}`;
  const found = (await kubernetes.read<WebhookConfiguration>(path)) ?? { metadata: { name: configuration } };
  holding.trusted = trusts(found, holding.serving.authority.cert);
  if ((found.webhooks ?? []).length === 0) throw Object.assign(new Error('no webhooks'), { code: 'NotFound' });
  const ours = holding.authorities.map(({ cert }) => cert);
  const patch = bundlePatch(found, ours, now);
  if (patch === undefined) return true;
  await kubernetes.patch(path, patch, 'application/strategic-merge-patch+json');
  holding.trusted = true;
  log('info', 'wrote the CA of the webhook', { name: configuration, count: ours.length });
  return false;
}
