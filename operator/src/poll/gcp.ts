import { SecretManagerServiceClient } from '@google-cloud/secret-manager/build/src/v1/secret_manager_service_client.js';
import * as gax from 'google-gax/fallback';
import type { CredentialSource } from '@rekey/crds/credential.ts';
import type { GCPStore, StoreSpec } from '@rekey/crds/store.ts';
import { audienceOf } from '@rekey/crds/store.ts';
import { Attempts, usual } from '@rekey/lib/attempts.ts';
import { agentOf } from '@rekey/lib/exchange.ts';
import { GoogleTransport } from '@rekey/lib/gcp/auth.ts';
import { logIn } from '@rekey/lib/gcp/login.ts';
import { clientOptions } from '@rekey/lib/gcp/options.ts';
import { Failure } from '@rekey/lib/reason.ts';
import { Session } from '@rekey/lib/session.ts';
import { gcpPlace } from './place.ts';
import type { MetadataSource, PollContext, Versions, VersionState } from './poll.ts';

/** So many of the newest versions are known; older ones cannot be pinned. */
const mostVersions = 1000;

/** The versions of secrets in GCP Secret Manager, by their metadata. There is no request here that answers with a value. */
export function gcpMetadata(context: PollContext): MetadataSource {
  const store = storeOf(context.store.spec);
  const { name } = context.store.metadata;
  const agent = agentOf({ caBundle: store.caBundle });
  const route = { agent, timeout: usual.attempt };
  const { workloadIdentityProvider: provider, operatorServiceAccount: serviceAccount, stsEndpoint, iamEndpoint } = store;
  const audience = audienceOf(context.store.spec);
  const bearer = `service account ${context.identity}`;
  const session = new Session({
    login: async () =>
      logIn(route, { provider, serviceAccount, stsEndpoint, iamEndpoint, audience, bearer }, await context.token(audience)),
    now: context.clock.monotonic,
    random: context.random,
  });
  const attempts = new Attempts({ ...usual, shared: true, budget: context.milliseconds ?? usual.budget });
  const transport = new GoogleTransport(route, session);
  const client = new SecretManagerServiceClient(clientOptions(transport, store.endpoint), gax);
  const within = <T>(task: (signal: AbortSignal) => Promise<T>, what: string): Promise<T> =>
    attempts.run(task, what, new AbortController().signal);
  return {
    versions: (source) => {
      const secret = secretOf(store, source);
      const who = serviceAccount ?? `the principal of ${bearer}`;
      const question = { what: `reading ${secret} in MCPCredentialStore ${name}`, who, role: 'roles/secretmanager.viewer' };
      return within(async (signal) => {
        const [versions] = await transport.run({ question, signal }, (options) =>
          client.listSecretVersions({ parent: secret, pageSize: mostVersions }, { ...options, autoPaginate: false }),
        );
        // After it: what is refused once need not be asked twice.
        const [{ versionAliases }] = await transport.run({ question, signal }, (options) => client.getSecret({ name: secret }, options));
        return versionsOf(versions, versionAliases ?? {}, secret);
      }, secret);
    },
    check: async () => void (await within(() => session.token(), `the login of MCPCredentialStore ${name}`)),
    close: () => {
      void client.close().catch(() => undefined);
      agent.destroy();
    },
  };
}

function secretOf(store: GCPStore, source: CredentialSource): string {
  const place = gcpPlace({ gcpSecretManager: store }, source);
  if (place !== undefined) return place;
  throw new Failure('SecretNotFound', 'the credential has no source of the kind of its store: set spec.source.gcpSecretManager');
}

function storeOf({ gcpSecretManager }: StoreSpec): GCPStore {
  if (gcpSecretManager === undefined) throw new Failure('SourceResponseInvalid', 'the store is not one of GCP Secret Manager');
  return gcpSecretManager;
}

interface ListedVersion {
  name?: string | null;
  state?: string | number | null;
}

/** By name and by number: which of the two comes depends on what was asked for (google.cloud.secretmanager.v1.SecretVersion.State). */
const states: Readonly<Record<string, VersionState>> = {
  ENABLED: 'Live',
  DISABLED: 'Disabled',
  DESTROYED: 'Destroyed',
  1: 'Live',
  2: 'Disabled',
  3: 'Destroyed',
};

function versionsOf(listed: readonly ListedVersion[], aliases: Readonly<Record<string, unknown>>, secret: string): Versions {
  const numbered = listed.flatMap(({ name, state }) => {
    const number = /\/versions\/([0-9]+)$/u.exec(name ?? '')?.[1];
    const known = states[String(state)];
    return number === undefined || known === undefined ? [] : [[number, known] as const];
  });
  const newest = numbered.map(([number]) => Number(number)).sort((a, b) => b - a)[0];
  if (newest === undefined) throw new Failure('SecretNotFound', `${secret} has no version yet: add one with gcloud secrets versions add`);
  return {
    current: String(newest),
    states: Object.fromEntries(numbered),
    aliases: Object.fromEntries(Object.entries(aliases).map(([alias, number]) => [alias, String(number)])),
  };
}
