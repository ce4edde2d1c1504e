import type { Fields } from './fields.ts';
import { Names } from './fields.ts';
import { Malformed } from './malformed.ts';

/** What the fields say of their own message and its connection. */
export interface Control {
  host: string | undefined;
  /** The Content-Length, -1 when there is none. */
  length: number;
  chunked: boolean;
  /** The Connection fields in lower case, joined; '' when there are none. */
  connection: string;
  /** In lower case. */
  expect: string | undefined;
  upgrade: string | undefined;
  /** Seconds for which the other side keeps an idle connection, when it says so (`Keep-Alive: timeout=5`). */
  kept: number | undefined;
}

type Note = (control: Control, value: string) => void;

/** What each of them does. */
const notes: Record<string, Note> = {
  host: (control, value) => {
    if (control.host !== undefined) throw new Malformed('the request has more than one Host');
    control.host = value;
  },
  'content-length': (control, value) => {
    if (control.length >= 0) throw new Malformed('the message has more than one Content-Length');
    control.length = lengthOf(value);
  },
  'transfer-encoding': (control, value) => {
    if (control.chunked || value.toLowerCase() !== 'chunked') throw new Malformed('the only transfer coding is chunked, and once');
    control.chunked = true;
  },
  connection: (control, value) => (control.connection = joined(control.connection, value.toLowerCase())),
  expect: (control, value) => (control.expect = joined(control.expect, value.toLowerCase())),
  upgrade: (control, value) => (control.upgrade = joined(control.upgrade, value)),
  'keep-alive': (control, value) => (control.kept = keptOf(value)),
};

const known = new Names(Object.keys(notes));

/**
 * Reads them, and throws where a message could be seen to end at two places or to be for two hosts (RFC 9112 sections 3.2, 6.1 and 6.3):
 *
 * | Host | Content-Length               | Transfer-Encoding              | outcome                  |
 * |------|------------------------------|--------------------------------|--------------------------|
 * | 2+   | any                          | any                            | Malformed                |
 * | 0, 1 | none, or one number          | none                           | that length              |
 * | 0, 1 | 2+ even if alike, a list, no digits, more than 15 digits | any | Malformed               |
 * | 0, 1 | none                         | `chunked` once                 | chunked                  |
 * | 0, 1 | none                         | 2+, or any other coding or list | Malformed                |
 * | 0, 1 | one                          | one                            | Malformed                |
 */
export function controlOf(fields: Fields): Control {
  const control: Control = {
    host: undefined,
    length: -1,
    chunked: false,
    connection: '',
    expect: undefined,
    upgrade: undefined,
    kept: undefined,
  };
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at] ?? '';
    if (known.has(name)) notes[name.toLowerCase()]?.(control, fields[at + 1] ?? '');
  }
  if (control.chunked && control.length >= 0) throw new Malformed('the message has two lengths');
  return control;
}

const joined = (before: string | undefined, value: string): string =>
  before === undefined || before === '' ? value : `${before},${value}`;

/** 15 digits are exact in a double. */
function lengthOf(value: string): number {
  if (!/^[0-9]{1,15}$/u.test(value)) throw new Malformed('the Content-Length is not a number');
  return Number(value);
}

function keptOf(value: string): number | undefined {
  const seconds = /(?:^|[\s,])timeout=([0-9]{1,9})(?:$|[\s,])/iu.exec(value)?.[1];
  return seconds === undefined ? undefined : Number(seconds);
}

/** Whether the sender says that the connection ends after this message. */
export function closes({ connection }: Control): boolean {
  return connection !== '' && connection.split(',').some((option) => option.trim() === 'close');
}
