import type { Use } from '@rekey/crds/binding.ts';
import type { Credential } from '@rekey/crds/credential.ts';
import { apiPath, injectedLabel, snapshotAnnotation } from '@rekey/crds/names.ts';
import type { Snapshot } from '@rekey/crds/snapshot.ts';
import { sourceId } from '@rekey/crds/source-id.ts';
import { listAndWatch } from '@rekey/lib/watch.ts';
import type { KubernetesObject } from '@rekey/lib/watch.ts';
import { BindingWriter } from '../../sidecar/src/report/binding.ts';
import { processClock } from '../../sidecar/src/clock.ts';
import { requester } from './requester.ts';
import type { Means, Requester } from './requester.ts';

/** What this process tells: a pod uses another version now. */
export interface Used {
  credential: string;
  version: string;
  at: number;
}

/** As sidecar/src/credential/plan.ts spreads the reads of those that hear of a version in the same moment. */
const spreadMilliseconds = 200;
/** Until the first call with a new version is answered. */
const callMilliseconds = 300;

process.once('message', (means: Means) => play(means));
process.once('disconnect', () => process.exit(0));

interface Pod extends KubernetesObject {
  metadata: KubernetesObject['metadata'] & { annotations?: Record<string, string> };
  status?: { phase?: string };
}

/**
 * Plays all sidecars in one process, as far as the API server and the vault see them: each has its pod's own token, reads the value itself when
 * its credential announces a new version, and reports by the sidecar's own BindingWriter what it uses and, once calls have shown it, what the
 * upstream accepts. One watch stands for the watches of all: those of a thousand sidecars cost the API server, and the operator nothing.
 */
function play(means: Means): void {
  const ask = requester(means);
  const watching = { get: ask.get, signal: new AbortController().signal };
  const pods = new Map<string, Sidecar>();
  const credentials = new Map<string, Credential>();
  void listAndWatch<Credential>({
    ...watching,
    path: `${apiPath}/namespaces/${means.namespace}/mcpcredentials`,
    onChange: (_key, credential) => {
      if (credential === undefined) return;
      credentials.set(credential.metadata.name, credential);
      for (const pod of pods.values()) pod.follow(credential);
    },
  });
  void listAndWatch<Pod>({
    ...watching,
    path: `/api/v1/namespaces/${means.namespace}/pods`,
    query: { labelSelector: `${injectedLabel}=true` },
    onChange: (key, pod) => {
      if (pod?.status?.phase !== 'Running' || pods.has(key)) return;
      const sidecar = new Sidecar(pod, ask, means);
      pods.set(key, sidecar);
      for (const credential of credentials.values()) sidecar.follow(credential);
    },
  });
}

class Sidecar {
  readonly #ask: Requester;
  readonly #uses = new Map<string, Omit<Use, 'since'>>();
  readonly #announced = new Map<string, string>();
  readonly #sources: Map<string, string>;
  readonly #writer: BindingWriter;

  constructor({ metadata }: Pod, ask: Requester, { namespace }: Means) {
    const { name, uid = '', annotations = {} } = metadata;
    const { credentials, stores } = JSON.parse(annotations[snapshotAnnotation] ?? '') as Snapshot;
    const storeOf = (store: string): Snapshot['stores'][number]['spec'] | undefined => stores.find((one) => one.name === store)?.spec;
    this.#sources = new Map(credentials.map(({ name, spec }) => [name, sourceId(spec, storeOf(spec.storeRef.name))]));
    this.#ask = ask;
    const token = ask.tokenOf(name, uid);
    this.#writer = new BindingWriter({
      namespace,
      pod: name,
      podUID: uid,
      applyStatus: async (path, object) => ask.applyStatus(path, object, await token()),
      clock: processClock,
      random: Math.random,
      date: () => new Date(),
      log: () => undefined,
    });
  }

  follow({ metadata: { name }, status = {} }: Credential): void {
    if (!this.#sources.has(name)) return;
    const { bound, current } = status.pods ?? { bound: 0, current: 0 };
    if (current < bound) this.#writer.repeat();
    const { version } = status;
    if (version === undefined || this.#announced.get(name) === version) return;
    this.#announced.set(name, version);
    setTimeout(() => void this.#read(name), Math.random() * spreadMilliseconds);
  }

  async #read(name: string): Promise<void> {
    const { version, createdAt } = await this.#ask.secret(name);
    const before = this.#uses.get(name);
    if (before?.version === version) return;
    const use = { name, version, source: this.#sources.get(name) ?? '', createdAt };
    const accepted = before?.acceptedVersion === undefined ? {} : { acceptedVersion: before.acceptedVersion };
    this.#set({ ...use, ...accepted });
    process.send?.({ credential: name, version, at: Date.now() } satisfies Used);
    setTimeout(() => this.#set({ ...use, acceptedVersion: version }), callMilliseconds);
  }

  #set(use: Omit<Use, 'since'>): void {
    this.#uses.set(use.name, use);
    this.#writer.set([...this.#uses.values()]);
  }
}
