import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import type { Readable } from 'node:stream';
import { host } from '../namespace.ts';
import { Fingerprint } from './content.ts';

/** Where a call goes, and what it carries: through the sidecar with the placeholder, or straight to the upstream with the value. */
export interface Path {
  address: string;
  authorization: () => string;
  agent: https.Agent;
}

export interface Wanted {
  path: string;
  method?: string;
  headers?: Record<string, string>;
  body?: () => Readable | Buffer;
}

/** One call to its end: its status and one word for all that came. */
export async function call(path: Path, wanted: Wanted): Promise<{ status: number; word: string }> {
  const answer = await begin(path, wanted);
  const { statusCode = 0, headers } = answer;
  const seen = new Fingerprint().text(String(statusCode)).fields(headers);
  await seen.body(answer);
  return { status: statusCode, word: seen.fields(answer.trailers).word };
}

/** Resolves when the answer begins. */
export async function begin(path: Path, { path: target, method = 'GET', headers = {}, body }: Wanted): Promise<IncomingMessage> {
  const request = https.request({
    host: path.address,
    servername: host,
    path: target,
    method,
    agent: path.agent,
    // What is tested is whether bytes arrive as they are, not whom the client trusts.
    rejectUnauthorized: false,
    headers: { ...headers, host, authorization: path.authorization() },
  });
  const answered = once(request, 'response');
  const content = body?.();
  if (content === undefined || Buffer.isBuffer(content)) request.end(content);
  else content.pipe(request);
  const [answer] = (await answered) as [IncomingMessage];
  return answer;
}

/** Runs the tasks, so many at a time. */
export async function crowd(size: number, tasks: Iterable<() => Promise<void>>): Promise<void> {
  const left = tasks[Symbol.iterator]();
  const one = async (): Promise<void> => {
    for (let next = left.next(); next.done !== true; next = left.next()) await next.value();
  };
  await Promise.all(Array.from({ length: size }, one));
}
