import type { ServerResponse } from 'node:http';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FakeServer } from './upstream/https.fake.ts';
import { fakeServer, json } from './upstream/https.fake.ts';

interface Thing {
  metadata: { name: string; namespace?: string; resourceVersion?: string };
}

export interface Patched {
  path: string;
  query: string;
  type: string | undefined;
  body: { metadata: { name: string }; status: { credentials: Record<string, string>[]; summary: string } };
}

/** A real HTTPS server that lists, watches and patches as the API server does, and the files that a pod knows it by. */
export interface FakeApiServer {
  server: FakeServer;
  /** The folder that the webhook mounts: `api/token`, `api/ca.crt`, `source/default/token`. */
  identity: string;
  tokens: string[];
  patches: Patched[];
  /** Lists and watches so far. */
  asked: string[];
  /** The answer to a patch. */
  patched: { status: number; body: object };
  /** Answers everything with this status while it is set. */
  away: number | undefined;
  set(collection: string, object: Thing): void;
  remove(collection: string, name: string): void;
  /** Ends all watches. */
  hangUp(): void;
  close(): Promise<void>;
}

export async function fakeApiServer(): Promise<FakeApiServer> {
  const objects = new Map<string, Thing>();
  const watches = new Set<{ key: string; response: ServerResponse }>();
  const identity = mkdtempSync(join(tmpdir(), 'rekey-identity-'));
  let version = 1;
  const events: { at: number; key: string; line: string }[] = [];
  const tell = (type: string, key: string, object: Thing): void => {
    const line = `${JSON.stringify({ type, object })}\n`;
    events.push({ at: version, key, line });
    for (const watch of watches) if (watch.key === key) watch.response.write(line);
  };
  const server = await fakeServer('localhost', (request, response, body) => {
    const url = new URL(request.url ?? '/', 'https://localhost');
    fake.tokens.push(String(request.headers.authorization));
    if (fake.away !== undefined) json(response, fake.away, { kind: 'Status' });
    else if (request.method === 'PATCH') {
      const type = request.headers['content-type'];
      fake.patches.push({ path: url.pathname, query: url.search, type, body: JSON.parse(body) as Patched['body'] });
      json(response, fake.patched.status, fake.patched.body);
    } else get(url, response);
  });
  const get = (url: URL, response: ServerResponse): void => {
    const name = (url.searchParams.get('fieldSelector') ?? '').replace('metadata.name=', '');
    const watching = url.searchParams.has('watch');
    fake.asked.push(`${watching ? 'watch' : 'list'} ${url.pathname} ${name}`);
    const key = `${url.pathname} ${name}`;
    if (!watching) {
      const found = objects.get(key);
      json(response, 200, { items: found === undefined ? [] : [found], metadata: { resourceVersion: String(version) } });
      return;
    }
    const watch = { key, response };
    watches.add(watch);
    response.on('close', () => watches.delete(watch));
    response.flushHeaders();
    const since = Number(url.searchParams.get('resourceVersion'));
    for (const event of events) if (event.key === key && event.at > since) response.write(event.line);
  };
  const fake: FakeApiServer = {
    server,
    identity,
    tokens: [],
    patches: [],
    asked: [],
    patched: { status: 200, body: { spec: { podUID: 'uid-1' } } },
    away: undefined,
    set(collection, object) {
      const key = `${collection} ${object.metadata.name}`;
      version += 1;
      const whole = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
      tell(objects.has(key) ? 'MODIFIED' : 'ADDED', key, whole);
      objects.set(key, whole);
    },
    remove(collection, name) {
      const key = `${collection} ${name}`;
      const object = objects.get(key);
      objects.delete(key);
      version += 1;
      if (object !== undefined) tell('DELETED', key, object);
    },
    hangUp() {
      for (const { response } of watches) response.destroy();
    },
    async close() {
      await server.close();
      rmSync(identity, { recursive: true });
    },
  };
  write(identity, 'api/token', 'token-1\n');
  write(identity, 'api/ca.crt', server.ca);
  write(identity, 'source/default/token', 'jwt-1');
  return fake;
}

export function write(identity: string, path: string, text: string): void {
  mkdirSync(join(identity, path, '..'), { recursive: true });
  writeFileSync(join(identity, path), text);
}
