import type { CredentialSource } from '@rekey/crds/credential.ts';
import type { StoreSpec } from '@rekey/crds/store.ts';
import { Failure } from '@rekey/lib/reason.ts';
import type { Source, SourceContext } from './source.ts';

type Kind = keyof CredentialSource & keyof StoreSpec;
type Load = () => Promise<(context: SourceContext) => Source>;

/** Each kind of source, loaded when the first credential of a pod reads from one: its library costs memory in every pod. */
const sources: Record<Kind, Load> = {
  vault: async () => (await import('./vault/vault.ts')).vaultSource,
};

/** Opens the one source that the store names; a kind that this version does not know is a Failure, not a crash. */
export async function openSource(context: SourceContext): Promise<Source> {
  const kind = (Object.keys(sources) as Kind[]).find((kind) => context.store[kind] !== undefined);
  if (kind === undefined) throw new Failure('StoreNotFound', `this sidecar cannot read from the kind of store that ${context.name} is`);
  const load = await sources[kind]();
  return load(context);
}
