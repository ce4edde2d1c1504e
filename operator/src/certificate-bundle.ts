import { authoritiesIn } from './certificate-authority.ts';

/** admissionregistration.k8s.io/v1, as far as it is used. */
export interface WebhookConfiguration {
  metadata: { name: string; resourceVersion?: string };
  webhooks?: { name: string; clientConfig: { caBundle?: string } }[];
}

/** How many CAs of others (other replicas, and earlier lives of this one) a bundle keeps. */
const othersKept = 6;

/**
 * The strategic merge patch that puts our CAs into each webhook's caBundle and changes nothing else; undefined when nothing
 * is to be changed. CAs of other replicas stay, so that several operators can serve one webhook without sharing a key. The
 * resourceVersion makes the API server refuse the patch (409) when somebody else has written in between.
 *
 * | all of ours are in it | holds expired, foreign or broken parts | the bundle becomes     |
 * |-----------------------|----------------------------------------|------------------------|
 * | yes                   | no                                     | unchanged              |
 * | yes                   | yes                                    | without these          |
 * | no                    | any                                    | without these, and ours |
 */
export function bundlePatch(configuration: WebhookConfiguration, ours: readonly string[], now: Date): object | undefined {
  const webhooks = (configuration.webhooks ?? []).flatMap(({ name, clientConfig }) => {
    const text = decoded(clientConfig);
    const wanted = wantedBundle(text, ours, now);
    return wanted === text ? [] : [{ name, clientConfig: { caBundle: Buffer.from(wanted).toString('base64') } }];
  });
  if (webhooks.length === 0) return undefined;
  return { metadata: { resourceVersion: configuration.metadata.resourceVersion }, webhooks };
}

/** Whether every webhook of the configuration trusts this CA. */
export function trusts({ webhooks = [] }: WebhookConfiguration, pem: string): boolean {
  return webhooks.length > 0 && webhooks.every(({ clientConfig }) => decoded(clientConfig).includes(pem));
}

/** The first webhook's; `trusts` tells of the others. */
export function bundleOf({ webhooks = [] }: WebhookConfiguration): string {
  return decoded(webhooks[0]?.clientConfig ?? {});
}

function decoded({ caBundle = '' }: { caBundle?: string }): string {
  return Buffer.from(caBundle, 'base64').toString();
}

function wantedBundle(text: string, ours: readonly string[], now: Date): string {
  const living = authoritiesIn(text, now);
  const missing = ours.filter((pem) => !living.includes(pem));
  const surplus = new Set(living.filter((pem) => !ours.includes(pem)).slice(0, -othersKept));
  return [...living.filter((pem) => !surplus.has(pem)), ...missing].join('');
}
