import { backoff, sleep } from './backoff.ts';
import { errorCode } from './log.ts';

/** What every Kubernetes object has. */
export interface KubernetesObject {
  apiVersion?: string;
  kind?: string;
  metadata: { name: string; namespace?: string; uid?: string; resourceVersion?: string };
}

/** One GET to the API server. Must reject when the connection fails and stop reading when the signal aborts. */
export type Get = (path: string, signal: AbortSignal) => Promise<{ status: number; body: AsyncIterable<Uint8Array | string> }>;

export interface WatchFailure {
  step: 'list' | 'watch' | 'handler';
  /** HTTP status, or 0 when there was no answer. */
  status: number;
  code: string;
  /** How often in a row it has failed, or ended without a word. */
  attempt: number;
}

export interface WatchOptions<T extends KubernetesObject> {
  /** The collection, without a query: `/apis/rekey.dev/v1alpha1/namespaces/tools/mcpcredentials`. */
  path: string;
  /** labelSelector, fieldSelector. */
  query?: Record<string, string>;
  get: Get;
  /** Makes of each object what is kept in memory, such as a pod without its spec; it keeps `metadata`'s name, namespace and resourceVersion. */
  trim?: (object: T) => T;
  /** A key (`namespace/name`, or `name`) was added or changed (object) or is gone (undefined). Called for each object of the first list too. */
  onChange: (key: string, object: T | undefined) => void;
  /** After each list. */
  onSynced?: () => void;
  onFailure?: (failure: WatchFailure) => void;
  signal: AbortSignal;
  /** Without a byte for this long the watch is taken for dead; the API server sends a bookmark about once a minute. A list has no longer, either. */
  idleMilliseconds?: number;
  /** The longest page of a list, or line of a watch, that is read. In characters. */
  mostCharacters?: number;
  random?: () => number;
  pause?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

/**
 * A network that drops packets tells nobody. A dead watch is given up after this long, and the lists that follow after 30 s each: one on
 * each connection that was kept and is dead as well. That is less than 300 s, in which a missed change has to be known.
 */
const idle = 150_000;
const listed = 30_000;

class HttpStatus extends Error {
  readonly status: number;
  constructor(status: number) {
    super(`HTTP ${status}`);
    this.status = status;
  }
}

/**
 * Keeps a map of one collection in step with the API server until the signal aborts. Whatever ends a watch (time-out, 410,
 * reset, garbage, silence) leads to one recovery path: list again, and report what differs from what was known.
 */
export async function listAndWatch<T extends KubernetesObject>(options: WatchOptions<T>): Promise<void> {
  const { signal, random = Math.random, pause = sleep } = options;
  const known = new Map<string, T>();
  let attempt = 0;
  while (!signal.aborted) {
    let step: WatchFailure['step'] = 'list';
    try {
      const resourceVersion = await list(options, known);
      step = 'watch';
      guarded(options, () => options.onSynced?.());
      await watch(options, resourceVersion, (event) => {
        // Not before: a server that lists well and ends every watch at once must not be asked in a hot loop.
        attempt = 0;
        apply(options, known, event);
      });
    } catch (error) {
      if (signal.aborted) return;
      failed(options, { step, status: error instanceof HttpStatus ? error.status : 0, code: errorCode(error), attempt });
    }
    await pause(Math.max(250, backoff(attempt, random)), signal);
    attempt += 1;
  }
}

async function list<T extends KubernetesObject>(options: WatchOptions<T>, known: Map<string, T>): Promise<string> {
  const seen = new Set<string>();
  let next = '';
  let resourceVersion = '';
  do {
    const page = await getList<T>(options, next);
    for (const object of page.items) {
      seen.add(keyOf(object));
      set(options, known, object);
    }
    next = page.metadata.continue ?? '';
    resourceVersion = page.metadata.resourceVersion;
  } while (next !== '');
  for (const key of known.keys()) if (!seen.has(key)) remove(options, known, key);
  return resourceVersion;
}

interface Page<T> {
  items: T[];
  metadata: { resourceVersion: string; continue?: string };
}

async function getList<T extends KubernetesObject>(options: WatchOptions<T>, next: string): Promise<Page<T>> {
  // A page is in memory as text and as objects at once, and a pod with its sidecar has 12 KB.
  const query = new URLSearchParams({ ...options.query, limit: '100', ...(next === '' ? {} : { continue: next }) });
  const deadline = Math.min(listed, options.idleMilliseconds ?? idle);
  return withDeadline(options.signal, deadline, async (signal) => {
    const response = await options.get(`${options.path}?${query.toString()}`, signal);
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body) {
      text += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
      bounded(text, options);
    }
    if (response.status !== 200) throw new HttpStatus(response.status);
    return JSON.parse(text) as Page<T>;
  });
}

