import { randomOf, requestOf } from './generate.ts';
import type { Taken } from './ours.ts';
import { takenOf } from './ours.ts';
import type { Peer } from './peers.ts';

export interface Counts {
  generated: number;
  /** By the sidecar. */
  taken: number;
  /** Of those, by peer: refused by it. */
  refusedByPeer: Record<string, number>;
  /** Requests that the sidecar takes, and in which a peer sees other messages. */
  disagreements: { peer: string; request: string; seen: string[] }[];
}

/** Requests of one connection: while all agree, one connection tells of all. */
const batch = 50;
const parallel = 4;
const sentinel = '/sentinel';
const last = Buffer.from(`GET ${sentinel} HTTP/1.1\r\nHost: peer\r\nConnection: close\r\n\r\n`);

/**
 * Generates so many requests, and shows the peers those that the sidecar takes, cut off where the sidecar sees their end and with others
 * behind them. A peer may refuse what the sidecar takes; it may not see another end.
 */
export async function fuzz(count: number, seed: number, peers: readonly Peer[], say: (counts: Counts) => void = () => {}): Promise<Counts> {
  const random = randomOf(seed);
  const counts: Counts = { generated: 0, taken: 0, refusedByPeer: {}, disagreements: [] };
  const next = (): Taken[] => {
    const some: Taken[] = [];
    for (; some.length < batch && counts.generated < count; counts.generated += 1) {
      const taken = takenOf(Buffer.from(requestOf(random, counts.generated), 'latin1'));
      if (taken !== undefined) some.push(taken);
    }
    counts.taken += some.length;
    if (some.length > 0 && (counts.taken / batch) % 400 === 0) say(counts);
    return some;
  };
  const work = async (): Promise<void> => {
    for (let some = next(); some.length > 0; some = next()) for (const peer of peers) await compare(peer, some, counts);
  };
  await Promise.all(Array.from({ length: parallel }, work));
  return counts;
}

async function compare(peer: Peer, requests: readonly Taken[], counts: Counts): Promise<void> {
  const seen = await peer.seen(Buffer.concat([...requests.map(({ bytes }) => bytes), last]));
  if (isSame(seen, requests)) return;
  if (requests.length > 1) {
    const half = requests.length >> 1;
    await compare(peer, requests.slice(0, half), counts);
    return compare(peer, requests.slice(half), counts);
  }
  if (seen.length === 0) counts.refusedByPeer[peer.name] = (counts.refusedByPeer[peer.name] ?? 0) + 1;
  else counts.disagreements.push({ peer: peer.name, request: requests[0]?.bytes.toString('latin1') ?? '', seen });
}

function isSame(seen: readonly string[], requests: readonly Taken[]): boolean {
  return seen.length === requests.length + 1 && seen.at(-1) === sentinel && requests.every(({ target }, index) => seen[index] === target);
}
