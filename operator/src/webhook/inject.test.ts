import type { Credential } from '@rekey/crds/credential.ts';
import { credentialSpec } from '@rekey/crds/credential.ts';
import { storeSpec } from '@rekey/crds/store.ts';
import type { Context } from './inject.ts';
import { inject } from './inject.ts';
import { patchOf } from './patch.ts';
import type { Container, Pod } from './pod.ts';
import { allContainers } from './pod.ts';

const runs = 1000;
const context: Context = {
  namespaceLabels: { 'rekey.dev/injection': 'enabled' },
  credentials: [
    credential('github', ['api.github.com'], 'GITHUB_TOKEN', '1'),
    credential('git', ['git.example.com:8443'], 'GIT_TOKEN', '2'),
  ],
  stores: [],
  settings: {
    image: 'sidecar',
    imagePullPolicy: 'IfNotPresent',
    resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '64Mi' } },
    extraCA: '',
    sysctls: true,
    logLevel: 'info',
    auditOTLP: '',
  },
};

function credential(name: string, hosts: string[], env: string, day: string): Credential {
  const spec = credentialSpec.parse({
    source: { vault: { path: name, key: 'token' } },
    hosts,
    inject: [{ query: { name: 'key' } }],
    env: [{ name: env }],
    podSelector: { matchLabels: { [name]: 'yes' } },
  });
  return { metadata: { name, namespace: 'tools', creationTimestamp: `2026-11-0${day}T00:00:00Z` }, spec };
}

describe('any pod', () => {
  const pods = Array.from({ length: runs }, (_, seed) => randomPod(mulberry32(seed)));
  const outcomes = pods.map((pod) => ({ pod, outcome: inject(pod, context) }));
  const injected = outcomes.flatMap(({ pod, outcome }) => (outcome.kind === 'injected' ? [{ pod, result: outcome.pod }] : []));

  test('meets every kind of outcome, so that the others below say something', () => {
    const kinds = new Set(outcomes.map(({ outcome }) => (outcome.kind === 'refused' ? outcome.refusal.reason : outcome.kind)));
    expect([...kinds].toSorted()).toEqual(
      [
        'HostAliasTaken',
        'HostNetwork',
        'NameTaken',
        'NoCredential',
        'PodInvalid',
        'PortTaken',
        'SharedProcessNamespace',
        'TrustVariableTaken',
      ].concat(['injected', 'none', 'untouched']),
    );
    expect(injected.length).toBeGreaterThan(runs / 10);
  });

  test('injected twice is injected once', () => {
    for (const { result } of injected) expect(inject(result, context)).toMatchObject({ kind: 'injected', pod: result });
  });

  test('injected twice needs no second patch', () => {
    for (const { result } of injected) {
      const again = inject(result, context);
      expect('pod' in again && patchOf(result, again.pod)).toEqual([]);
    }
  });

  test('keeps every field that is not ours', () => {
    for (const { pod, result } of injected) expect(withoutOurs(result)).toEqual(withoutOurs(pod));
  });

  test('has one sidecar, first and restarted always, and unique names', () => {
    for (const { result } of injected) {
      const names = allContainers(result.spec).map(({ name }) => name);
      const volumes = (result.spec.volumes ?? []).map(({ name }) => name);
      expect(result.spec.initContainers?.[0]).toMatchObject({ name: 'rekey', restartPolicy: 'Always' });
      expect(new Set(names).size).toBe(names.length);
      expect(new Set(volumes).size).toBe(volumes.length);
    }
  });

  test('every container but the sidecar has each placeholder and trust variable, and reads the bundle', () => {
    for (const { pod, result } of injected) {
      const wanted = Object.keys(pod.metadata.labels ?? {}).filter((key) => key === 'github' || key === 'git');
      for (const { env = [], volumeMounts = [] } of allContainers(result.spec).slice(1)) {
        for (const name of wanted) expect(env).toContainEqual({ name: `${name.toUpperCase()}_TOKEN`, value: `rekey-placeholder-${name}` });
        expect(env).toContainEqual({ name: 'SSL_CERT_FILE', value: '/run/rekey/trust/bundle.pem' });
        expect(volumeMounts).toContainEqual({ name: 'rekey-trust', mountPath: '/run/rekey/trust', readOnly: true });
      }
    }
  });
});

test('a pod whose annotations would not fit is refused, since the API server would', () => {
  const vault = { address: 'https://vault.test', caBundle: 'x'.repeat(65_536), auth: { kubernetes: { role: 'mcp' } } };
  const many = Array.from({ length: 4 }, (_, index) => ({
    credential: credential(`github-${index}`, [`host-${index}.test`], `TOKEN_${index}`, '1'),
    store: { metadata: { name: `store-${index}` }, spec: storeSpec.parse({ vault }) },
  }));
  const credentials = many.map(({ credential: one, store }) => {
    const podSelector = { matchLabels: { app: 'x' } };
    return { ...one, spec: { ...one.spec, podSelector, storeRef: { name: store.metadata.name } } };
  });
  const pod = { metadata: { labels: { app: 'x' } }, spec: { containers: [{ name: 'server' }] } };
  const outcome = (count: number): object =>
    inject(pod, { ...context, credentials: credentials.slice(0, count), stores: many.map(({ store }) => store) });
  expect(outcome(3)).toMatchObject({ kind: 'injected' });
  expect(outcome(4)).toMatchObject({ kind: 'refused', refusal: { reason: 'PodInvalid' } });
});

