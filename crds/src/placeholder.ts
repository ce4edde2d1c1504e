// Apart from the schema of a credential: the sidecar needs this at run time, and zod would cost it 7 MB.
import type { CredentialSpec } from './credential.ts';

/** What stands in the server's environment in place of the value. */
export function placeholders(name: string, spec: Pick<CredentialSpec, 'env'>): string[] {
  const texts = spec.env.map((entry) => placeholderOf(name, entry));
  return [...new Set([...texts, defaultPlaceholder(name)])];
}

export function placeholderOf(name: string, entry: { placeholder?: string | undefined }): string {
  return entry.placeholder ?? defaultPlaceholder(name);
}

function defaultPlaceholder(name: string): string {
  return `rekey-placeholder-${name}`;
}