async function watch<T extends KubernetesObject>(
  options: WatchOptions<T>,
  resourceVersion: string,
  onEvent: (event: WatchEvent<T>) => void,
): Promise<void> {
  const { random = Math.random, idleMilliseconds = idle } = options;
  const timeoutSeconds = String(Math.round(240 + random() * 60));
  const query = new URLSearchParams({ ...options.query, watch: 'true', allowWatchBookmarks: 'true', resourceVersion, timeoutSeconds });
  await withDeadline(options.signal, idleMilliseconds, async (signal, alive) => {
    const response = await options.get(`${options.path}?${query.toString()}`, signal);
    if (response.status !== 200) throw new HttpStatus(response.status);
    for await (const line of lines(response.body, alive, options)) {
      // What was on its way when the watch was given up must not overtake the list that follows.
      if (signal.aborted) return;
      onEvent(JSON.parse(line) as WatchEvent<T>);
    }
  });
}

interface WatchEvent<T> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  object: T & { code?: number };
}

function apply<T extends KubernetesObject>(options: WatchOptions<T>, known: Map<string, T>, event: WatchEvent<T>): void {
  if (event.type === 'ERROR') throw new HttpStatus(event.object.code ?? 0);
  if (event.type === 'BOOKMARK') return;
  if (event.type === 'DELETED') remove(options, known, keyOf(event.object));
  else set(options, known, event.object);
}

function set<T extends KubernetesObject>(options: WatchOptions<T>, known: Map<string, T>, whole: T): void {
  const object = options.trim?.(whole) ?? whole;
  const key = keyOf(object);
  const before = known.get(key);
  known.set(key, object);
  if (before === undefined || before.metadata.resourceVersion !== object.metadata.resourceVersion) tell(options, key, object);
}

function remove<T extends KubernetesObject>(options: WatchOptions<T>, known: Map<string, T>, key: string): void {
  if (known.delete(key)) tell(options, key, undefined);
}

function tell<T extends KubernetesObject>(options: WatchOptions<T>, key: string, object: T | undefined): void {
  guarded(options, () => options.onChange(key, object));
}

/** A handler that throws must not end the watch: nobody would hear of a change again. */
function guarded<T extends KubernetesObject>(options: WatchOptions<T>, handler: () => void): void {
  try {
    handler();
  } catch (error) {
    failed(options, { step: 'handler', status: 0, code: errorCode(error), attempt: 0 });
  }
}

function failed<T extends KubernetesObject>({ onFailure }: WatchOptions<T>, failure: WatchFailure): void {
  try {
    onFailure?.(failure);
  } catch {
    // Nobody is left to be told.
  }
}

function bounded(text: string, { mostCharacters = 64 * 1024 * 1024 }: { mostCharacters?: number }): void {
  if (text.length > mostCharacters) throw Object.assign(new Error('too large'), { code: 'TooLarge' });
}

export function keyOf(object: KubernetesObject): string {
  const { namespace, name } = object.metadata;
  return namespace === undefined ? name : `${namespace}/${name}`;
}

async function* lines(
  body: AsyncIterable<Uint8Array | string>,
  alive: () => void,
  limits: { mostCharacters?: number },
): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    alive();
    rest += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    const parts = rest.split('\n');
    rest = parts.pop() ?? '';
    bounded(rest, limits);
    for (const part of parts) if (part !== '') yield part;
  }
}

/** Runs `task` with a signal that aborts when the outer one does or when `milliseconds` pass without `alive()`. */
async function withDeadline<R>(
  outer: AbortSignal,
  milliseconds: number,
  task: (signal: AbortSignal, alive: () => void) => Promise<R>,
): Promise<R> {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  const timer = setTimeout(abort, milliseconds);
  timer.unref();
  outer.addEventListener('abort', abort, { once: true });
  if (outer.aborted) abort();
  try {
    return await Promise.race([task(controller.signal, () => timer.refresh()), rejected(controller.signal)]);
  } finally {
    clearTimeout(timer);
    outer.removeEventListener('abort', abort);
    controller.abort();
  }
}

/** Rejects once the signal aborts: a body that ignores the signal must not hold the loop. */
function rejected(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const abort = (): void => reject(Object.assign(new Error('aborted'), { code: 'IdleTimeout' }));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
  });
}