/** The pod with all that an injection may write cut out of it, and empty lists gone. */
function withoutOurs(pod: Pod): unknown {
  const { labels, annotations, ...metadata } = pod.metadata;
  const { initContainers = [], containers, volumes = [], hostAliases = [], securityContext, ...spec } = pod.spec;
  const { sysctls, ...security } = securityContext ?? {};
  return {
    ...pod,
    metadata: { ...metadata, labels: omit(labels, 'rekey.dev/injected'), annotations: omit(annotations, 'rekey.dev/snapshot') },
    spec: {
      ...spec,
      initContainers: initContainers.filter(({ name }) => name !== 'rekey').map(withoutOursIn),
      containers: containers.map(withoutOursIn),
      volumes: volumes.filter(({ name }) => !name.startsWith('rekey-')),
      aliases: hostAliases.flatMap(({ ip, hostnames = [] }) => hostnames.filter((name) => !ours.has(name)).map((name) => `${ip} ${name}`)),
      security,
      sysctls: (sysctls ?? []).filter(({ name }) => name !== 'net.ipv4.ip_unprivileged_port_start'),
    },
  };
}

const ours = new Set(['api.github.com', 'git.example.com']);
const variables = new Set(
  ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE', 'GIT_SSL_CAINFO', 'AWS_CA_BUNDLE', 'DENO_CERT'].concat([
    'GITHUB_TOKEN',
    'GIT_TOKEN',
  ]),
);

function withoutOursIn({ env = [], volumeMounts = [], ...container }: Container): unknown {
  return {
    ...container,
    env: env.filter(({ name }) => !variables.has(name)),
    volumeMounts: volumeMounts.filter(({ name }) => name !== 'rekey-trust'),
  };
}

function omit(map: Record<string, string> | undefined, name: string): Record<string, string> {
  return Object.fromEntries(Object.entries(map ?? {}).filter(([key]) => key !== name));
}

type Random = () => number;

/** A small generator of 32-bit state, so that a failing seed can be run again (public domain, Tommy Ettinger). */
function mulberry32(seed: number): Random {
  let state = seed + 1;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[Math.floor(random() * choices.length)] as T;
}

function some<T>(random: Random, most: number, make: (index: number) => T): T[] {
  return Array.from({ length: Math.floor(random() * (most + 1)) }, (_, index) => make(index));
}

/** The fields, each there as often as not (or with the given chance). */
function maybe<T extends object>(random: Random, fields: T, chance = 0.5): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(() => random() < chance)) as Partial<T>;
}

function randomPod(random: Random): Pod {
  const labels = {
    ...maybe(random, { github: 'yes', git: 'yes', app: 'x' }),
    ...maybe(random, { 'rekey.dev/inject': pick(random, ['true', 'false', 'maybe']) }, 0.3),
  };
  const foreign = maybe(random, {
    restartPolicy: 'Never',
    nodeSelector: { disk: 'ssd' },
    tolerations: [{ operator: 'Exists' }],
    volumes: [{ name: 'data', emptyDir: {} }],
    volumes2: [],
  });
  const awkward = maybe(random, { hostNetwork: true, shareProcessNamespace: true, resources: { limits: { cpu: '1' } } }, 0.08);
  const context = maybe(
    random,
    {
      runAsUser: pick(random, [0, 1000, 65_532]),
      fsGroup: 1,
      sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: pick(random, ['0', '443', '1024']) }],
    },
    0.3,
  );
  const aliases = some(random, 3, (): { ip: string; hostnames?: string[] } => ({
    ip: pick(random, ['127.0.0.1', '::1', '10.0.0.1']),
    ...maybe(random, { hostnames: some(random, 2, () => pick(random, ['a.test', 'b.test', 'c.test', 'd.test', 'api.github.com'])) }),
  }));
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...maybe(random, { name: 'x', generateName: 'x-', annotations: { note: 'kept' } }), labels },
    spec: {
      ...foreign,
      ...awkward,
      ...maybe(random, {
        securityContext: context,
        hostAliases: aliases,
        initContainers: some(random, 2, (index) => randomContainer(random, `init-${index}`)),
      }),
      containers:
        random() < 0.03 ? [] : [randomContainer(random, 'server'), ...some(random, 2, (index) => randomContainer(random, `more-${index}`))],
    },
  };
}

function randomContainer(random: Random, usual: string): Container {
  const name = random() < 0.02 ? 'rekey' : usual;
  const names = ['A', 'B', 'GITHUB_TOKEN', 'GIT_TOKEN', ...(random() < 0.1 ? ['SSL_CERT_FILE'] : [])];
  const variable = (): { name: string } & object => ({
    name: pick(random, names),
    ...pick(random, [{ value: 'x' }, { valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }, {}]),
  });
  return {
    name,
    image: 'x',
    ...maybe(random, {
      env: some(random, 4, variable),
      volumeMounts: [{ name: 'data', mountPath: '/data' }],
      ports: [{ containerPort: pick(random, [80, 3000, 8080, 8443, 9000, 9001, 9002]) }],
      resources: { limits: { cpu: '1', memory: '1Gi' }, ...maybe(random, { requests: { cpu: '1000m', memory: '1024Mi' } }) },
      restartPolicy: 'Always',
      securityContext: { runAsUser: 1000 },
      command: ['x'],
      lifecycle: { preStop: { sleep: { seconds: 1 } } },
    }),
  };
}
