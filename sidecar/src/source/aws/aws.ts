import type https from 'node:https';
import { performance } from 'node:perf_hooks';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { GetSecretValueCommandOutput } from '@aws-sdk/client-secrets-manager';
import type { AWSReference, CredentialSource } from '@rekey/crds/credential.ts';
import type { AWSStore } from '@rekey/crds/store.ts';
import { isIdentity, missing, sdkFailure } from '@rekey/lib/aws/failure.ts';
import type { Question } from '@rekey/lib/aws/failure.ts';
import { clientSettings } from '@rekey/lib/aws/client.ts';
import { assumeRole, stsEndpoint } from '@rekey/lib/aws/role.ts';
import { agentOf } from '@rekey/lib/exchange.ts';
import { Failure } from '@rekey/lib/reason.ts';
import { textValue } from '../value.ts';
import { Attempts, usual } from '@rekey/lib/attempts.ts';
import type { Limits } from '@rekey/lib/attempts.ts';
import { Session } from '@rekey/lib/session.ts';
import type { Reading, Source, SourceContext } from '../source.ts';

/** AWS Secrets Manager, with a role that this pod's own token assumes. */
export function awsSource(context: SourceContext, limits: Limits = usual): Source {
  const store = context.store?.awsSecretsManager;
  if (store === undefined) throw new Failure('StoreNotFound', `store ${context.name} is not one of AWS Secrets Manager`);
  return new AWSSource(context, store, limits);
}

class AWSSource implements Source {
  readonly #context: SourceContext;
  readonly #store: AWSStore;
  readonly #agent: https.Agent;
  readonly #timeout: number;
  readonly #attempts: Attempts;
  /** By role. What a login brings is a client that signs with its credentials. */
  readonly #sessions = new Map<string, Session<SecretsManagerClient>>();

  constructor(context: SourceContext, store: AWSStore, limits: Limits) {
    this.#context = context;
    this.#store = store;
    this.#timeout = limits.attempt;
    this.#attempts = new Attempts(limits);
    this.#agent = agentOf({ lookup: context.lookup, caBundle: store.caBundle });
  }

  async read({ awsSecretsManager: reference }: CredentialSource, version: string | undefined, signal: AbortSignal): Promise<Reading> {
    const { name } = this.#context;
    if (reference === undefined)
      throw new Failure('StoreNotFound', `store ${name} is AWS Secrets Manager and the credential's source is none`);
    const role = reference.roleARN ?? this.#store.roleARN;
    const question: Question = { what: `${reference.secretId} in store ${name}`, role, action: 'secretsmanager:GetSecretValue', version };
    if (version === pending) throw missing(question);
    return this.#attempts.run((within) => this.#readOnce(reference, question, within), question.what, signal);
  }

  close(): void {
    for (const session of this.#sessions.values()) session.forget();
    this.#agent.destroy();
  }

  async #readOnce(reference: AWSReference, question: Question, signal: AbortSignal): Promise<Reading> {
    try {
      return readingOf(await this.#get(reference, question, signal), reference, question.what);
    } catch (error) {
      const failure = sdkFailure(error, question);
      if (failure.reason !== 'VersionNotFound') throw failure;
    }
    // The same error tells of a version and of a secret that never was.
    const { version: _version, ...newest } = question;
    await this.#get(reference, newest, signal).catch((error: unknown) => {
      throw sdkFailure(error, newest);
    });
    throw missing(question);
  }

  /** With credentials that were in hand before, a refusal of the identity may be their end: exactly one new login. */
  async #get({ secretId }: AWSReference, { role, version }: Question, signal: AbortSignal): Promise<GetSecretValueCommandOutput> {
    const session = this.#session(role);
    const { held } = session;
    const client = await session.token();
    const command = new GetSecretValueCommand({ SecretId: secretId, ...which(version) });
    try {
      return await client.secret.send(command, { abortSignal: signal });
    } catch (error) {
      if (client !== held || !isIdentity(error)) throw error;
      return (await session.token(client)).secret.send(command, { abortSignal: signal });
    }
  }

  #session(role: string): Session<SecretsManagerClient> {
    const known = this.#sessions.get(role);
    if (known !== undefined) return known;
    const session = new Session({ login: () => this.#login(role), now: () => performance.now(), random: Math.random });
    this.#sessions.set(role, session);
    return session;
  }

  async #login(roleARN: string): Promise<{ secret: SecretsManagerClient; lease: number }> {
    const { namespace, pod, name } = this.#context;
    const { region, endpoint, audience, stsEndpoint: sts = stsEndpoint(region) } = this.#store;
    const route = { agent: this.#agent, timeout: this.#timeout };
    const token = await this.#context.token().catch(() => {
      throw new Failure('SourceDenied', `the pod has no token of its own for store ${name}: was the store made after the pod?`);
    });
    const bearer = `the service account of pod ${namespace}/${pod}`;
    const asking = { endpoint: sts, roleARN, sessionName: `${namespace}.${pod}`, token: token.trim(), audience, bearer };
    const credentials = await assumeRole(route, asking);
    const client = new SecretsManagerClient(clientSettings(route, { region, endpoint, credentials, what: `reading store ${name}` }));
    return { secret: client, lease: credentials.expiration.getTime() - Date.now() };
  }
}

/** A version that is being made and does not work yet (https://docs.aws.amazonaws.com/secretsmanager/latest/userguide/rotate-secrets_how.html). */
const pending = 'AWSPENDING';

/** An id of a version has 32 to 64 characters; a staging label is shorter, as all that AWS makes are. */
function which(version: string | undefined): { VersionId: string } | { VersionStage: string } | object {
  if (version === undefined) return {};
  return version.length >= 32 ? { VersionId: version } : { VersionStage: version };
}

function readingOf(answer: GetSecretValueCommandOutput, { key, userKey }: AWSReference, what: string): Reading {
  const { VersionId: version, CreatedDate: createdAt, SecretString: text, SecretBinary: binary } = answer;
  const secret = text ?? binary;
  if (version === undefined || secret === undefined) {
    throw new Failure('SourceResponseInvalid', `the answer is not one of AWS Secrets Manager, reading ${what}`);
  }
  const value = textValue(secret, key, what, userKey);
  return { value, version, ...(createdAt === undefined || Number.isNaN(createdAt.getTime()) ? {} : { createdAt }) };
}
