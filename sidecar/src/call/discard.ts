import type { Exchange, UpstreamConnection } from '../upstream/upstream-connection.ts';

const patience = 1000;

/** Lets an answer that nobody wants run out, so that its connection can be used again; one that takes longer is cut off. */
export function discard(connection: UpstreamConnection): void {
  const timer = setTimeout(() => connection.destroy(), patience).unref();
  const done = (): void => clearTimeout(timer);
  const nobody: Exchange = {
    informed: () => {},
    switches: () => false,
    answered: (_head, _raw, last) => (last ? done() : undefined),
    more: (_piece, last) => (last ? done() : undefined),
    drained: () => {},
    lost: done,
  };
  connection.handOver(nobody);
}
