import { rootCertificates } from 'node:tls';

/**
 * What upstreams are verified with: the public roots, and the certificates that the administrator adds. The same go into the pod's
 * bundle, since every client but Node replaces its own roots by it.
 */
export function publicTrust(extraCA: string | undefined): string[] {
  return extraCA === undefined ? [...rootCertificates] : [...rootCertificates, extraCA];
}

/** The bundle that the pod's clients trust: what upstreams are verified with, and the pod's CA. */
export function bundleOf(extraCA: string | undefined, ca: string): string {
  return `${[...publicTrust(extraCA), ca].map((pem) => pem.trim()).join('\n')}\n`;
}
