import { credentialSpec, placeholders } from './credential.ts';
import { badInputs, goodInputs, goodSpec } from './rules.table.ts';
import { splitHost } from './host.ts';

test('a good spec gets its defaults', () => {
  expect(credentialSpec.parse(goodSpec)).toMatchObject({
    storeRef: { name: 'default' },
    version: '',
    refused: [{ status: 401 }],
    cacheTTLSeconds: 60,
    maxStaleSeconds: 300,
    suspend: false,
  });
});

test.each(badInputs)('$name is refused with its own message', ({ spec, message }) => {
  const result = credentialSpec.safeParse({ ...goodSpec, ...spec });
  const messages = result.success ? [] : result.error.issues.map((issue) => issue.message);
  expect(messages).toEqual([expect.stringContaining(message)]);
});

test.each(Object.entries(goodInputs))('%s is taken', (_name, spec) => {
  expect(credentialSpec.safeParse({ ...goodSpec, ...spec }).error).toBeUndefined();
});

test.each(['api.github.com', 'a-b.example.co:8443', 'x.svc.cluster.local:65535', '1password.example.com'])('%s is a host', (host) => {
  expect(credentialSpec.safeParse({ ...goodSpec, hosts: [host] }).success).toBe(true);
});

test('the port of a host is 443 unless it says otherwise', () => {
  expect(splitHost('api.github.com')).toEqual({ name: 'api.github.com', port: 443 });
  expect(splitHost('gitlab.example.com:8443')).toEqual({ name: 'gitlab.example.com', port: 8443 });
});

test('every placeholder of a credential is known, its default too', () => {
  expect(placeholders('slack', { env: [{ name: 'A' }, { name: 'B', placeholder: 'xoxb-placeholder' }] })).toEqual([
    'rekey-placeholder-slack',
    'xoxb-placeholder',
  ]);
});
