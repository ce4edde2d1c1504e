import { credentialSpec } from './credential.ts';
import { goodSpec } from './rules.table.ts';
import { snapshotOf } from './snapshot.ts';

test('a version goes into the snapshot with what it is a version of: the source may have been edited since', () => {
  const metadata = { name: 'github', namespace: 'tools' };
  const credential = { metadata, spec: credentialSpec.parse(goodSpec), status: { version: '7', source: '0123456789ab' } };
  const { credentials } = snapshotOf([{ credential, ways: [] }], []);
  expect(credentials[0]).toMatchObject({ version: '7', source: '0123456789ab' });
});
