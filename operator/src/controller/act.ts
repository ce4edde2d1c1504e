import type { Credential, CredentialStatus } from '@rekey/crds/credential.ts';
import { apiPath, apiVersion } from '@rekey/crds/names.ts';
import type { Store, StoreStatus } from '@rekey/crds/store.ts';
import type { Log } from '@rekey/lib/log.ts';
import { keyOf } from '@rekey/lib/watch.ts';
import { brokenNews, newsOf } from '../decide/news.ts';
import type { News } from '../decide/news.ts';
import type { Recorder } from '../events.ts';
import type { Kubernetes } from '../kubernetes.ts';
import { KubernetesError } from '../kubernetes.ts';
import { rotationMilliseconds } from '../rotation/news.ts';
import { findCondition, same } from '../status.ts';
import type { Metrics } from './metrics.ts';
import type { State, Table } from './state.ts';

export interface ActContext {
  kubernetes: Pick<Kubernetes, 'apply'>;
  state: State;
  record: Recorder;
  metrics: Metrics;
  log: Log;
}

/** Writes the status when it says something else than what is there, and tells what is new in it. */
export async function actOnCredential(credential: Credential, status: CredentialStatus, context: ActContext): Promise<void> {
  const before = credential.status ?? {};
  if (same(before, status)) return;
  const { namespace, name, uid, resourceVersion } = credential.metadata;
  const object = { apiVersion, kind: 'MCPCredential', metadata: { name, namespace, uid, resourceVersion } };
  const path = `${apiPath}/namespaces/${namespace}/mcpcredentials/${name}/status`;
  if (!(await write(path, { ...object, status }, { context, table: context.state.credentials }))) return;
  const reason = findCondition(status.conditions, 'Available')?.reason ?? '';
  context.log('info', 'status written', { namespace, credential: name, version: status.version ?? '', reason });
  const news = newsOf(before, status);
  count(news, status, context.metrics);
  await context.record(object as Credential, news);
}

function count(news: readonly News[], status: CredentialStatus, metrics: Metrics): void {
  for (const { reason } of news) {
    if (reason === 'RotationComplete') metrics.rotated(rotationMilliseconds(status));
    if (reason === 'RolledBack') metrics.rolledBack(status.rotation?.reason ?? 'Unknown');
  }
}

export async function actOnStore(store: Store, status: StoreStatus, context: ActContext): Promise<void> {
  const before = store.status ?? {};
  if (same(before, status)) return;
  const { name, uid, resourceVersion } = store.metadata;
  const object = { apiVersion, kind: 'MCPCredentialStore', metadata: { name, uid, resourceVersion } };
  if (!(await write(`${apiPath}/mcpcredentialstores/${name}/status`, { ...object, status }, { context, table: context.state.stores })))
    return;
  context.log('info', 'status written', { store: name, reason: findCondition(status.conditions, 'Ready')?.reason ?? '' });
  await context.record(object as Store, brokenNews('Ready', before, status));
}

interface Target<T extends Credential | Store> {
  context: ActContext;
  table: Table<T>;
}

/**
 * With the resourceVersion that the decision rests on: an operator that was paused, and thinks that it still leads, overwrites nothing.
 * False when the object is gone, or was written by somebody else: the watch tells of that, and it is decided
 * anew. The answer goes into the state at once, so that the next decision does not rest on the old status.
 */
async function write<T extends Credential | Store>(path: string, body: object, { context, table }: Target<T>): Promise<boolean> {
  try {
    const written = await context.kubernetes.apply<T>(path, body);
    const { managedFields: _unread, ...metadata } = written.metadata as T['metadata'] & { managedFields?: unknown };
    if (table.get(keyOf(written))?.metadata.uid === metadata.uid) table.set({ ...written, metadata });
    return true;
  } catch (error) {
    if (error instanceof KubernetesError && (error.status === 404 || error.status === 409)) return false;
    throw error;
  }
}
