import tls, { rootCertificates } from 'node:tls';
import type { SecureContext } from 'node:tls';
import { ciphers } from './ciphers.ts';

/**
 * What upstreams are verified with: the public roots, and the certificates that the administrator adds. The same go into the pod's
 * bundle, since every client but Node replaces its own roots by it.
 */
export function publicTrust(extraCA: string | undefined): string[] {
  return extraCA === undefined ? [...rootCertificates] : [...rootCertificates, extraCA];
}

/**
 * What connections to upstreams are verified with, made when it is first needed and then once: parsing the roots takes some 20 ms and 3 MB,
 * which the garbage collector knows nothing of.
 */
export function trustedBy(extraCA: string | undefined): () => SecureContext {
  let made: SecureContext | undefined;
  return () => (made ??= tls.createSecureContext({ ca: publicTrust(extraCA), ciphers, minVersion: 'TLSv1.2' }));
}

/** The bundle that the pod's clients trust: what upstreams are verified with, and the pod's CA. */
export function bundleOf(extraCA: string | undefined, ca: string): string {
  return `${[...publicTrust(extraCA), ca].map((pem) => pem.trim()).join('\n')}\n`;
}
