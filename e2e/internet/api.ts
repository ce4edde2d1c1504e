/** One request to the upstream, read to its end. */
export interface Call {
  method: string;
  url: URL;
  /** Names and values in turn, as they came: duplicates included. */
  rawHeaders: readonly string[];
  body: Buffer;
}

export interface Answer {
  status: number;
  body: unknown;
  headers?: Record<string, string>;
}

/** A place where an API takes its credential. */
export type Place = { header: string; prefix: string } | { query: string };

export interface Api {
  name: string;
  host: string;
  places: readonly Place[];
  /** `given`: whether the request carried any credential at all. */
  refusal: (given: boolean) => Answer;
  /** The key is a method and a pattern of the path; the groups of the pattern are handed on. */
  routes: readonly Route[];
  notFound: Answer;
}

export interface Route {
  method: string;
  path: RegExp;
  answer: (call: Call, groups: string[]) => Answer;
}

export const bearer: Place = { header: 'authorization', prefix: 'Bearer ' };

export function get(path: RegExp, answer: Route['answer']): Route {
  return { method: 'GET', path, answer };
}

export function post(path: RegExp, answer: Route['answer']): Route {
  return { method: 'POST', path, answer };
}

export function ok(body: unknown, headers: Record<string, string> = {}): Answer {
  return { status: 200, body, headers };
}

export function route(api: Api, call: Call): Answer | undefined {
  for (const { method, path, answer } of api.routes) {
    const match = method === call.method ? path.exec(call.url.pathname) : null;
    if (match !== null) return answer(call, match.slice(1));
  }
  return undefined;
}

/** The JSON object in a request's body; an empty one where there is none. */
export function json(call: Call): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(call.body.toString());
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
