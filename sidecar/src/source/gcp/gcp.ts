import type https from 'node:https';
import { performance } from 'node:perf_hooks';
// The client alone: the package's index loads two versions of it and gRPC.
import { SecretManagerServiceClient } from '@google-cloud/secret-manager/build/src/v1/secret_manager_service_client.js';
import * as gax from 'google-gax/fallback';
import type { CredentialSource, GCPReference } from '@rekey/crds/credential.ts';
import type { GCPStore } from '@rekey/crds/store.ts';
import { Attempts, usual } from '@rekey/lib/attempts.ts';
import type { Limits } from '@rekey/lib/attempts.ts';
import { agentOf } from '@rekey/lib/exchange.ts';
import { GoogleTransport } from '@rekey/lib/gcp/auth.ts';
import { invalid } from '@rekey/lib/gcp/failure.ts';
import type { Question } from '@rekey/lib/gcp/failure.ts';
import { logIn } from '@rekey/lib/gcp/login.ts';
import { clientOptions } from '@rekey/lib/gcp/options.ts';
import { Failure } from '@rekey/lib/reason.ts';
import type { SecretValue } from '@rekey/lib/secret-value.ts';
import { Session } from '@rekey/lib/session.ts';
import { textValue } from '../value.ts';
import type { Reading, Source, SourceContext } from '../source.ts';
import { crc32c } from './crc32c.ts';

/** GCP Secret Manager, with an identity that this pod's own token is exchanged for. */
export function gcpSource(context: SourceContext, limits: Limits = usual): Source {
  const store = context.store?.gcpSecretManager;
  if (store === undefined) throw new Failure('StoreNotFound', `store ${context.name} is not one of GCP Secret Manager`);
  return new GCPSource(context, store, limits);
}

interface Payload {
  data?: Uint8Array | string | null;
  /** An int64 (google.protobuf.Int64Value), which JavaScript's numbers may be too small for. */
  dataCrc32c?: number | string | { toString: () => string } | null;
}

class GCPSource implements Source {
  readonly #name: string;
  readonly #store: GCPStore;
  readonly #agent: https.Agent;
  readonly #attempts: Attempts;
  readonly #session: Session<SecretValue>;
  readonly #transport: GoogleTransport;
  readonly #client: SecretManagerServiceClient;

  constructor(context: SourceContext, store: GCPStore, limits: Limits) {
    const { name, lookup, token, namespace } = context;
    this.#name = name;
    this.#store = store;
    this.#attempts = new Attempts(limits);
    this.#agent = agentOf({ lookup, caBundle: store.caBundle });
    const route = { agent: this.#agent, timeout: limits.attempt };
    const { workloadIdentityProvider: provider, serviceAccount, stsEndpoint, iamEndpoint, audience = `https:${provider}` } = store;
    const federation = { provider, serviceAccount, stsEndpoint, iamEndpoint, audience, bearer: `this pod in namespace ${namespace}` };
    const login = async (): ReturnType<typeof logIn> => {
      const jwt = await token().catch(() => {
        throw new Failure('SourceDenied', `the pod has no token of its own for store ${name}: was the store made after the pod?`);
      });
      return logIn(route, federation, jwt.trim());
    };
    this.#session = new Session({ login, now: () => performance.now(), random: Math.random });
    this.#transport = new GoogleTransport(route, this.#session);
    this.#client = new SecretManagerServiceClient(clientOptions(this.#transport, store.endpoint), gax);
  }

  async read({ gcpSecretManager: reference }: CredentialSource, version: string | undefined, signal: AbortSignal): Promise<Reading> {
    if (reference === undefined)
      throw new Failure('StoreNotFound', `store ${this.#name} is GCP Secret Manager and the credential's source is none`);
    const secret = `projects/${reference.project ?? this.#store.project}/secrets/${reference.secret}`;
    const what = `${secret} in store ${this.#name}`;
    const who = this.#store.serviceAccount ?? 'the identity of the pod';
    const question: Question = { what: `reading ${what}`, who, role: 'roles/secretmanager.secretAccessor', version };
    return this.#attempts.run((within) => this.#readOnce(secret, { question, signal: within }, { ...reference, what }), what, signal);
  }

  close(): void {
    this.#session.forget();
    void this.#client.close().catch(() => undefined);
    this.#agent.destroy();
  }

  async #readOnce(secret: string, call: { question: Question; signal: AbortSignal }, wanted: Wanted): Promise<Reading> {
    const { version } = call.question;
    try {
      return readingOf(await this.#access(`${secret}/versions/${version ?? 'latest'}`, call), { ...wanted, version });
    } catch (error) {
      if (!(error instanceof Failure) || error.reason !== 'VersionNotFound') throw error;
      await this.#knowsSecret(secret, call);
      throw error;
    }
  }

  /** The same error tells of a version and of a secret that never was. One whose newest version cannot be used is there. */
  async #knowsSecret(
    secret: string,
    { question: { version: _version, ...question }, signal }: { question: Question; signal: AbortSignal },
  ): Promise<void> {
    try {
      await this.#access(`${secret}/versions/latest`, { question, signal });
    } catch (error) {
      if (error instanceof Failure && (error.reason === 'VersionDisabled' || error.reason === 'VersionDestroyed')) return;
      throw error;
    }
  }

  async #access(
    name: string,
    call: { question: Question; signal: AbortSignal },
  ): Promise<{ name?: string | null; payload?: Payload | null }> {
    const [answer] = await this.#transport.run(call, (options) => this.#client.accessSecretVersion({ name }, options));
    return answer;
  }
}

/** What of the secret is read, and how messages name it. */
interface Wanted extends Pick<GCPReference, 'key' | 'userKey'> {
  what: string;
}

function readingOf(
  { name, payload }: { name?: string | null; payload?: Payload | null },
  { what, key, userKey, version: asked = '' }: Wanted & { version: string | undefined },
): Reading {
  const version = /\/versions\/([0-9]+)$/u.exec(String(name))?.[1];
  const isOther = /^[0-9]+$/u.test(asked) && asked !== version;
  const { data, dataCrc32c } = payload ?? {};
  if (version === undefined || isOther || !(data instanceof Uint8Array)) throw invalid(`reading ${what}`);
  if (isChanged(data, dataCrc32c)) {
    throw new Failure('SourceResponseInvalid', `the value was changed on its way: its checksum is another, reading ${what}`);
  }
  return { value: textValue(data, key, what, userKey), version };
}

/** A version from before there were checksums has none. */
function isChanged(data: Uint8Array, sum: Payload['dataCrc32c']): boolean {
  return sum !== undefined && sum !== null && sum.toString() !== crc32c(data).toString();
}
