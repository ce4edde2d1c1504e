/**
 * Bad input and what is said to it: one table for both twins of each rule. `credential.test.ts` runs it through the schema here,
 * the e2e suite through the API server's CEL.
 */
export interface BadInput {
  name: string;
  /** Merged over a good spec. */
  spec: Record<string, unknown>;
  message: string;
}

export const goodSpec = {
  source: { vault: { path: 'mcp/github', key: 'token' } },
  hosts: ['api.github.com'],
  inject: [{ header: { name: 'Authorization', prefix: 'Bearer ' } }],
  env: [{ name: 'GITHUB_PERSONAL_ACCESS_TOKEN' }],
  podSelector: { matchLabels: { app: 'mcp-github' } },
};

const host = (name: string, text: string, message: string): BadInput => ({ name, spec: { hosts: [text] }, message });
const path = (name: string, text: string, message: string): BadInput => ({
  name,
  spec: { source: { vault: { path: text, key: 'token' } } },
  message,
});
const probe = (name: string, given: object, message: string, spec: object = {}): BadInput => ({
  name,
  spec: { ...spec, rotation: { probe: given } },
  message,
});
const notDns = 'a host is a DNS name, not an IP address';
const notFull = 'a host is a full DNS name such as api.github.com';

/** Merged over a good spec: each of these is taken. */
export const goodInputs: Readonly<Record<string, Record<string, unknown>>> = {
  'a probe that needs a header, and canaries': {
    rotation: { probe: { path: '/v1/users/me', headers: [{ name: 'Notion-Version', value: '2022-06-28' }] }, canaryPods: 2 },
  },
  'a pin on an alias of GCP': { source: { gcpSecretManager: { secret: 'github' } }, version: 'stable-2' },
  'a probe of another of its hosts': {
    hosts: ['*.example.com', 'api.example.com'],
    via: [{ proxy: {} }],
    rotation: { probe: { host: 'api.example.com', path: '/user?fields=login', sameAccountField: 'data.login' } },
  },
  'a grace for a Kubernetes Secret': {
    source: { kubernetesSecret: { name: 'github', key: 'token' } },
    rotation: { graceSeconds: 60 },
  },
  'a pin on a version of Vault': { version: '7' },
  'a secret of AWS by name, pinned to a label': { source: { awsSecretsManager: { secretId: 'mcp/github' } }, version: 'AWSPREVIOUS' },
  'a secret of AWS by ARN, with a key and a role': {
    source: {
      awsSecretsManager: {
        secretId: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:mcp/github-AbCdEf',
        key: 'oauth.token',
        roleARN: 'arn:aws:iam::123456789012:role/mcp/github',
      },
    },
  },
  'a secret of GCP, pinned to an alias': { source: { gcpSecretManager: { secret: 'mcp-github' } }, version: 'prod' },
  'wildcard hosts by the proxy': { hosts: ['*.atlassian.net', 'api.github.com'], via: [{ hosts: {} }, { proxy: { others: 'Refuse' } }] },
  'a base URL with a path': { via: [{ baseUrl: { env: [{ name: 'GITLAB_API_URL', path: '/api/v4' }] } }] },
  'basic authentication, and a key in every call': { inject: [{ basic: {} }, { query: { name: 'key' }, when: 'Always' }] },
  'a user and a password of one secret, in every call and in the probe': {
    source: { vault: { path: 'mcp/jira', key: 'password', userKey: 'login.user' } },
    inject: [{ basic: {}, when: 'Always' }],
    rotation: { probe: { path: '/myself' } },
  },
  'a user and a password of a Kubernetes Secret': {
    source: { kubernetesSecret: { name: 'jira', key: 'password', userKey: 'username' } },
    inject: [{ basic: {} }],
  },
  'a probe by the header beside basic': {
    inject: [{ basic: {} }, { header: { name: 'X-Api-Key' } }],
    rotation: { probe: { path: '/user' } },
  },
  'a field of a body, at the top and within, the probe by the header beside it': {
    inject: [
      { jsonField: { path: 'token' } },
      { jsonField: { path: 'auth.api_key-2' }, when: 'Always' },
      { header: { name: 'X-Api-Key' } },
    ],
    rotation: { probe: { path: '/user' } },
  },
  'calls by method and path': { allow: [{ methods: ['GET', 'HEAD'] }, { methods: ['POST'], pathPrefix: '/projects/a%2Fb/issues' }] },
  'a WebSocket below a path': { allow: [{ pathPrefix: '/api' }, { methods: ['GET'], pathPrefix: '/ws', upgrade: 'WebSocket' }] },
  'a Kubernetes Secret': { source: { kubernetesSecret: { name: 'github', key: 'ca.crt' } } },
};

