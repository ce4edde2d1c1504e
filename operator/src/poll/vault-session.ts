import { authOf } from '@rekey/crds/store.ts';
import type { VaultStore } from '@rekey/crds/store.ts';
import { z } from 'zod';
import { HttpAnswer } from './https.ts';
import type { Transport } from './https.ts';
import type { PollContext } from './poll.ts';
import { LoginError } from './vault-failure.ts';

export interface VaultSession {
  /** GET of one path. Logs in when there is no token or it has passed two thirds of its life, and once more on a 403 with a token of some age. */
  read: (path: string, signal: AbortSignal) => Promise<unknown>;
}

interface Login {
  token: string;
  /** Since when, in milliseconds since the epoch. */
  at: number;
  /** When to log in again, in milliseconds since the epoch. */
  renewAt: number;
}

type Client = Awaited<ReturnType<typeof openClient>>;

const loginAnswer = z.object({ auth: z.object({ client_token: z.string().min(1), lease_duration: z.number().min(0) }) });

/** A token so young has its policies right: what it is refused, the next one would be too. */
const youngMilliseconds = 60_000;

/** A token whose life is not limited, such as a root token's, is renewed once an hour all the same. */
const longestSeconds = 3600;

export function vaultSession(context: PollContext, vault: VaultStore, transport: Transport): VaultSession {
  const client = once(() => openClient(vault, transport));
  let last: Login | undefined;
  let flight: Promise<Login> | undefined;

  /** One login for all reads that wait for it, and its failure for all of them too. */
  const loggedIn = async (signal: AbortSignal, refused?: string): Promise<Login> => {
    if (last !== undefined && last.token !== refused && context.clock.monotonic() < last.renewAt) return last;
    flight ??= logIn(client, { context, vault, signal }).finally(() => (flight = undefined));
    last = await flight;
    return last;
  };

  const get = async (path: string, token: string, signal: AbortSignal): Promise<unknown> =>
    (await client()).read(path, { headers: { 'X-Vault-Token': token }, signal });

  return {
    read: async (path, signal) => {
      const { token, at } = await loggedIn(signal);
      try {
        return await get(path, token, signal);
      } catch (error) {
        if (!(error instanceof HttpAnswer) || error.status !== 403 || context.clock.monotonic() - at < youngMilliseconds) throw error;
        // Revoked, or its role changed since: a new token tells the two apart.
        return get(path, (await loggedIn(signal, token)).token, signal);
      }
    },
  };
}

interface LoginContext {
  context: PollContext;
  vault: VaultStore;
  signal: AbortSignal;
}

/**
 * As the operator's own service account. Kubernetes and JWT auth take one and the same request
 * (https://developer.hashicorp.com/vault/api-docs/auth/kubernetes#login, https://developer.hashicorp.com/vault/api-docs/auth/jwt#jwt-login).
 */
async function logIn(client: () => Promise<Client>, { context, vault, signal }: LoginContext): Promise<Login> {
  const { mount, operatorRole: role, audience } = authOf(vault);
  const path = `auth/${mount}/login`;
  const jwt = await before(signal, context.token(audience));
  const vaultClient = await client();
  const answer: unknown = await vaultClient.write(path, { role, jwt }, { signal }).catch((error: unknown) => {
    throw new LoginError(error, path);
  });
  const { client_token: token, lease_duration: seconds } = loginAnswer.parse(answer).auth;
  const life = seconds === 0 ? longestSeconds : Math.min(seconds, longestSeconds);
  return { token, at: context.clock.monotonic(), renewAt: context.clock.monotonic() + (life * 1000 * 2) / 3 };
}

/** Rejects when the signal aborts first. */
function before<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    promise.then(resolve, reject);
  });
}

/** Loaded when the first store is a vault: it costs 21 MB. What it would take from VAULT_* variables and log is set to nothing. */
async function openClient(vault: VaultStore, transport: Transport) {
  const { default: nodeVault } = await import('node-vault');
  const client = nodeVault({
    endpoint: vault.address,
    apiVersion: 'v1',
    debug: () => undefined,
    'request-promise': { defaults: () => transport.send },
  });
  return Object.assign(client, { token: '', namespace: vault.namespace ?? '', pathPrefix: '' });
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}
