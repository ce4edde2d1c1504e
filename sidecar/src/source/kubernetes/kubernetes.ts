import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { CredentialSource, KubernetesReference } from '@rekey/crds/credential.ts';
import { errorCode } from '@rekey/lib/log.ts';
import { Failure } from '@rekey/lib/reason.ts';
import type { SecretValue } from '@rekey/lib/secret-value.ts';
import { textValue, withUser } from '../value.ts';
import { Fingerprints } from '../fingerprint.ts';
import type { Reading, Source, SourceContext } from '../source.ts';

/** No more is read: far less is already more than a request can carry. */
const mostBytes = 64 * 1024;

/**
 * Kubernetes Secrets of the pod's own namespace, from a volume that is mounted in the sidecar alone. The kubelet brings a change within
 * a minute or two, at once when the pod's annotations change (https://kubernetes.io/docs/concepts/configuration/secret/#mounted-secrets-are-updated-automatically):
 * it swaps the link `..data`, which is what is watched here.
 *
 * | the file           | outcome                                        |
 * |--------------------|------------------------------------------------|
 * | there              | the value, or the value table's Failure        |
 * | not there          | SecretNotFound: no such Secret, or no such key |
 * | cannot be read     | SourceUnreachable                              |
 *
 * There are no versions: what stands for one is a fingerprint of the value.
 */
export function kubernetesSource(context: SourceContext): Source {
  return new KubernetesSource(context);
}

class KubernetesSource implements Source {
  readonly #context: SourceContext;
  readonly #fingerprints = new Fingerprints();
  #watcher: FSWatcher | undefined;

  constructor(context: SourceContext) {
    this.#context = context;
    this.#watch();
  }

  async read({ kubernetesSecret: reference }: CredentialSource): Promise<Reading> {
    if (reference === undefined) throw new Failure('StoreNotFound', 'the credential does not read from a Kubernetes Secret');
    const { namespace, secrets } = this.#context;
    const place = `${namespace}/${reference.name}/${reference.key}`;
    const { value, createdAt } = await ofOneMoment(join(secrets, reference.name), (folder) => valueIn(folder, reference));
    return this.#fingerprints.reading(place, value, createdAt);
  }

  close(): void {
    this.#watcher?.close();
    this.#fingerprints.forget();
  }

  /** Where there is nothing to watch, or too much is watched already, the cache's TTL finds the change. */
  #watch(): void {
    try {
      const tell = (): void => this.#context.onChange();
      this.#watcher = watch(this.#context.secrets, { persistent: false }, tell).on('error', () => this.#watcher?.close());
    } catch {
      this.#watcher = undefined;
    }
  }
}

/** Reads from the folder that the link leads to now, so that what is read belongs together; anew when the kubelet has swapped it meanwhile. */
async function ofOneMoment<T>(link: string, read: (folder: string) => Promise<T>): Promise<T> {
  const here = (): Promise<string> => realpath(link).catch(() => link);
  const folder = await here();
  try {
    return await read(folder);
  } catch (error) {
    const now = await here();
    if (now === folder) throw error;
    return read(now);
  }
}

/** The value, with its user where the reference has one. */
async function valueIn(folder: string, { name, key, userKey }: KubernetesReference): Promise<{ value: SecretValue; createdAt: Date }> {
  const read = async (one: string): Promise<{ value: SecretValue; createdAt: Date }> => {
    const { bytes, createdAt } = await fileOf(join(folder, one), { name, key: one });
    return { value: textValue(bytes, undefined, `key ${one} of Secret ${name}`), createdAt };
  };
  const password = await read(key);
  if (userKey === undefined) return password;
  const user = await read(userKey);
  return { ...password, value: withUser(password.value, user.value, `key ${userKey} of Secret ${name}`) };
}

/** The kubelet writes all files of a volume anew when one changes, so the time of the file is when the volume got what is in it. */
async function fileOf(path: string, { name, key }: { name: string; key: string }): Promise<{ bytes: Buffer; createdAt: Date }> {
  try {
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(mostBytes), 0, mostBytes, 0);
      const { mtime } = await file.stat();
      return { bytes: Buffer.from(buffer.subarray(0, bytesRead)), createdAt: mtime };
    } finally {
      await file.close();
    }
  } catch (error) {
    const code = errorCode(error);
    if (code !== 'ENOENT' && code !== 'ENOTDIR')
      throw new Failure('SourceUnreachable', `the volume of Secret ${name} cannot be read (${code})`);
    const message = `there is no Secret ${name} with a key ${key} in the pod's volume: create it, or restart the pod if it is older than the reference`;
    throw new Failure('SecretNotFound', message);
  }
}
