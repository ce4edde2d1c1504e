import { audienceOf, storeSpec } from './store.ts';

const provider = '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k';
const role = 'arn:aws:iam::123456789012:role/mcp';
const aws = { region: 'eu-central-1', roleARN: role, operatorRoleARN: role };
const vault = (auth: object): object => ({ vault: { address: 'https://vault', auth } });

const toVault = { address: 'https://vault', auth: { kubernetes: { role: 'mcp' } } };

const audiences: [string, object | undefined, string][] = [
  ['no store yet', undefined, 'vault'],
  ['Vault by Kubernetes auth', vault({ kubernetes: { role: 'mcp', audience: 'a' } }), 'a'],
  ['Vault by JWT auth', vault({ jwt: { role: 'mcp', audience: 'b' } }), 'b'],
  ['AWS', { awsSecretsManager: aws }, 'sts.amazonaws.com'],
  ['GCP', { gcpSecretManager: { project: 'p', workloadIdentityProvider: provider } }, `https:${provider}`],
  ['GCP with an audience of its own', { gcpSecretManager: { project: 'p', workloadIdentityProvider: provider, audience: 'c' } }, 'c'],
];
test.each(audiences)('the audience of tokens for %s', (_name, spec, audience) => {
  expect(audienceOf(spec === undefined ? undefined : storeSpec.parse(spec))).toBe(audience);
});

const refused: [string, object, RegExp][] = [
  ['two kinds', { ...vault({ jwt: { role: 'mcp' } }), awsSecretsManager: aws }, /give exactly one kind of store/u],
  ['two ways to log in', vault({ jwt: { role: 'mcp' }, kubernetes: { role: 'mcp' } }), /give exactly one auth method/u],
  ['a redirect to a URL', { vault: { ...toVault, redirectHosts: ['https://vault-0'] } }, /without https/u],
  ['a redirect to a host in upper case', { vault: { ...toVault, redirectHosts: ['Vault-0'] } }, /lower case/u],
  ['an endpoint in clear text', { awsSecretsManager: { ...aws, endpoint: 'http://aws' } }, /starts with https/u],
  ['a role that is no ARN', { awsSecretsManager: { ...aws, roleARN: 'mcp' } }, /roleARN/u],
  ['a provider without its place', { gcpSecretManager: { project: 'p', workloadIdentityProvider: 'k' } }, /workloadIdentityProvider/u],
];
test.each(refused)('a store with %s is refused', (_name, spec, message) => {
  expect(JSON.stringify(storeSpec.safeParse(spec).error?.issues)).toMatch(message);
});