export const badInputs: readonly BadInput[] = [
  host('a host with a scheme', 'https://api.github.com', 'a host has no scheme'),
  host('a host with a path', 'api.github.com/v1', 'a host has no path'),
  host('a host with a user', 'user@api.github.com', 'a host has no user'),
  host('a wildcard for part of a name', 'api*.github.com', 'a wildcard stands for whole names below a domain'),
  {
    name: 'a wildcard for all of a public suffix',
    spec: { hosts: ['*.com'], via: [{ proxy: {} }] },
    message: 'a wildcard stands for whole names below a domain',
  },
  host('a wildcard in the middle', 'api.*.github.com', 'a wildcard stands for whole names below a domain'),
  host('a wildcard host in the hosts file', '*.github.com', 'a wildcard host cannot stand in a hosts file'),
  { name: 'a way in twice', spec: { via: [{ proxy: {} }, { proxy: { others: 'Refuse' } }] }, message: 'give the way in proxy once' },
  { name: 'two ways in as one', spec: { via: [{ proxy: {}, hosts: {} }] }, message: 'give exactly one way in' },
  {
    name: 'a base URL for two hosts',
    spec: { hosts: ['a.test', 'b.test'], via: [{ baseUrl: { env: [{ name: 'API_URL' }] } }] },
    message: 'a base URL leads to one host',
  },
  {
    name: 'a base URL for a wildcard host',
    spec: { hosts: ['*.a.test'], via: [{ baseUrl: { env: [{ name: 'API_URL' }] } }, { proxy: {} }] },
    message: 'a base URL leads to one host',
  },
  {
    name: 'the path of a base URL with a query',
    spec: { via: [{ baseUrl: { env: [{ name: 'API_URL', path: '/v4?x=1' }] } }] },
    message: 'a path starts with a slash and has no query',
  },
  host('a host in upper case', 'API.github.com', 'write the host in lower case'),
  host('an IPv4 literal', '10.0.0.1', notDns),
  host('an IPv4 literal with a port', '10.0.0.1:8443', notDns),
  host('an IPv6 literal', '::1', notDns),
  host('an IPv6 literal in brackets', '[2001:db8::1]:443', notDns),
  host('a host with a trailing dot', 'api.github.com.', 'a host has no trailing dot'),
  host('a host with port 0', 'api.github.com:0', 'port 0 cannot be called'),
  host('a host with a port too large', 'api.github.com:65536', 'a port is a number from 1 to 65535'),
  host('the pod itself', 'localhost', 'the pod itself and the API server are not upstreams'),
  host('the API server', 'kubernetes.default.svc', 'the pod itself and the API server are not upstreams'),
  host('a single label', 'github', notFull),
  host('a host with a space', 'api github.com', notFull),
  host('a host that is not ASCII', 'bücher.example', notFull),
  path('a path with an empty part', 'mcp//github', 'a path has no empty part'),
  path('a path that climbs', 'mcp/../other', 'a path has no empty part, no . and no ..'),
  path('a path with an escape', 'mcp/%2e%2e/other', 'a path holds letters, digits'),
  path('a path with a query', 'mcp/github?version=1', 'a path holds letters, digits'),
  path('a path with data/', 'data/mcp/github', 'leave out data/ and metadata/'),
  path('a path with a leading slash', '/mcp/github', 'a path starts and ends without a slash'),
  { name: 'no source', spec: { source: {} }, message: 'give exactly one source' },
  {
    name: 'two sources',
    spec: { source: { ...goodSpec.source, kubernetesSecret: { name: 'github', key: 'token' } } },
    message: 'give exactly one source',
  },
  {
    name: 'a key that no Secret has',
    spec: { source: { kubernetesSecret: { name: 'github', key: '../token' } } },
    message: 'a key of a Secret holds letters',
  },
  {
    name: 'a pin on a Kubernetes Secret',
    spec: { source: { kubernetesSecret: { name: 'github', key: 'token' } }, version: '7' },
    message: 'a Kubernetes Secret has no versions',
  },
  { name: 'a pin that is no version of Vault', spec: { version: 'AWSPREVIOUS' }, message: 'a version of a secret in Vault is a number' },
  {
    name: 'a pin on a version that is being made',
    spec: { source: { awsSecretsManager: { secretId: 'mcp/github' } }, version: 'AWSPENDING' },
    message: 'AWSPENDING is a version that does not work yet',
  },
  {
    name: 'a pin on what GCP calls the newest',
    spec: { source: { gcpSecretManager: { secret: 'github' } }, version: 'latest' },
    message: 'a version of a secret in GCP is a number or an alias',
  },
  {
    name: 'a pin that is no version of GCP',
    spec: { source: { gcpSecretManager: { secret: 'github' } }, version: '1.0' },
    message: 'a version of a secret in GCP is a number or an alias',
  },
  { name: 'no place', spec: { inject: [{}] }, message: 'give exactly one place' },
  {
    name: 'two places in one',
    spec: { inject: [{ header: { name: 'X-Key' }, query: { name: 'key' } }] },
    message: 'give exactly one place',
  },
  {
    name: 'basic without a user',
    spec: { inject: [{ basic: {}, when: 'Always' }] },
    message: 'basic needs what the server puts beside the placeholder',
  },
  {
    name: 'a user for a password that is all of the secret',
    spec: { source: { awsSecretsManager: { secretId: 'mcp/jira', userKey: 'user' } }, inject: [{ basic: {} }] },
    message: 'a user stands beside a password',
  },
  {
    name: 'a user in GCP for a password that is all of the secret',
    spec: { source: { gcpSecretManager: { secret: 'jira', userKey: 'user' } }, inject: [{ basic: {} }] },
    message: 'a user stands beside a password',
  },
  {
    name: 'a user that goes nowhere',
    spec: { source: { vault: { path: 'mcp/jira', key: 'password', userKey: 'user' } } },
    message: 'userKey is the user of basic authentication',
  },
  {
    name: 'a user whose key no Secret has',
    spec: { source: { kubernetesSecret: { name: 'jira', key: 'password', userKey: 'a/b' } }, inject: [{ basic: {} }] },
    message: 'a key of a Secret holds letters',
  },
  probe('a probe with nothing but basic', { path: '/user' }, 'a probe has no user to put beside the value', { inject: [{ basic: {} }] }),
  probe('a probe with nothing but a field of a body', { path: '/user' }, 'a probe has no user to put beside the value, and no body', {
    inject: [{ jsonField: { path: 'token' } }],
  }),
  {
    name: 'a field with an empty name on its way',
    spec: { inject: [{ jsonField: { path: 'auth..token' } }] },
    message: 'write the field as names with dots between them',
  },
  {
    name: 'a field of a list',
    spec: { inject: [{ jsonField: { path: 'keys[0]' } }] },
    message: 'write the field as names with dots between them',
  },
  {
    name: 'a field and a header in one place',
    spec: { inject: [{ jsonField: { path: 'token' }, header: { name: 'X-Key' } }] },
    message: 'give exactly one place',
  },
  { name: 'a prefix with a query', spec: { allow: [{ pathPrefix: '/user?a' }] }, message: 'a path prefix starts with a slash' },
  { name: 'a prefix without a slash', spec: { allow: [{ pathPrefix: 'user' }] }, message: 'a path prefix starts with a slash' },
  { name: 'a prefix that climbs', spec: { allow: [{ pathPrefix: '/user/../admin' }] }, message: 'a path prefix has no empty segment' },
  { name: 'a prefix with an empty segment', spec: { allow: [{ pathPrefix: '/user//x' }] }, message: 'a path prefix has no empty segment' },
  {
    name: 'a WebSocket that begins with POST',
    spec: { allow: [{ methods: ['POST'], pathPrefix: '/ws', upgrade: 'WebSocket' }] },
    message: 'a WebSocket begins with GET',
  },
  {
    name: 'a WebSocket whose bytes would be searched',
    spec: { allow: [{ upgrade: 'WebSocket' }], scrubResponses: true },
    message: 'scrubResponses cannot search what a WebSocket carries',
  },
  {
    name: 'a header that frames the request',
    spec: { inject: [{ header: { name: 'Content-Length' } }] },
    message: 'this header frames or routes the request',
  },
  { name: 'a header that is not a token', spec: { inject: [{ header: { name: 'X Key' } }] }, message: 'a header name is a token' },
  {
    name: 'a field without its value',
    spec: { refused: [{ status: 200, jsonField: 'error' }] },
    message: 'give jsonField and equals together',
  },
  probe('a probe without a slash', { path: 'user' }, 'the path of a probe starts with a slash'),
  probe('a probe with a fragment', { path: '/user#me' }, 'the path of a probe starts with a slash'),
  probe('a probe of another host', { path: '/user', host: 'api.gitlab.com' }, 'a probe calls one exact host of hosts'),
  probe('a probe of a wildcard', { path: '/user', host: '*.github.com' }, 'a probe calls one exact host of hosts', {
    hosts: ['api.github.com', '*.github.com'],
    via: [{ proxy: {} }],
  }),
  probe('a probe of hosts that begin with a wildcard', { path: '/user' }, 'a probe calls one exact host of hosts', {
    hosts: ['*.github.com', 'api.github.com'],
    via: [{ proxy: {} }],
  }),
  probe('a field of no body', { path: '/user', method: 'HEAD', sameAccountField: 'login' }, 'the answer to HEAD has no body'),
  {
    name: 'a probe of a Kubernetes Secret',
    spec: { source: { kubernetesSecret: { name: 'github', key: 'token' } }, rotation: { probe: { path: '/user' } } },
    message: 'a Kubernetes Secret has no version that a pod could try',
  },
  {
    name: 'canaries of a Kubernetes Secret',
    spec: { source: { kubernetesSecret: { name: 'github', key: 'token' } }, rotation: { canaryPods: 1 } },
    message: 'a Kubernetes Secret has no version that a pod could try',
  },
  { name: 'an empty selector', spec: { podSelector: {} }, message: 'an empty selector would select every pod' },
  { name: 'an empty set of labels', spec: { podSelector: { matchLabels: {} } }, message: 'an empty selector would select every pod' },
];
