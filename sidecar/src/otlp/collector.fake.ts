import type { IncomingMessage, ServerResponse } from 'node:http';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { issue } from '../tls/issue.ts';

// A collector that takes nothing but what opentelemetry/proto/logs/v1/logs.proto allows, in the JSON mapping of protobuf. A real one is
// more patient: it drops fields that it does not know, and takes numbers in place of strings.

type Answer = (response: ServerResponse) => void;

export interface FakeCollector {
  url: string;
  ca: string | undefined;
  /** Bodies of the records that it took. */
  lines: string[];
  records: Record<string, unknown>[];
  resources: Record<string, unknown>[];
  /** Why it refused a request. */
  problems: string[];
  /** Requests so far. */
  requests: number;
  /** Instead of taking what comes. */
  instead: Answer | undefined;
  /** What it says of what it took. */
  says: string;
  stop(): Promise<void>;
}

/** With a name it speaks TLS, on the address that the pod's lookup gives for every name. */
export async function startCollector(name?: string): Promise<FakeCollector> {
  const pki = name === undefined ? undefined : await issue({ hosts: [name], now: Date.now() });
  const serve = (request: IncomingMessage, response: ServerResponse): void => void take(collector, request, response);
  const server =
    pki === undefined ? http.createServer(serve) : https.createServer({ key: pki.leaf.key, cert: pki.leaf.certificate }, serve);
  await new Promise<void>((resolve) => server.listen(0, name === undefined ? '127.0.0.1' : '127.0.0.2', resolve));
  const { port } = server.address() as AddressInfo;
  const collector: FakeCollector = {
    url: name === undefined ? `http://127.0.0.1:${port}` : `https://${name}:${port}`,
    ca: pki?.ca.certificate,
    lines: [],
    records: [],
    resources: [],
    problems: [],
    requests: 0,
    instead: undefined,
    says: '{}',
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return collector;
}

async function take(collector: FakeCollector, request: IncomingMessage, response: ServerResponse): Promise<void> {
  collector.requests += 1;
  const body = await text(request);
  if (collector.instead !== undefined) return collector.instead(response);
  try {
    checkRequest(request);
    for (const part of list(only(JSON.parse(body), ['resourceLogs']), 'resourceLogs')) readResource(collector, part);
    response.writeHead(200, { 'content-type': 'application/json' }).end(collector.says);
  } catch (error) {
    collector.problems.push(error instanceof Error ? error.message : String(error));
    response.writeHead(400).end();
  }
}

function checkRequest({ method, url, headers }: IncomingMessage): void {
  if (method !== 'POST' || url !== '/v1/logs') throw new Error(`${method} ${url} is not POST /v1/logs`);
  if (headers['content-type'] !== 'application/json') throw new Error(`the content type is ${headers['content-type']}`);
}

function readResource(collector: FakeCollector, part: unknown): void {
  const { resource, ...rest } = only(part, ['resource', 'scopeLogs']);
  collector.resources.push(attributes(only(resource, ['attributes'])));
  for (const inner of list(rest, 'scopeLogs')) {
    const logs = only(inner, ['scope', 'logRecords']);
    only(logs['scope'], ['name', 'version']);
    for (const record of list(logs, 'logRecords')) readRecord(collector, record);
  }
}

const ofARecord = [
  'timeUnixNano',
  'observedTimeUnixNano',
  'severityNumber',
  'severityText',
  'eventName',
  'body',
  'attributes',
  'traceId',
  'spanId',
  'flags',
];
const matches =
  (format: RegExp) =>
  (value: unknown): boolean =>
    typeof value === 'string' && format.test(value);
const maybe =
  (isGood: (value: unknown) => boolean) =>
  (value: unknown): boolean =>
    value === undefined || isGood(value);
const isSeverity = (value: unknown): boolean => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 24;
const formats: Readonly<Record<string, (value: unknown) => boolean>> = {
  timeUnixNano: matches(/^[1-9]\d{18}$/u),
  observedTimeUnixNano: matches(/^[1-9]\d{18}$/u),
  traceId: maybe(matches(/^(?!0+$)[0-9a-f]{32}$/u)),
  spanId: maybe(matches(/^(?!0+$)[0-9a-f]{16}$/u)),
  severityNumber: isSeverity,
  severityText: matches(/^(INFO|WARN)$/u),
  eventName: matches(/^[a-z.]+$/u),
  flags: maybe((value) => Number.isInteger(value)),
};

function readRecord(collector: FakeCollector, given: unknown): void {
  const record = only(given, ofARecord);
  for (const [name, isGood] of Object.entries(formats)) {
    if (!isGood(record[name])) throw new Error(`${name} is ${JSON.stringify(record[name])}`);
  }
  collector.lines.push(String(anyValue(record['body'])));
  collector.records.push({ ...record, attributes: attributes(record) });
}

function attributes(of: Record<string, unknown>): Record<string, unknown> {
  const pairs = list(of, 'attributes').map((pair) => only(pair, ['key', 'value']));
  const known = Object.fromEntries(pairs.map(({ key, value }) => [String(key), anyValue(value)]));
  if (Object.keys(known).length !== pairs.length) throw new Error('an attribute is there twice');
  return known;
}

/** Exactly one of the kinds; a 64-bit number is a string. */
function anyValue(given: unknown): unknown {
  const [[kind, value] = [], ...more] = Object.entries(only(given, ['stringValue', 'intValue', 'boolValue', 'doubleValue']));
  const isGood =
    kind === 'intValue' ? /^-?\d+$/u.test(String(value)) && typeof value === 'string' : kind !== 'stringValue' || typeof value === 'string';
  if (kind === undefined || more.length > 0 || !isGood) throw new Error(`${JSON.stringify(given)} is no AnyValue`);
  return value;
}

function only(given: unknown, names: readonly string[]): Record<string, unknown> {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw new Error(`${JSON.stringify(given)} is no message`);
  for (const name of Object.keys(given)) if (!names.includes(name)) throw new Error(`there is no field ${name}`);
  return given as Record<string, unknown>;
}

function list(of: Record<string, unknown>, name: string): unknown[] {
  const value = of[name];
  if (!Array.isArray(value) || value.length === 0) throw new Error(`${name} is no list with something in it`);
  return value;
}
