import https from 'node:https';
import { performance } from 'node:perf_hooks';
import type { CredentialSource, VaultReference } from '@rekey/crds/credential.ts';
import type { VaultStore } from '@rekey/crds/store.ts';
import { Failure } from '@rekey/lib/reason.ts';
import nodeVault from 'node-vault';
import { Attempts, usual } from '../attempts.ts';
import type { Limits } from '../attempts.ts';
import type { Reading, Source, SourceContext } from '../source.ts';
import type { Answer, Asked } from './answer.ts';
import { fields, invalid, isRefusal, isThere, readingOf } from './answer.ts';
import { Session } from './session.ts';
import type { Token } from './session.ts';
import { transport, TransportFault } from './transport.ts';

/** HashiCorp Vault or OpenBao: KV version 2, Kubernetes auth. */
export function vaultSource(context: SourceContext, limits: Limits = usual): Source {
  const vault = context.store?.vault;
  const auth = vault?.auth.kubernetes;
  if (vault === undefined || auth === undefined) throw new Failure('StoreNotFound', `store ${context.name} has no vault to log in to`);
  return new VaultSource({ ...context, vault, auth, limits });
}

interface VaultContext extends SourceContext {
  vault: VaultStore;
  auth: NonNullable<VaultStore['auth']['kubernetes']>;
  limits: Limits;
}

class VaultSource implements Source {
  readonly #context: VaultContext;
  readonly #agent: https.Agent;
  readonly #client: nodeVault.client;
  readonly #session: Session;
  readonly #attempts: Attempts;

  constructor(context: VaultContext) {
    const { vault, auth, limits, lookup, name } = context;
    this.#context = context;
    this.#attempts = new Attempts(limits);
    this.#agent = new https.Agent({
      keepAlive: true,
      maxSockets: 4,
      maxFreeSockets: 1,
      lookup,
      ...(vault.caBundle && { ca: vault.caBundle }),
    });
    this.#client = nodeVault({
      endpoint: vault.address,
      'request-promise': transport(this.#agent, limits.attempt),
      // Its debug lines hold what is written: the login's token.
      debug: () => undefined,
    });
    this.#client.token = '';
    this.#session = new Session({
      login: () => this.#login(auth),
      what: `store ${name}`,
      role: auth.role,
      now: () => performance.now(),
      random: Math.random,
    });
  }

  async read(reference: CredentialSource, version: string | undefined, signal: AbortSignal): Promise<Reading> {
    const { vault, auth, name } = this.#context;
    if (reference.vault === undefined) throw new Failure('StoreNotFound', `store ${name} is a vault and the credential's source is none`);
    const place = placeOf(reference.vault, vault);
    const asked: Asked = { what: `${place.mount}/${place.path} in store ${name}`, key: reference.vault.key, role: auth.role, version };
    return this.#attempts.run((within) => this.#readOnce(`${place.mount}/data/${place.path}`, asked, within), asked.what, signal);
  }

  close(): void {
    this.#session.forget();
    this.#agent.destroy();
  }

  /** One read; with a token that was in hand before, a refusal may be the token's fault: exactly one new login (Vault's 403 says either). */
  async #readOnce(path: string, asked: Asked, signal: AbortSignal): Promise<Reading> {
    const held = this.#session.held;
    const token = await this.#session.token();
    const first = await this.#get(path, asked, token, signal);
    const stale = first.status === 403 && isRefusal(first) && token === held;
    const answer = stale ? await this.#get(path, asked, await this.#session.token(token), signal) : first;
    if (answer.status !== 404 || asked.version === undefined || isThere(answer)) return readingOf(answer, asked);
    // Vault says the same of a version and of a secret that never was.
    const newest = { ...asked, version: undefined };
    if (!isThere(await this.#get(path, newest, token, signal))) return readingOf(answer, newest);
    return readingOf(answer, asked);
  }

  #get(path: string, { what, version }: Asked, token: Token, signal: AbortSignal): Promise<Answer> {
    const query = version === undefined ? '' : `?version=${encodeURIComponent(version)}`;
    const headers = { 'X-Vault-Token': token.secret.reveal() };
    return answerOf(this.#client.read(path + query, { headers, signal }), what);
  }

  async #login({ mount, role }: VaultContext['auth']): Promise<Answer> {
    const what = `store ${this.#context.name}`;
    let jwt: string;
    try {
      jwt = (await this.#context.token()).trim();
    } catch {
      throw new Failure('SourceDenied', `the pod has no token of its own for ${what}: was the store made after the pod?`);
    }
    return answerOf(this.#client.write(`auth/${mount}/login`, { role, jwt }), what);
  }
}

function placeOf(reference: VaultReference, vault: VaultStore): { mount: string; path: string } {
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
