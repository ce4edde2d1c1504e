import { apply, kubectl } from './kube.ts';
import { ensureImages } from './images.ts';
import { run } from './run.ts';
import { containerSecurity, podSecurity } from '../servers/objects.ts';

/**
 * The mutating webhook of somebody else, who knows nothing of Rekey: it sorts the containers of a pod by their names, strips what it
 * does not know (`restartPolicy` of init containers, as clients from before Kubernetes 1.28 do), or adds a container. Each of these is
 * idempotent, as webhooks should be.
 */
const program = `
const { text } = require('stream/consumers');
const byName = (one, other) => (one.name < other.name ? -1 : 1);
const changes = {
  sort: ({ containers, initContainers = [] }) => ({ containers: containers.toSorted(byName), initContainers: initContainers.toSorted(byName) }),
  strip: ({ initContainers = [] }) => ({ initContainers: initContainers.map(({ restartPolicy, ...known }) => known) }),
  add: ({ containers: [first, ...others] }) => {
    const { env, volumeMounts, ...bare } = first;
    const rest = others.filter(({ name }) => name !== 'agent');
    const agent = others.find(({ name }) => name === 'agent') || { ...bare, name: 'agent', command: ['sleep', '3600'] };
    return { containers: [first, ...rest, agent] };
  },
};
require('https').createServer({ key: process.env.KEY, cert: process.env.CERTIFICATE }, async (request, response) => {
  const { request: { uid, object } } = JSON.parse(await text(request));
  const changed = changes[request.url.split('?')[0].slice(1)](object.spec);
  const patch = Object.entries(changed).filter(([, list]) => list.length > 0).map(([field, value]) => ({ op: 'add', path: '/spec/' + field, value }));
  const answer = { uid, allowed: true, patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') };
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: answer }));
}).listen(8443);
`;

export const changes = ['sort', 'strip', 'add'] as const;
export type Change = (typeof changes)[number];
/** When the neighbour is called: before ours, after ours, or after ours and again when ours was called again. The API server calls by the names of the configurations. */
export const places = { before: 'a-neighbour', after: 'z-neighbour', again: 'z-neighbour-again' } as const;
export type Place = keyof typeof places;

/** The label that brings a pod of the namespace before the neighbour. */
export const neighbourLabel = (place: Place, change: Change): Record<string, string> => ({ neighbour: `${place}-${change}` });

/** Starts the neighbour in a namespace, for the pods of that namespace. */
export async function startNeighbour(space: string): Promise<void> {
  const { servers } = await ensureImages(['servers']);
  const { key, certificate } = await selfSigned(`neighbour.${space}.svc`);
  const labels = { app: 'neighbour' };
  const env = Object.entries({ KEY: key, CERTIFICATE: certificate }).map(([name, value]) => ({ name, value }));
  const container = {
    name: 'neighbour',
    image: servers,
    imagePullPolicy: 'IfNotPresent',
    command: ['node', '-e', program],
    env,
    readinessProbe: { tcpSocket: { port: 8443 }, periodSeconds: 1 },
    securityContext: containerSecurity,
  };
  const spec = {
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 1,
    securityContext: podSecurity,
    containers: [container],
  };
  await apply([
    { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'neighbour', namespace: space, labels }, spec },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'neighbour', namespace: space },
      spec: { selector: labels, ports: [{ port: 443, targetPort: 8443 }] },
    },
  ]);
  await kubectl('-n', space, 'wait', '--for=condition=Ready', 'pod/neighbour', '--timeout=60s');
  await apply(Object.keys(places).map((place) => configuration(space, place as Place, certificate)));
}

export const stopNeighbour = (): Promise<string> =>
  kubectl('delete', 'mutatingwebhookconfiguration', '--ignore-not-found', ...Object.values(places));

function configuration(space: string, place: Place, certificate: string): object {
  const webhook = (change: Change): object => ({
    name: `${change}.neighbour.test`,
    admissionReviewVersions: ['v1'],
    clientConfig: {
      caBundle: Buffer.from(certificate).toString('base64'),
      service: { name: 'neighbour', namespace: space, path: `/${change}`, port: 443 },
    },
    rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], scope: 'Namespaced' }],
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': space } },
    objectSelector: { matchLabels: neighbourLabel(place, change) },
    failurePolicy: 'Fail',
    sideEffects: 'None',
    reinvocationPolicy: place === 'after' ? 'Never' : 'IfNeeded',
  });
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name: places[place] },
    webhooks: changes.map(webhook),
  };
}

/** A key and a certificate of a day for one name, which is its own authority. */
async function selfSigned(name: string): Promise<{ key: string; certificate: string }> {
  const extensions = ['-addext', `subjectAltName=DNS:${name}`];
  const args = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '1',
    '-subj',
    '/CN=neighbour',
  ];
  const text = await run('openssl', [...args, ...extensions, '-keyout', '-', '-out', '-']);
  const block = (kind: string): string => new RegExp(`-----BEGIN ${kind}-----[^]*-----END ${kind}-----\n`, 'u').exec(text)?.[0] ?? '';
  return { key: block('PRIVATE KEY'), certificate: block('CERTIFICATE') };
}
