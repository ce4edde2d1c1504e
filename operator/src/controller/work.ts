import { apiPath, apiVersion } from '@rekey/crds/names.ts';
import type { Store } from '@rekey/crds/store.ts';
import { errorCode } from '@rekey/lib/log.ts';
import { decideStore } from '../decide/store.ts';
import { eventRecorder } from '../events.ts';
import { systemClock } from '../clock.ts';
import { openMetadataSource } from '../poll/poll.ts';
import { Polls } from '../poll/schedule.ts';
import { actOnStore } from './act.ts';
import type { ActContext } from './act.ts';
import { reconcilePod } from './binding.ts';
import { Budget, counted } from './budget.ts';
import { reconcileCredential } from './credential.ts';
import { controllerMetrics } from './metrics.ts';
import { Missed } from './missed.ts';
import { Queue } from './queue.ts';
import type { QueueOptions } from './queue.ts';
import { reconcileNamespace } from './role-binding.ts';
import { route } from './route.ts';
import type { Queues } from './route.ts';
import type { ControllerContext } from './start.ts';
import type { State } from './state.ts';
import { ownToken } from './token.ts';
import type { Change } from './watches.ts';

/** What waits and what is old is measured by a clock that nobody sets: one that is set back by an hour would hold all of it up for an hour. */
const { monotonic } = systemClock;

/** Starts queues and polls, brings everything to what it should be, and returns what takes in the changes from then on. */
export function startWork(context: ControllerContext, state: State, signal: AbortSignal): (change: Change) => void {
  const { config, log, now = Date.now, random = Math.random } = context;
  const budget = new Budget({ now: monotonic });
  const kubernetes = counted(context.kubernetes, budget);
  const metrics = controllerMetrics([context.registry], state);
  const record = eventRecorder({ kubernetes, log, pod: config.pod, clock: { wall: now, monotonic } });
  const act: ActContext = { kubernetes, state, record, metrics, log };
  const polls = startPolls(context, metrics.polled, (users, store) => {
    for (const user of users) if (user.includes('/')) queues.credentials.add(user);
    queues.stores.add(store, 'paced');
  });
  const missed = new Missed({ kubernetes, state, log, now: monotonic, random, onChange: (key) => queues.credentials.add(key, 'paced') });
  const credential = { ...act, polls, missed, now, decided: new Map<string, number>() };
  const onError = (key: string, error: unknown, attempt: number): void => {
    metrics.failed(errorCode(error));
    log('warn', 'not reconciled, trying again', { name: key, code: errorCode(error), attempt });
  };
  const common = { onError, signal, random, now: monotonic, room: () => budget.wait() };
  const queueOf = (reconcile: (key: string) => Promise<number | undefined | void>, more: Partial<QueueOptions> = {}): Queue =>
    new Queue({ ...common, reconcile: async (key) => (await reconcile(key)) ?? undefined, ...more });
  const queues: Queues = {
    // Each pod that starts changes what its credentials count, and until all have their binding that is wrong again in a moment. Pods that
    // are only looked at, as all are by a new leader, need no room.
    // Sixteen at a time: a hundred that have a new version in one moment must not wait for each other's Events while the API server is slow.
    credentials: queueOf((key) => reconcileCredential(key, credential), {
      concurrency: 16,
      yields: () => queues.pods.isBehind && budget.isTight,
    }),
    stores: queueOf((key) => reconcileStore(key, { ...act, polls, now })),
    pods: queueOf((key) => reconcilePod(key, { kubernetes, state, record }), { gapMilliseconds: 20 }),
    namespaces: queueOf((key) => reconcileNamespace(key, { kubernetes, state, sidecarClusterRole: config.sidecarClusterRole })),
  };
  signal.addEventListener('abort', () => polls.stop(), { once: true });
  addAll(queues, state);
  const defaultStore = queueOf(() => applyDefaultStore(context));
  defaultStore.add('default');
  return (change) => {
    if (isDefaultStore(change)) defaultStore.add('default', 'paced');
    route(change, { queues, state, ask: (key) => polls.now(key) });
  };
}

/** The default store was edited or deleted: the operator's configuration says what it is. */
function isDefaultStore({ kind, key, before, after }: Change): boolean {
  const generationOf = (store: Change['after']): unknown => (store as Store | undefined)?.metadata.generation;
  return kind === 'stores' && key === 'default' && before !== undefined && generationOf(before) !== generationOf(after);
}

function startPolls(
  { kubernetes, config, now = Date.now, random = Math.random }: ControllerContext,
  onPoll: (store: string, outcome: string) => void,
  onChange: (users: string[], store: string) => void,
): Polls {
  const identity = `${config.namespace}/${config.serviceAccount}`;
  const token = ownToken(kubernetes, config);
  return new Polls({
    open: (store) => openMetadataSource({ store, token, identity, clock: { wall: now, monotonic }, random }),
    onPoll,
    onChange,
    now: monotonic,
    random,
  });
}

function addAll(queues: Queues, state: State): void {
  for (const key of state.credentials.keys()) queues.credentials.add(key);
  for (const key of state.stores.keys()) queues.stores.add(key);
  for (const key of state.namespaces.keys()) queues.namespaces.add(key);
  for (const key of state.pods.keys()) queues.pods.add(key, 'paced');
}

interface StoreContext extends ActContext {
  polls: Polls;
  now: () => number;
}

/** Follows the login of the store, and says in its status how that and the polls of its paths go. */
async function reconcileStore(name: string, context: StoreContext): Promise<undefined> {
  const { state, polls } = context;
  const store = state.stores.get(name);
  polls.follow(name, store === undefined ? undefined : { store });
  if (store === undefined) return;
  const readings = polls.ofStore(name);
  const reported = store.status?.observedGeneration === store.metadata.generation;
  if (readings.login === undefined && reported) return;
  await actOnStore(store, decideStore(store, readings, new Date(context.now())), context);
}

/** A chart cannot hold a kind and an object of it in one installation, so the operator makes the store that its values describe. */
async function applyDefaultStore({ kubernetes, config }: ControllerContext): Promise<undefined> {
  if (config.defaultStore === undefined) return;
  const store = { apiVersion, kind: 'MCPCredentialStore', metadata: { name: 'default' }, spec: config.defaultStore };
  await kubernetes.apply(`${apiPath}/mcpcredentialstores/default`, store);
}
