// Apart from the schema of a host: the sidecar needs this at run time, and zod would cost it 7 MB.

/** The host and its port apart. */
export function splitHost(text: string): { name: string; port: number } {
  const colon = text.lastIndexOf(':');
  return colon < 0 ? { name: text, port: 443 } : { name: text.slice(0, colon), port: Number(text.slice(colon + 1)) };
}
