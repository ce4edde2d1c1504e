import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { SecureContext } from 'node:tls';
import type { Log } from '@rekey/lib/log.ts';
import { errorCode } from '@rekey/lib/log.ts';
import { isUsable, readPair, writePair } from './authority.ts';
import type { KeyPair } from './certificate.ts';
import { readIfThere, writeAtomically } from '../file.ts';
import { issue } from './issue.ts';
import { bundleOf } from './trust.ts';

export interface TlsOptions {
  /** Names without ports, that the leaf is for. */
  hosts: readonly string[];
  /** Folder of the sidecar alone. */
  caFolder: string;
  /** Folder that the app reads: gets `bundle.pem`. */
  trustFolder: string;
  extraCA: string | undefined;
  log: Log;
  now?: () => number;
  /** How often it is looked at the leaf's age; one long timer would overflow and would not see a clock that jumps. */
  pollMilliseconds?: number;
}

/** What the sidecar shows to the app. */
export interface Tls {
  /** The leaf as it is now. */
  context(): SecureContext;
  /** Looks at the leaf's age at once. */
  renew(): Promise<void>;
  stop(): void;
}

const hour = 3_600_000;
/** A leaf lives seven days; with less than this left it is made anew. */
const renewBefore = 56 * hour;

/** Brings the pod's CA, its leaf and the trust bundle into place. The bundle is written last: once it is there, the CA stays as it is. */
export async function startTls(options: TlsOptions): Promise<Tls> {
  const { caFolder, log, now = Date.now } = options;
  let leaf = await prepare(options, now());
  let context = contextOf(leaf);
  let flight: Promise<void> | undefined;
  const replace = async (): Promise<void> => {
    const next = await prepare(options, now());
    if (next.certificate === leaf.certificate) return;
    leaf = next;
    context = contextOf(next);
    log('info', 'the leaf certificate was renewed', { path: caFolder });
  };
  const renew = (): Promise<void> =>
    (flight ??= replace().finally(() => {
      flight = undefined;
    }));
  const failed = (error: unknown): void => log('error', 'renewing the leaf certificate failed', { code: errorCode(error) });
  const timer = setInterval(() => void renew().catch(failed), options.pollMilliseconds ?? hour).unref();
  return { context: () => context, renew, stop: () => clearInterval(timer) };
}

/**
 * | CA stored | bundle published | outcome                                                             |
 * |-----------|------------------|---------------------------------------------------------------------|
 * | whole     | -                | the same CA: the app trusts it since it started                     |
 * | no        | no               | a new CA                                                            |
 * | no        | yes              | failure: the app read the old CA once and would trust no other      |
 */
async function prepare(options: TlsOptions, now: number): Promise<KeyPair> {
  const { hosts, caFolder, trustFolder, extraCA } = options;
  const bundle = join(trustFolder, 'bundle.pem');
  const stored = readPair(caFolder, 'ca');
  const published = readIfThere(bundle);
  if (stored === undefined && published !== undefined) throw new Error("the pod's CA is lost although the app trusts it: recreate the pod");
  const kept = stored === undefined ? undefined : usableLeaf(stored, options, now);
  if (stored !== undefined && kept !== undefined) return publish(bundle, bundleOf(extraCA, stored.certificate), published, kept);
  const { ca, leaf } = await issue({ hosts, now, ...(stored === undefined ? {} : { ca: stored }) });
  if (stored === undefined) writePair(caFolder, 'ca', ca);
  writePair(caFolder, 'leaf', leaf);
  return publish(bundle, bundleOf(extraCA, ca.certificate), published, leaf);
}

function usableLeaf(ca: KeyPair, { hosts, caFolder }: TlsOptions, now: number): KeyPair | undefined {
  const leaf = readPair(caFolder, 'leaf');
  return leaf !== undefined && isUsable(leaf, ca, hosts, now + renewBefore) ? leaf : undefined;
}

function publish(bundle: string, text: string, published: string | undefined, leaf: KeyPair): KeyPair {
  if (text !== published) writeAtomically(bundle, text, 0o644);
  return leaf;
}

function contextOf({ key, certificate }: KeyPair): SecureContext {
  return createSecureContext({ key, cert: certificate, minVersion: 'TLSv1.2' });
}
