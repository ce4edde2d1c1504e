import type { CredentialStatus } from '@rekey/crds/credential.ts';
import type { Condition } from '@rekey/crds/parts.ts';
import { findCondition } from '../status.ts';
import { decide } from './decide.ts';
import { atSeven, credential, input, movingToEight, now, pod, versions } from './input.fixture.ts';

/** Conditions as "status reason", undefined where there is none, beside what else the case is about. */
interface Expected {
  conditions?: Record<string, string | undefined>;
  message?: RegExp;
  status?: Partial<CredentialStatus>;
}

const failure = (reason: 'SourceUnreachable' | 'SecretNotFound' | 'SourceDenied') => ({ failure: { reason, message: 'what to check' } });
const sevenAndEight = versions({ 7: 'Live', 8: 'Live' });

const older = { ...credential('a-older'), metadata: { ...credential('a-older').metadata, creationTimestamp: '2026-11-22T09:00:00Z' } };

function iso(seconds: number): string {
  return new Date(now.getTime() + seconds * 1000).toISOString();
}

function condition(type: string, status: 'True' | 'False', reason: string): Condition {
  return { type, status, reason, message: '', lastTransitionTime: '2020-01-01T00:00:00Z' };
}

const idle = condition('RestartRequired', 'False', 'NoRestartNeeded');

