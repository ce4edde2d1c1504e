import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Reason } from '@rekey/lib/reason.ts';

/** What a provider may do wrong. `elsewhere` is host:port of a server that must not be asked. */
export type Answer = (request: IncomingMessage, response: ServerResponse, elsewhere: string) => void;

interface Fault {
  answer: Answer;
  reason: Reason;
  /** Only a time-out ends it. */
  silent?: boolean;
}

/** What the provider says, and a failure must not. */
export const canary = 'canary-of-the-provider';
const page = `<html>${canary}</html>`;

const says =
  (status: number, body = `{"errors":["${canary}"],"message":"${canary}"}`): Answer =>
  (_request, response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(body);
const sends =
  (status: number, scheme: string): Answer =>
  (_request, response, elsewhere) =>
    response.writeHead(status, { location: `${scheme}://${elsewhere}/${canary}` }).end();

const begun = `{"data":{"${canary}":`;

const table = {
  '429': { answer: says(429), reason: 'SourceThrottled' },
  '412': { answer: says(412), reason: 'SourceUnreachable' },
  '500': { answer: says(500), reason: 'SourceUnreachable' },
  '502 with a page': { answer: says(502, page), reason: 'SourceUnreachable' },
  '503': { answer: says(503), reason: 'SourceUnreachable' },
  '301 to another host': { answer: sends(301, 'https'), reason: 'SourceUnreachable' },
  '307 to another host': { answer: sends(307, 'https'), reason: 'SourceUnreachable' },
  '307 in clear': { answer: sends(307, 'http'), reason: 'SourceUnreachable' },
  'no answer': { answer: () => undefined, reason: 'SourceUnreachable', silent: true },
  'an answer that never goes on': {
    answer: (_request, response) => void response.writeHead(200).write(begun),
    reason: 'SourceUnreachable',
    silent: true,
  },
  'a reset': { answer: (request) => void request.socket.destroy(), reason: 'SourceUnreachable' },
  'a reset in the middle of the body': {
    answer: (request, response) => {
      response.writeHead(200, { 'content-length': '1000' }).write(begun, () => request.socket.destroy());
    },
    reason: 'SourceUnreachable',
  },
  'a page in place of an answer': { answer: says(200, page), reason: 'SourceResponseInvalid' },
  'a megabyte of garbage': { answer: says(200, canary.repeat(50_000)), reason: 'SourceResponseInvalid' },
  'a body that never ends': {
    answer: (_request, response) => {
      const more = (): boolean => response.write(canary.repeat(3000));
      response.on('drain', more).on('error', () => undefined);
      response.writeHead(200);
      while (more());
    },
    reason: 'SourceResponseInvalid',
  },
} satisfies Record<string, Fault>;

export type FaultName = keyof typeof table;

export const faults: Readonly<Record<FaultName, Fault>> = table;

/** The next answer would be no better: one attempt. */
export const lasting: ReadonlySet<FaultName> = new Set(['a page in place of an answer', 'a megabyte of garbage', 'a body that never ends']);
