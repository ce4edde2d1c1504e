import type { Credential, CredentialStatus } from '@rekey/crds/credential.ts';
import { credentialSpec } from '@rekey/crds/credential.ts';
import type { CredentialSpec } from '@rekey/crds/credential.ts';
import { goodSpec } from '@rekey/crds/rules.table.ts';
import type { VersionState } from '../poll/poll.ts';
import type { BoundPod, Input, Reading } from './input.ts';

export const now = new Date('2026-11-22T12:00:10.500Z');

export const versions = (states: Record<string, VersionState>): Reading => ({
  versions: { current: Object.keys(states).at(-1) ?? '', states },
});

export const credential = (name: string, spec: Partial<CredentialSpec> = {}, status?: CredentialStatus): Credential => ({
  metadata: { name, namespace: 'tools', generation: 2, creationTimestamp: '2026-11-22T10:00:00Z' },
  spec: { ...credentialSpec.parse(goodSpec), ...spec },
  ...(status === undefined ? {} : { status }),
});

/** A pod of deployment/mcp-github whose sidecar reports this. */
export const pod = (name: string, use?: Partial<NonNullable<BoundPod['use']>>): BoundPod => ({
  name,
  labels: { app: 'mcp-github' },
  injected: {
    hosts: ['api.github.com'],
    ways: ['hosts'],
    env: goodSpec.env.map(({ name: variable }) => variable),
    audiences: { default: 'vault' },
    secrets: [],
  },
  workload: 'deployment/mcp-github',
  use: use === undefined ? undefined : { name: 'github', source: 'here', since: '2026-11-22T12:00:00Z', ...use },
});

/** A fleet that rests at version 7, with what differs. */
export const input = (change: Partial<Input> & { spec?: Partial<CredentialSpec>; status?: CredentialStatus } = {}): Input => {
  const { spec, status = atSeven, ...rest } = change;
  return {
    credential: credential('github', spec, status),
    siblings: [],
    store: 'Found',
    place: 'kv/mcp/github',
    source: 'here',
    polled: true,
    audience: 'vault',
    reading: versions({ 7: 'Live' }),
    pods: [pod('a', { version: '7', acceptedVersion: '7' })],
    starting: [],
    missed: [],
    specChanged: false,
    ...rest,
  };
};

export const atSeven: CredentialStatus = {
  version: '7',
  source: 'here',
  rotation: { phase: 'Complete', trigger: 'Created', startedAt: '2026-11-22T11:00:00.000Z', completedAt: '2026-11-22T11:00:01.000Z' },
};

/** In the middle of a rotation from 7 to 8 that began ten seconds ago. */
export const movingToEight: CredentialStatus = {
  version: '8',
  previousVersion: '7',
  source: 'here',
  rotation: { phase: 'RollingOut', trigger: 'SourceChanged', startedAt: '2026-11-22T12:00:00.500Z' },
};