const cases: Record<string, [Parameters<typeof input>[0], Expected]> = {
  'calls that the upstream accepts make it ready': [{}, { conditions: { Ready: 'True CallsSucceed', Propagated: 'True AllPodsCurrent' } }],
  'nothing is known in the first pass': [
    { status: {}, reading: undefined, pods: [] },
    { conditions: { Ready: 'Unknown Pending', SourceReachable: 'Unknown Pending', Propagated: 'Unknown Pending' } },
  ],
  'a secret that is readable, without pods, is not called ready': [
    { status: {}, pods: [] },
    {
      conditions: { Ready: undefined, Available: 'Unknown NoPods' },
      message: /no running pod of namespace tools matches spec.podSelector app=mcp-github/,
    },
  ],
  'who has not opted the namespace in is told how': [
    { status: {}, pods: [], missed: [{ name: 'a', workload: 'deployment/x', optedIn: false }] },
    {
      conditions: { Ready: 'Unknown NoPods', Available: 'Unknown NoPods', RestartRequired: 'False NoRestartNeeded' },
      message: /kubectl label namespace tools rekey.dev\/injection=enabled && kubectl -n tools rollout restart deployment\/x/,
    },
  ],
  'pods without calls are not called ready': [
    { pods: [pod('a', { version: '7' })] },
    { conditions: { Ready: undefined, Available: 'Unknown NoCallsYet' } },
  ],
  'pods that were made without the credential are missed, not only calls': [
    { status: {}, pods: [], missed: [{ name: 'a', workload: 'deployment/x', optedIn: true }] },
    { conditions: { Ready: 'Unknown NoPods', RestartRequired: 'True RestartRequired' } },
  ],
  'a source that has not answered since the edit is missed, not only calls': [
    { source: 'there', specChanged: true, reading: undefined, pods: [pod('a', { version: '7' })] },
    { conditions: { Ready: 'Unknown NoCallsYet', SourceReachable: 'Unknown Pending' } },
  ],
  'before the matching pods could be listed it is not known what is missed': [
    { pods: [pod('a', { version: '7' })], missed: undefined },
    { conditions: { Ready: 'Unknown NoCallsYet', RestartRequired: undefined } },
  ],
  'a new leader, which has not listed them yet, leaves an idle server as it is': [
    { pods: [pod('a', { version: '7' })], missed: undefined, status: { ...atSeven, conditions: [idle] } },
    { conditions: { Ready: undefined, RestartRequired: 'False NoRestartNeeded' } },
  ],
  'a new leader leaves who has not opted in as it is': [
    {
      pods: [],
      missed: undefined,
      status: { ...atSeven, conditions: [idle, { ...idle, type: 'Ready', status: 'Unknown', reason: 'NoPods' }] },
    },
    { conditions: { Ready: 'Unknown NoPods' } },
  ],
  'the first version is a rotation of its own, complete at once without pods': [
    { status: {}, pods: [] },
    { status: { version: '7', rotation: { phase: 'Complete', trigger: 'Created', startedAt: iso(0), completedAt: iso(0) } } },
  ],
  'a new version at the source starts a rotation': [
    { reading: sevenAndEight },
    {
      conditions: { Propagated: 'False RollingOut', Ready: 'Unknown NoCallsYet', Available: 'Unknown NoCallsYet' },
      status: { version: '8', previousVersion: '7', rotation: { phase: 'RollingOut', trigger: 'SourceChanged', startedAt: iso(0) } },
    },
  ],
  'an edited source starts a rotation by the spec': [
    { reading: sevenAndEight, specChanged: true },
    { status: { version: '8', previousVersion: '7', rotation: { phase: 'RollingOut', trigger: 'SpecChanged', startedAt: iso(0) } } },
  ],
  'the same number at another source is another version: nobody uses it yet': [
    { source: 'there', specChanged: true },
    {
      conditions: { Propagated: 'False RollingOut', Ready: 'Unknown NoCallsYet', Available: 'Unknown NoCallsYet' },
      status: {
        version: '7',
        previousVersion: '7',
        source: 'there',
        rotation: { phase: 'RollingOut', trigger: 'SpecChanged', startedAt: iso(0) },
      },
    },
  ],
  'it is complete once every pod has read it there': [
    {
      source: 'there',
      status: { ...movingToEight, version: '7', source: 'there' },
      pods: [pod('a', { version: '7', acceptedVersion: '7', source: 'there' })],
    },
    { conditions: { Propagated: 'True AllPodsCurrent', Ready: 'True CallsSucceed' }, status: { source: 'there' } },
  ],
  'until another source has answered, the version is of the old one': [
    { source: 'there', reading: undefined },
    { status: { version: '7', source: 'here', rotation: atSeven.rotation } },
  ],
  'a status from before sources were told apart takes the source without a rotation': [
    { status: { ...atSeven, source: undefined } },
    { conditions: { Propagated: 'True AllPodsCurrent' }, status: { source: 'here', rotation: atSeven.rotation } },
  ],
  'a pin to an older version is a rotation back': [
    { status: { ...atSeven, version: '8' }, spec: { version: '7' }, reading: sevenAndEight, pods: [] },
    { status: { version: '7', previousVersion: '8', rotation: expect.objectContaining({ trigger: 'VersionPinned', phase: 'Complete' }) } },
  ],
  'taking the pin away is a rotation forward': [
    {
      status: { version: '7', rotation: { phase: 'Complete', trigger: 'VersionPinned', startedAt: iso(-9) } },
      reading: sevenAndEight,
      specChanged: true,
    },
    { status: { version: '8', rotation: expect.objectContaining({ trigger: 'VersionUnpinned' }) } },
  ],
  'a pin to a version that does not exist keeps the last good one': [
    { spec: { version: '9' }, reading: sevenAndEight },
    {
      conditions: { Ready: 'False VersionNotFound', Propagated: 'False VersionNotFound', SourceReachable: 'True MetadataRead' },
      message: /version 9 of kv\/mcp\/github, which spec.version names, does not exist: .*\(8, 7\)/,
      status: { version: '7' },
    },
  ],
  'a pin to a deleted version keeps the last good one': [
    { spec: { version: '6' }, reading: versions({ 6: 'Deleted', 7: 'Live' }) },
    {
      conditions: { Ready: 'False VersionDeleted', Propagated: 'False VersionDeleted' },
      message: /version 6 of kv\/mcp\/github, which spec.version names, was deleted: restore it, set spec.version to a usable one \(7\)/,
      status: { version: '7', rotation: atSeven.rotation },
    },
  ],
  'a pin to a destroyed version keeps the last good one': [
    { spec: { version: '6' }, reading: versions({ 6: 'Destroyed', 7: 'Live' }) },
    { conditions: { Ready: 'False VersionDestroyed' }, status: { version: '7' } },
  ],
  'usable versions are named newest first, as numbers': [
    { spec: { version: '1' }, reading: versions({ 1: 'Destroyed', 9: 'Live', 10: 'Live' }) },
    { message: /\(10, 9\)/ },
  ],
  'a pin to nothing at another source leaves the version with the old one': [
    { spec: { version: '9' }, source: 'there', specChanged: true },
    { conditions: { Ready: 'False VersionNotFound' }, status: { version: '7', source: 'here' } },
  ],
  'a pin where there are no versions is refused, and what is used stays': [
    { spec: { version: '7' }, polled: false, status: { ...atSeven, version: 'aaaa' }, reading: versions({ aaaa: 'Live', bbbb: 'Live' }) },
    {
      conditions: { Ready: 'False VersionNotFound' },
      message: /kv\/mcp\/github keeps no versions, so spec.version cannot name one: leave it out/,
      status: { version: 'aaaa' },
    },
  ],
  'where only pods read, they tell what is newest': [
    { polled: false, reading: versions({ aaaa: 'Live', bbbb: 'Live' }), pods: [pod('a', { version: 'bbbb' })] },
    { conditions: { SourceReachable: 'True ReadByPods' }, status: { version: 'bbbb' } },
  ],
  'where only pods read, and there are none yet': [
    { polled: false, status: {}, reading: undefined, pods: [] },
    { conditions: { Ready: 'Unknown NoPods', SourceReachable: 'Unknown Pending' }, message: /pods read kv\/mcp\/github themselves/ },
  ],
  'where only pods read, a store that is gone is gone': [
    { polled: false, store: 'NotFound', reading: undefined },
    { conditions: { Ready: 'False StoreNotFound', SourceReachable: 'False StoreNotFound' } },
  ],
  'a pin to a disabled version keeps the last good one': [
    { spec: { version: '6' }, reading: versions({ 6: 'Disabled', 7: 'Live' }) },
    { conditions: { Ready: 'False VersionDisabled' }, status: { version: '7' } },
  ],
  'a pin to a label is one to the version that has it': [
    {
      spec: { version: 'AWSPREVIOUS' },
      reading: { versions: { current: '8', states: { 6: 'Live', 8: 'Live' }, aliases: { AWSPREVIOUS: '6', AWSCURRENT: '8' } } },
    },
    { status: { version: '6', place: 'kv/mcp/github' } },
  ],
  'a pin to a label that no version has keeps the last good one, and the labels that there are come first': [
    {
      spec: { version: 'AWSPREVIOUS' },
      reading: { versions: { current: '7', states: { 7: 'Live' }, aliases: { AWSCURRENT: '7' } } },
    },
    {
      conditions: { Ready: 'False VersionNotFound', Propagated: 'False VersionNotFound' },
      message: /version AWSPREVIOUS of kv\/mcp\/github, which spec.version names, does not exist: .*\(AWSCURRENT, 7\)/,
      status: { version: '7' },
    },
  ],
  'a pin to an id that the source has forgotten keeps the last good one': [
    {
      spec: { version: 'cccccccc-0000-4000-8000-000000000000' },
      status: { ...atSeven, version: 'aaaa' },
      reading: {
        versions: { current: 'bbbb', states: { aaaa: 'Live', bbbb: 'Live' }, aliases: { AWSPREVIOUS: 'aaaa', AWSCURRENT: 'bbbb' } },
      },
    },
    { conditions: { Ready: 'False VersionNotFound' }, message: /\(AWSPREVIOUS, AWSCURRENT, bbbb/, status: { version: 'aaaa' } },
  ],
  'a newest version that was deleted keeps the last good one and says so': [
    { reading: versions({ 7: 'Live', 8: 'Deleted' }) },
    { conditions: { Ready: 'False VersionDeleted', Propagated: 'False VersionDeleted' }, status: { version: '7' } },
  ],
  'a rotation is complete once every pod uses the version': [
    { status: movingToEight, reading: sevenAndEight, pods: [pod('a', { version: '8' }), pod('b', { version: '8', acceptedVersion: '8' })] },
    {
      conditions: { Propagated: 'True AllPodsCurrent', Ready: 'True CallsSucceed' },
      status: {
        rotation: { phase: 'Complete', trigger: 'SourceChanged', startedAt: iso(-10), completedAt: iso(0) },
        history: [{ version: '8', at: iso(-10), trigger: 'SourceChanged', durationMilliseconds: 10_000, result: 'Complete' }],
      },
    },
  ],
  'a pod that has not reported holds the rotation': [
    {
      status: movingToEight,
      reading: sevenAndEight,
      pods: ['e', 'd', 'c', 'b', 'a'].map((name) => pod(name, name === 'a' ? { version: '8' } : undefined)),
    },
    {
      conditions: { Propagated: 'False RollingOut' },
      message: /^1 of 5 pods use version 8; waiting for b, c, d \(\+1\)$/,
      status: { pods: { bound: 5, current: 1, failing: 0, summary: '1/5' } },
    },
  ],
  'a rotation that another one overtakes is recorded as superseded': [
    { status: movingToEight, reading: versions({ 8: 'Live', 9: 'Live' }) },
    {
      status: {
        version: '9',
        previousVersion: '8',
        history: [{ version: '8', at: iso(-10), trigger: 'SourceChanged', durationMilliseconds: 10_000, result: 'Superseded' }],
      },
    },
  ],
  'one failing pod makes it not ready, with the reason that most of them give': [
    {
      pods: [
        pod('a', { version: '7', acceptedVersion: '7' }),
        pod('b', { version: '7', reason: 'CredentialRefused', message: 'api.github.com answers 401\u001B[31m\nto version 7' }),
        pod('c', { version: '7', reason: 'CredentialRefused' }),
        pod('d', { reason: 'Alone' }),
      ],
    },
    {
      conditions: { Ready: 'False CredentialRefused' },
      message: /^2 of 4 pods: api.github.com answers 401 \[31m to version 7 \(b, c\)$/,
      status: { pods: { bound: 4, current: 3, failing: 3, summary: '3/4' } },
    },
  ],
  'calls that succeed with the version before only are no failure, and said': [
    {
      pods: [
        pod('a', { version: '7', reason: 'NewVersionRefused', message: 'calls fall back to version 6' }),
        pod('b', { version: '7', reason: 'NewVersionRefused' }),
      ],
    },
    {
      conditions: { Ready: 'True NewVersionRefused' },
      message: /^2 of 2 pods: calls fall back to version 6 \(a, b\)$/,
      status: { pods: { bound: 2, current: 2, failing: 0, summary: '2/2' } },
    },
  ],
  'but calls that fail are one': [
    { pods: [pod('a', { version: '7', reason: 'NewVersionRefused' }), pod('b', { version: '7', reason: 'CredentialRefused' })] },
    { conditions: { Ready: 'False CredentialRefused' } },
  ],
  'a reason that only a newer sidecar knows is still a reason': [
    { pods: [pod('a', { version: '7', reason: 'MoonPhase' })] },
    { conditions: { Ready: 'False Unknown' } },
  ],
  "an outage of the operator's own poll changes nothing while calls succeed": [
    { reading: failure('SourceUnreachable') },
    { conditions: { Ready: 'True CallsSucceed', SourceReachable: 'False SourceUnreachable', Propagated: 'True AllPodsCurrent' } },
  ],
  'an outage before the first call is why it is not ready': [
    { status: {}, reading: failure('SourceUnreachable'), pods: [] },
    { conditions: { Ready: 'False SourceUnreachable', Propagated: 'Unknown Pending' } },
  ],
  'a secret that is gone is gone, whatever the pods still report': [
    { reading: failure('SecretNotFound') },
    { conditions: { Ready: 'False SecretNotFound', SourceReachable: 'True MetadataRead' }, status: { version: '7' } },
  ],
  'the kill switch is above all': [
    { spec: { suspend: true }, reading: failure('SecretNotFound') },
    { conditions: { Ready: 'False Suspended' }, message: /set it to false to resume/ },
  ],
  'a store that is not there': [
    { store: 'NotFound', reading: undefined },
    { conditions: { Ready: 'False StoreNotFound', SourceReachable: 'False StoreNotFound' } },
  ],
  'a store that does not allow the namespace': [{ store: 'NotAllowed' }, { conditions: { Ready: 'False StoreNotAllowed' } }],
  'pods that were created before the credential have to be restarted': [
    { missed: ['b', 'a'].map((name) => ({ name, workload: 'deployment/mcp-github', optedIn: true })) },
    {
      conditions: { Ready: 'True CallsSucceed', RestartRequired: 'True RestartRequired' },
      message:
        /^2 pods match and were created without the credential \(a, b\). Run: kubectl -n tools rollout restart deployment\/mcp-github$/,
    },
  ],
  'pods that were created before a host have to be restarted': [
    { spec: { hosts: ['api.github.com', 'uploads.github.com'] } },
    { conditions: { RestartRequired: 'True RestartRequired' }, message: /1 pod was created before host uploads.github.com \(a\)/ },
  ],
  'pods that were created before a variable have to be restarted': [
    { spec: { env: [{ name: 'GITHUB_PERSONAL_ACCESS_TOKEN' }, { name: 'GH_TOKEN' }] } },
    { conditions: { RestartRequired: 'True RestartRequired' }, message: /1 pod was created before variable GH_TOKEN \(a\)/ },
  ],
  'pods that no allowed way in leads to the sidecar of have to be restarted': [
    { spec: { via: [{ proxy: { others: 'Tunnel' } }, { baseUrl: { env: [{ name: 'API_URL', path: '' }] } }] } },
    { conditions: { RestartRequired: 'True RestartRequired' }, message: /created before the way in proxy or baseUrl \(a\)/ },
  ],
  'pods with one of the allowed ways in go on as they are': [
    { spec: { via: [{ proxy: { others: 'Tunnel' } }, { hosts: {} }] } },
    { conditions: { RestartRequired: 'False NoRestartNeeded' } },
  ],
  'pods whose volume lacks the user of a Secret have to be restarted': [
    {
      spec: { source: { kubernetesSecret: { name: 'jira', key: 'password', userKey: 'username' } } },
      pods: [{ ...pod('a', { version: '7' }), injected: { ...pod('a').injected, secrets: ['jira/password'] } }],
    },
    {
      conditions: { RestartRequired: 'True RestartRequired' },
      message: /created before the volume with key password and username of Secret jira \(a\)/,
    },
  ],
  'pods without a token for another store have to be restarted': [
    { spec: { storeRef: { name: 'other' } } },
    { conditions: { RestartRequired: 'True RestartRequired' }, message: /created before the token for store other \(a\)/ },
  ],
  'pods with a token for another audience have to be restarted': [
    { audience: 'openbao' },
    { conditions: { RestartRequired: 'True RestartRequired' }, message: /created before the token for store default \(a\)/ },
  ],
  'without a store it is not known which token it wants': [
    { store: 'NotFound', audience: undefined },
    { conditions: { RestartRequired: 'False NoRestartNeeded' } },
  ],
  'when the pods could not be listed the old answer stands': [
    { missed: undefined, status: { ...atSeven, conditions: [condition('RestartRequired', 'True', 'RestartRequired')] } },
    { conditions: { RestartRequired: 'True RestartRequired' } },
  ],
  'a younger credential for the same host of the same pod is refused, and a restart would not help it': [
    { siblings: [older], missed: [{ name: 'a', optedIn: true }] },
    {
      conditions: { Ready: 'False HostConflict', RestartRequired: 'False NoRestartNeeded' },
      message: /the older MCPCredential a-older is for api.github.com/,
    },
  ],
};

test.each(Object.entries(cases))('%s', (_sentence, [change, expected]) => {
  const status = decide(input(change), now);
  const said = Object.fromEntries((status.conditions ?? []).map(({ type, status: value, reason }) => [type, `${value} ${reason}`]));
  const { conditions = {} } = expected;
  expect(Object.fromEntries(Object.keys(conditions).map((type) => [type, said[type]]))).toEqual(conditions);
  expect(status).toMatchObject(expected.status ?? {});
  const messages = (status.conditions ?? []).map(({ message }) => message);
  expect(messages.some((message) => (expected.message ?? /./).test(message))).toBe(true);
});

test('deciding again on what was decided changes nothing', () => {
  const first = decide(input({ reading: sevenAndEight }), now);
  const later = new Date(now.getTime() + 60_000);
  expect(decide(input({ reading: sevenAndEight, status: first }), later)).toEqual(first);
});

test('the time of a condition moves with its status, not with its message', () => {
  const before = [condition('Ready', 'True', 'Other'), condition('Propagated', 'False', 'RollingOut')];
  const { conditions } = decide(input({ status: { ...atSeven, conditions: before } }), now);
  expect(findCondition(conditions, 'Ready')).toMatchObject({ lastTransitionTime: '2020-01-01T00:00:00Z', observedGeneration: 2 });
  expect(findCondition(conditions, 'Propagated')).toMatchObject({ lastTransitionTime: '2026-11-22T12:00:10Z', observedGeneration: 2 });
});

test('history keeps ten rotations, newest first', () => {
  const entry = { version: '1', at: iso(-99), trigger: 'SourceChanged', durationMilliseconds: 1, result: 'Complete' } as const;
  const { history = [] } = decide(
    input({ status: { ...movingToEight, history: Array.from({ length: 10 }, () => entry) }, reading: sevenAndEight, pods: [] }),
    now,
  );
  expect(history.map(({ version }) => version)).toEqual(['8', ...Array<string>(9).fill('1')]);
});
