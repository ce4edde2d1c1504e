import type { CredentialSource } from '@rekey/crds/credential.ts';
import type { StoreSpec, VaultStore } from '@rekey/crds/store.ts';
import { Failure } from '@rekey/lib/reason.ts';
import { z } from 'zod';
import { attempts } from './attempts.ts';
import { HttpAnswer, httpsTransport } from './https.ts';
import type { MetadataSource, PollContext, Versions, VersionState } from './poll.ts';
import { failureOf, isTransient } from './vault-failure.ts';
import { vaultSession } from './vault-session.ts';

/** KV version 2 metadata (https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#read-secret-metadata); nothing else of it is kept. */
const metadata = z.object({
  data: z.object({
    current_version: z.int().min(0),
    versions: z.record(z.string().regex(/^[0-9]+$/), z.object({ deletion_time: z.string(), destroyed: z.boolean() })),
  }),
});

/** The versions of secrets in one Vault or OpenBao, by `GET MOUNT/metadata/PATH`. There is no request here that answers with a value. */
export function vaultMetadata(context: PollContext): MetadataSource {
  const vault = vaultOf(context.store.spec);
  const transport = httpsTransport(vault);
  const session = vaultSession(context, vault, transport);
  const limited = <T>(task: (signal: AbortSignal) => Promise<T>): Promise<T> =>
    attempts(task, { tries: 3, milliseconds: context.milliseconds ?? 5000, random: context.random, isTransient });
  return {
    versions: async (source) => {
      const path = metadataPath(vault, source);
      try {
        const answer = await limited((signal) => session.read(path, signal));
        return versionsOf(answer, context.clock.wall());
      } catch (error) {
        throw failureOf(error, { context, vault, path });
      }
    },
    check: () => checkLogin(limited, session, { context, vault, path: 'auth/token/lookup-self' }),
    close: () => transport.close(),
  };
}

type Session = ReturnType<typeof vaultSession>;
type Limited = <T>(task: (signal: AbortSignal) => Promise<T>) => Promise<T>;

/** A role without the `default` policy may not look itself up: then the login that came before the 403 has shown enough. */
async function checkLogin(limited: Limited, session: Session, where: Parameters<typeof failureOf>[1]): Promise<void> {
  try {
    await limited((signal) => session.read(where.path, signal));
  } catch (error) {
    if (error instanceof HttpAnswer && error.status === 403) return;
    throw failureOf(error, where);
  }
}

/** kv/mcp/github: as `vault kv get` names it, with the mount in front. */
export function vaultPlace(store: StoreSpec, { vault: reference }: CredentialSource): string | undefined {
  if (store.vault === undefined || reference === undefined) return undefined;
  return `${reference.mount ?? store.vault.mount}/${reference.path}`;
}

function metadataPath(vault: VaultStore, { vault: reference }: CredentialSource): string {
  if (reference === undefined)
    throw new Failure('SecretNotFound', 'the credential has no source of the kind of its store: set spec.source.vault');
  return `${reference.mount ?? vault.mount}/metadata/${reference.path}`;
}

function vaultOf({ vault }: StoreSpec): VaultStore {
  if (vault === undefined) throw new Failure('SourceResponseInvalid', 'the store is not a vault');
  return vault;
}

/**
 * | destroyed | deletion_time      | state     |
 * |-----------|--------------------|-----------|
 * | true      | any                | Destroyed |
 * | false     | empty, or to come  | Live      |
 * | false     | past               | Deleted   |
 */
function stateOf({ destroyed, deletion_time }: { destroyed: boolean; deletion_time: string }, now: number): VersionState {
  if (destroyed) return 'Destroyed';
  return deletion_time !== '' && Date.parse(deletion_time) <= now ? 'Deleted' : 'Live';
}

function versionsOf(answer: unknown, now: number): Versions {
  const parsed = metadata.safeParse(answer);
  if (!parsed.success) throw new SyntaxError('not KV version 2 metadata');
  const { current_version, versions } = parsed.data.data;
  if (current_version === 0) throw new HttpAnswer(404, 0);
  const states = Object.entries(versions).map(([version, entry]) => [version, stateOf(entry, now)] as const);
  return { current: String(current_version), states: Object.fromEntries(states) };
}
