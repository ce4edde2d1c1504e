import { X509Certificate, createPrivateKey } from 'node:crypto';
import { join } from 'node:path';
import type { KeyPair } from './certificate.ts';
import { readIfThere, writeAtomically } from '../file.ts';

/** The pairs that outlive a restart of the container, in a memory volume of the sidecar alone. */
export type PairName = 'ca' | 'leaf';

/** The stored pair, or undefined when it is not there, half-written or does not belong together. */
export function readPair(folder: string, name: PairName): KeyPair | undefined {
  const key = readIfThere(join(folder, `${name}.key`));
  const certificate = readIfThere(join(folder, `${name}.crt`));
  if (key === undefined || certificate === undefined) return undefined;
  return belongTogether(key, certificate) ? { key, certificate } : undefined;
}

/** The key first: a pair without its certificate is never taken for one. */
export function writePair(folder: string, name: PairName, { key, certificate }: KeyPair): void {
  writeAtomically(join(folder, `${name}.key`), key, 0o600);
  writeAtomically(join(folder, `${name}.crt`), certificate, 0o600);
}

function belongTogether(key: string, certificate: string): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

/** Whether the leaf can be shown for all hosts until `until` (milliseconds since 1970), and comes from this CA. */
export function isUsable(leaf: KeyPair, ca: KeyPair, hosts: readonly string[], until: number): boolean {
  const certificate = new X509Certificate(leaf.certificate);
  return (
    certificate.validToDate.getTime() > until &&
    certificate.verify(new X509Certificate(ca.certificate).publicKey) &&
    hosts.every((host) => namesOf(certificate).includes(host))
  );
}

/** Compared as they stand, since a wildcard is a name here too. */
function namesOf({ subjectAltName = '' }: X509Certificate): string[] {
  return subjectAltName.split(', ').map((name) => name.replace(/^DNS:/u, ''));
}
