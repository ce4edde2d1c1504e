import { DescribeSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { DescribeSecretCommandOutput } from '@aws-sdk/client-secrets-manager';
import type { CredentialSource } from '@rekey/crds/credential.ts';
import type { AWSStore, StoreSpec } from '@rekey/crds/store.ts';
import { Attempts, usual } from '@rekey/lib/attempts.ts';
import { clientSettings } from '@rekey/lib/aws/client.ts';
import { isIdentity, sdkFailure } from '@rekey/lib/aws/failure.ts';
import type { Question } from '@rekey/lib/aws/failure.ts';
import { assumeRole, stsEndpoint } from '@rekey/lib/aws/role.ts';
import { agentOf } from '@rekey/lib/exchange.ts';
import type { Route } from '@rekey/lib/exchange.ts';
import { Failure } from '@rekey/lib/reason.ts';
import { Session } from '@rekey/lib/session.ts';
import type { MetadataSource, PollContext, Versions, VersionState } from './poll.ts';

/** The versions of secrets in AWS Secrets Manager, by DescribeSecret. There is no request here that answers with a value. */
export function awsMetadata(context: PollContext): MetadataSource {
  const store = storeOf(context.store.spec);
  const { name } = context.store.metadata;
  const agent = agentOf({ caBundle: store.caBundle });
  const attempts = new Attempts({ ...usual, budget: context.milliseconds ?? usual.budget });
  const session = sessionOf(context, store, { agent, timeout: usual.attempt });
  const ask = (secretId: string): Promise<DescribeSecretCommandOutput> =>
    described(session, secretId, {
      what: `${secretId} in MCPCredentialStore ${name}`,
      role: store.operatorRoleARN,
      action: 'secretsmanager:DescribeSecret',
    });
  const within = <T>(task: () => Promise<T>, what: string): Promise<T> => attempts.run(task, what, new AbortController().signal);
  return {
    versions: async (source) => {
      const secretId = secretOf(source);
      return versionsOf(await within(() => ask(secretId), secretId), secretId);
    },
    check: async () => void (await within(() => session.token(), `the login of MCPCredentialStore ${name}`)),
    close: () => agent.destroy(),
  };
}

function sessionOf(context: PollContext, store: AWSStore, route: Route): Session<SecretsManagerClient> {
  const { region, endpoint, operatorRoleARN: roleARN, audience, stsEndpoint: sts = stsEndpoint(store.region) } = store;
  const login = async (): Promise<{ secret: SecretsManagerClient; lease: number }> => {
    const token = await context.token(audience);
    const bearer = `service account ${context.identity}`;
    const asking = { endpoint: sts, roleARN, sessionName: context.identity.replace('/', '.'), token, audience, bearer };
    const credentials = await assumeRole(route, asking);
    const client = new SecretsManagerClient(clientSettings(route, { region, endpoint, credentials, what: 'reading metadata' }));
    return { secret: client, lease: credentials.expiration.getTime() - Date.now() };
  };
  return new Session({ login, now: context.clock.monotonic, random: context.random });
}

/** With credentials that were in hand before, a refusal of the identity may be their end: exactly one new login. */
async function described(
  session: Session<SecretsManagerClient>,
  secretId: string,
  question: Question,
): Promise<DescribeSecretCommandOutput> {
  const { held } = session;
  const command = new DescribeSecretCommand({ SecretId: secretId });
  const client = await session.token();
  try {
    return await client.secret.send(command).catch(async (error: unknown) => {
      if (client !== held || !isIdentity(error)) throw error;
      return (await session.token(client)).secret.send(command);
    });
  } catch (error) {
    throw sdkFailure(error, question);
  }
}

function secretOf({ awsSecretsManager: reference }: CredentialSource): string {
  if (reference !== undefined) return reference.secretId;
  throw new Failure('SecretNotFound', 'the credential has no source of the kind of its store: set spec.source.awsSecretsManager');
}

function storeOf({ awsSecretsManager }: StoreSpec): AWSStore {
  if (awsSecretsManager === undefined) throw new Failure('SourceResponseInvalid', 'the store is not one of AWS Secrets Manager');
  return awsSecretsManager;
}

/**
 * The versions with staging labels, by id. One that is only AWSPENDING is being made and does not work yet, so it is none; one that has
 * lost its labels may be gone at any time, and DescribeSecret leaves it out.
 */
function versionsOf({ VersionIdsToStages: stages = {}, DeletedDate: deleted }: DescribeSecretCommandOutput, secretId: string): Versions {
  const state: VersionState = deleted === undefined ? 'Live' : 'Deleted';
  const made = Object.entries(stages).filter(([, labels]) => labels.some((label) => label !== 'AWSPENDING'));
  const aliases = Object.fromEntries(made.flatMap(([id, labels]) => labels.map((label) => [label, id] as const)));
  const current = aliases['AWSCURRENT'];
  if (current === undefined)
    throw new Failure('SecretNotFound', `${secretId} has no value yet: write one with aws secretsmanager put-secret-value`);
  return { current, aliases, states: Object.fromEntries(made.map(([id]) => [id, state])) };
}
