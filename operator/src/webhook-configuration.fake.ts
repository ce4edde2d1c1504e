import type { Handler } from './api-server.fake.ts';
import type { WebhookConfiguration } from './certificate-bundle.ts';

const path = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/rekey-operator';

export interface FakeWebhookConfiguration {
  handler: Handler;
  /** undefined: there is none. */
  object: (WebhookConfiguration & { webhooks: ReturnType<typeof webhook>[] }) | undefined;
  /** What the API server answers instead, such as 500. */
  failure: number | undefined;
  /** Whether the operator may write it. */
  writable: boolean;
  bundles: () => string[];
  write: (text: string) => void;
}

export function webhook(name: string): { name: string; clientConfig: { caBundle?: string; service: object } } {
  return { name, clientConfig: { service: { name: 'rekey-operator' } } };
}

/** A MutatingWebhookConfiguration with two webhooks, behind as much of the API server as it takes: GET, and strategic merge patches. */
export function fakeWebhookConfiguration(): FakeWebhookConfiguration {
  const fake: FakeWebhookConfiguration = {
    failure: undefined,
    writable: true,
    object: {
      metadata: { name: 'rekey-operator', resourceVersion: '1' },
      webhooks: [webhook('namespace.rekey.dev'), webhook('pod.rekey.dev')],
    },
    bundles: () => (fake.object?.webhooks ?? []).map(({ clientConfig }) => Buffer.from(clientConfig.caBundle ?? '', 'base64').toString()),
    write: (text) => {
      for (const { clientConfig } of fake.object?.webhooks ?? []) clientConfig.caBundle = Buffer.from(text).toString('base64');
    },
    handler: ({ method, path: called, body, type }) => {
      if (fake.failure !== undefined) return { status: fake.failure, body: { reason: 'InternalError' } };
      if (called !== path || fake.object === undefined) return { status: 404, body: { reason: 'NotFound' } };
      if (method === 'GET') return { status: 200, body: fake.object };
      if (!fake.writable) return { status: 403, body: { reason: 'Forbidden' } };
      if (type !== 'application/strategic-merge-patch+json') return { status: 415, body: { reason: 'UnsupportedMediaType' } };
      return merge(fake.object, body as WebhookConfiguration);
    },
  };
  return fake;
}

/** Webhooks are merged by name; a resourceVersion that is not the current one is a conflict. */
function merge(object: NonNullable<FakeWebhookConfiguration['object']>, patch: WebhookConfiguration): ReturnType<Handler> {
  if (patch.metadata.resourceVersion !== object.metadata.resourceVersion) return { status: 409, body: { reason: 'Conflict' } };
  for (const { name, clientConfig } of patch.webhooks ?? []) {
    const found = object.webhooks.find((webhook) => webhook.name === name);
    if (found === undefined) return { status: 422, body: { reason: 'Invalid' } };
    Object.assign(found.clientConfig, clientConfig);
  }
  object.metadata.resourceVersion = String(Number(object.metadata.resourceVersion) + 1);
  return { status: 200, body: object };
}
