/** What a client may take of the sidecar. Each has a label in `rekey_limits_total`, where it is counted when it is reached. */
export interface Limits {
  /** Open connections of clients. At the limit one that is idle gives way to a new one. */
  connections: number;
  /** Of these, without a call. Beyond, the one that is so for longest goes, of those that never carried a call as long as there are some. */
  idle: number;
  /** Calls under way with one credential. */
  calls: number;
  /** Of a request's head, its request line included. */
  headBytes: number;
  handshakeMilliseconds: number;
  /** Of answers that are unpacked to be searched: what their codings may hold, by the window that each declares. One that finds too little left waits, and one that asks for more is cut off. */
  unpackingBytes: number;
  /** The same answers, beyond the first MiB of each: so much is made of them, all together. */
  unpackedBytesPerSecond: number;
  /** From the first byte of a head to its last. */
  headMilliseconds: number;
  /** Without a byte of a body that the client owes. */
  bodyMilliseconds: number;
  /** Without a request. */
  idleMilliseconds: number;
}

export type Limit = keyof Limits;

export const defaultLimits: Limits = {
  connections: 256,
  idle: 128,
  calls: 256,
  headBytes: 32_768,
  handshakeMilliseconds: 10_000,
  unpackingBytes: 6_291_456,
  unpackedBytesPerSecond: 16_777_216,
  headMilliseconds: 60_000,
  bodyMilliseconds: 60_000,
  idleMilliseconds: 600_000,
};
