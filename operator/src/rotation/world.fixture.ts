import type { Use } from '@rekey/crds/binding.ts';
import type { Credential, CredentialSpec, CredentialStatus } from '@rekey/crds/credential.ts';
import { credentialSpec } from '@rekey/crds/credential.ts';
import { goodSpec } from '@rekey/crds/rules.table.ts';
import { decide } from '../decide/decide.ts';
import { pod as bound } from '../decide/input.fixture.ts';
import type { Input } from '../decide/input.ts';
import type { VersionState } from '../poll/poll.ts';

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

interface ModelPod {
  /** The status that its sidecar has seen last. */
  seen: CredentialStatus;
  version: string | undefined;
  accepted: string | undefined;
  refused: string | undefined;
  /** Versions of calls that are under way. */
  calls: string[];
  probe: Use['probe'];
  /** What its binding says. */
  use: Use | undefined;
}

/** A source, an upstream, sidecars that follow the protocol at their own pace, and an operator that remembers nothing but the status. */
export class World {
  now = Date.parse('2026-11-25T12:00:00Z');
  versions: { state: VersionState; good: boolean }[] = [{ state: 'Live', good: true }];
  credential: Credential;
  pods = new Map<string, ModelPod>();
  #names = 0;

  constructor(rotation: object | undefined) {
    const spec: CredentialSpec = credentialSpec.parse({ ...goodSpec, ...(rotation === undefined ? {} : { rotation }) });
    this.credential = { metadata: { name: 'github', namespace: 'tools', generation: 1 }, spec };
  }

  get status(): CredentialStatus {
    return this.credential.status ?? {};
  }

  get newest(): string {
    return String(this.versions.length);
  }

  isGood(version: string | undefined): boolean {
    return version !== undefined && this.versions[Number(version) - 1]?.good === true;
  }

  isLive(version: string | undefined): boolean {
    return version !== undefined && this.versions[Number(version) - 1]?.state === 'Live';
  }

  addPod(): void {
    const empty = { accepted: undefined, refused: undefined, calls: [], probe: undefined, use: undefined };
    this.pods.set(`p${(this.#names += 1)}`, { seen: this.status, version: undefined, ...empty });
  }

  /** What the sidecar does with what it has been told (`resource.ts` there): it reads a version, and tries the one that it is asked about. */
  read(name: string): void {
    const pod = this.pods.get(name);
    if (pod === undefined) return;
    const wanted = toldExactly(name, pod.seen) ?? this.newest;
    if (this.isLive(wanted)) pod.version = wanted;
    const { rotation } = pod.seen;
    if (rotation?.phase === 'Probing' && rotation.pods?.includes(name) === true) this.#probe(pod, rotation);
  }

  #probe(pod: ModelPod, { candidate = '', startedAt }: NonNullable<CredentialStatus['rotation']>): void {
    const outcome = this.isLive(candidate) ? (this.isGood(candidate) ? 'Accepted' : 'Refused') : 'Failed';
    pod.probe = { version: candidate, startedAt, outcome };
  }

  /** A call begins; one that is refused tries the newest. */
  call(name: string): void {
    const pod = this.pods.get(name);
    if (pod?.version === undefined) return;
    if (!this.isGood(pod.version)) {
      pod.refused = pod.version;
      if (this.isLive(this.newest)) pod.version = this.newest;
    }
    pod.calls.push(pod.version);
    if (this.isGood(pod.version)) pod.accepted = pod.version;
    else pod.refused = pod.version;
  }

  report(name: string): void {
    const pod = this.pods.get(name);
    if (pod === undefined) return;
    const { version, accepted, refused, calls, probe } = pod;
    const holds = [...new Set([...calls, toldExactly(name, pod.seen)])].filter((one) => one !== undefined && one !== version) as string[];
    const use: Use = { name: 'github', source: 'here', since: new Date(this.now).toISOString() };
    if (version !== undefined) use.version = version;
    if (accepted !== undefined) use.acceptedVersion = accepted;
    if (holds.length > 0) use.holds = holds;
    if (probe !== undefined) use.probe = probe;
    if (refused !== undefined && refused === version) use.reason = 'CredentialRefused';
    pod.use = use;
  }

  input(): Input {
    const states = Object.fromEntries(this.versions.map(({ state }, index) => [String(index + 1), state]));
    const all = [...this.pods];
    return {
      credential: this.credential,
      siblings: [],
      store: 'Found',
      place: 'kv/mcp/github',
      source: 'here',
      polled: true,
      audience: 'vault',
      reading: { versions: { current: this.newest, states } },
      pods: all.flatMap(([name, { use }]) => (use === undefined ? [] : [{ ...bound(name), use }])),
      starting: all.flatMap(([name, { use }]) => (use === undefined ? [name] : [])),
      missed: [],
      specChanged: false,
    };
  }

  /** One pass of the operator, whichever replica it is. */
  decide(): { before: CredentialStatus; after: CredentialStatus } {
    const before = this.status;
    const after = decide(this.input(), new Date(this.now));
    this.credential = { ...this.credential, status: after };
    return { before, after };
  }

  edit(change: Partial<CredentialSpec>): void {
    const { metadata, spec } = this.credential;
    this.credential = {
      ...this.credential,
      metadata: { ...metadata, generation: (metadata.generation ?? 0) + 1 },
      spec: { ...spec, ...change },
    };
  }

  ask(): void {
    const { metadata } = this.credential;
    this.credential = { ...this.credential, metadata: { ...metadata, annotations: { 'rekey.dev/refresh': String(this.now) } } };
  }
}

/** The version that a pod reads and no other; undefined when it reads the newest. */
function toldExactly(name: string, { exact, version, rotation }: CredentialStatus): string | undefined {
  if (exact !== true) return undefined;
  return rotation?.phase === 'Canary' && rotation.pods?.includes(name) === true ? rotation.candidate : version;
}
