import type https from 'node:https';
import { performance } from 'node:perf_hooks';
import type { CredentialSource, VaultReference } from '@rekey/crds/credential.ts';
import type { VaultAuth, VaultStore } from '@rekey/crds/store.ts';
import { agentOf, TransportFault } from '@rekey/lib/exchange.ts';
import { Failure } from '@rekey/lib/reason.ts';
import type { SecretValue } from '@rekey/lib/secret-value.ts';
import nodeVault from 'node-vault';
import { Attempts, usual } from '@rekey/lib/attempts.ts';
import type { Limits } from '@rekey/lib/attempts.ts';
import { Fingerprints } from '../fingerprint.ts';
import { Session } from '@rekey/lib/session.ts';
import type { Token } from '@rekey/lib/session.ts';
import type { Reading, Source, SourceContext } from '../source.ts';
import type { Answer, Asked } from './answer.ts';
import { fields, invalid, isRefusal, isThere, readingOf } from './answer.ts';
import { tokenOf } from './login.ts';
import { transport } from './transport.ts';
import { refusePin, unversionedValue } from './unversioned.ts';

/** HashiCorp Vault or OpenBao: KV versions 1 and 2, Kubernetes and JWT auth, whose logins are one and the same request. */
export function vaultSource(context: SourceContext, limits: Limits = usual): Source {
  const vault = context.store?.vault;
  const auth = vault?.auth.kubernetes ?? vault?.auth.jwt;
  if (vault === undefined || auth === undefined) throw new Failure('StoreNotFound', `store ${context.name} has no vault to log in to`);
  return new VaultSource({ ...context, vault, auth, limits });
}

interface VaultContext extends SourceContext {
  vault: VaultStore;
  auth: VaultAuth;
  limits: Limits;
}

class VaultSource implements Source {
  readonly #context: VaultContext;
  readonly #agent: https.Agent;
  readonly #client: nodeVault.client;
  /** By role. */
  readonly #sessions = new Map<string, Session<SecretValue>>();
  readonly #attempts: Attempts;
  readonly #fingerprints = new Fingerprints();

  constructor(context: VaultContext) {
    const { vault, limits, lookup } = context;
    this.#context = context;
    this.#attempts = new Attempts(limits);
    this.#agent = agentOf({ lookup, caBundle: vault.caBundle });
    this.#client = nodeVault({
      endpoint: vault.address,
      'request-promise': transport({ agent: this.#agent, timeout: limits.attempt, redirectHosts: vault.redirectHosts ?? [] }),
      // Its debug lines hold what is written: the login's token.
      debug: () => undefined,
    });
    // What it would take from VAULT_* variables is set here.
    Object.assign(this.#client, { token: '', namespace: vault.namespace ?? '', pathPrefix: '' });
  }

  async read(reference: CredentialSource, version: string | undefined, signal: AbortSignal): Promise<Reading> {
    const { vault, auth, name } = this.#context;
    if (reference.vault === undefined) throw new Failure('StoreNotFound', `store ${name} is a vault and the credential's source is none`);
    const place = placeOf(reference.vault, vault);
    const { key, userKey, role = auth.role } = reference.vault;
    const asked: Asked = { what: `${place.mount}/${place.path} in store ${name}`, key, userKey, role, version };
    const once = (within: AbortSignal): Promise<Reading> =>
      vault.version === 'v1' ? this.#readUnversioned(place, asked, within) : this.#readVersion(place, asked, within);
    return this.#attempts.run(once, asked.what, signal);
  }

  close(): void {
    for (const session of this.#sessions.values()) session.forget();
    this.#fingerprints.forget();
    this.#agent.destroy();
  }

  async #readVersion({ mount, path }: Place, asked: Asked, signal: AbortSignal): Promise<Reading> {
    const { version } = asked;
    const data = `${mount}/data/${path}`;
    const query = version === undefined ? '' : `?version=${encodeURIComponent(version)}`;
    const answer = await this.#get(data + query, asked, signal);
    if (answer.status !== 404 || version === undefined || isThere(answer)) return readingOf(answer, asked);
    // Vault says the same of a version and of a secret that never was.
    return readingOf(answer, isThere(await this.#get(data, asked, signal)) ? asked : { ...asked, version: undefined });
  }

  /** What stands for a version is the same in every pod, whose stores have one name. */
  async #readUnversioned({ mount, path }: Place, asked: Asked, signal: AbortSignal): Promise<Reading> {
    const value = unversionedValue(await this.#get(`${mount}/${path}`, asked, signal), asked);
    const reading = await this.#fingerprints.reading(`${asked.what}, ${asked.key}`, value, new Date());
    refusePin(asked, reading.version);
    return reading;
  }

  /** One read; with a token that was in hand before, a refusal may be the token's fault: exactly one new login (Vault's 403 says either). */
  async #get(path: string, { what, role }: Asked, signal: AbortSignal): Promise<Answer> {
    const session = this.#session(role);
    const { held } = session;
    const token = await session.token();
    const first = await this.#getWith(token, path, what, signal);
    const stale = first.status === 403 && isRefusal(first) && token === held;
    return stale ? this.#getWith(await session.token(token), path, what, signal) : first;
  }

  #getWith(token: Token<SecretValue>, path: string, what: string, signal: AbortSignal): Promise<Answer> {
    return answerOf(this.#client.read(path, { headers: { 'X-Vault-Token': token.secret.reveal() }, signal }), what);
  }

  #session(role: string): Session<SecretValue> {
    const session =
      this.#sessions.get(role) ??
      new Session({
        login: async () => tokenOf(await this.#login(role), `store ${this.#context.name}`, role),
        now: () => performance.now(),
        random: Math.random,
      });
    this.#sessions.set(role, session);
    return session;
  }

  async #login(role: string): Promise<Answer> {
    const { auth, name, token } = this.#context;
    const what = `store ${name}`;
    let jwt: string;
    try {
      jwt = (await token()).trim();
    } catch {
      throw new Failure('SourceDenied', `the pod has no token of its own for ${what}: was the store made after the pod?`);
    }
    return answerOf(this.#client.write(`auth/${auth.mount}/login`, { role, jwt }), what);
  }
}

interface Place {
  mount: string;
  path: string;
}

function placeOf(reference: VaultReference, vault: VaultStore): Place {
  return { mount: reference.mount ?? vault.mount, path: reference.path };
}

/** Any answer as an Answer; node-vault rejects those that are not 200, and its errors hold what the vault said: they end here. */
async function answerOf(call: Promise<unknown>, what: string): Promise<Answer> {
  try {
    return { status: 200, body: await call };
  } catch (error) {
    if (error instanceof TransportFault) throw faultOf(error, what);
    const response = fields(fields(error)['response']);
    if (typeof response['statusCode'] !== 'number') throw invalid(what);
    return { status: response['statusCode'], body: response['body'] };
  }
}

function faultOf({ code }: TransportFault, what: string): Failure {
  if (code === 'EMSGSIZE') return new Failure('SourceResponseInvalid', `the answer is larger than a secret can be, reading ${what}`);
  return new Failure('SourceUnreachable', `the vault cannot be reached (${code}), reading ${what}`);
}
