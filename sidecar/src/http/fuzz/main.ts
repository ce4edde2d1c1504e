import { fuzz } from './fuzz.ts';
import { llhttp, nginx } from './peers.ts';

// `make fuzz`: a million generated requests against llhttp and nginx. FUZZ_COUNT and FUZZ_SEED say how many, and which.
const count = Number(process.env['FUZZ_COUNT'] ?? 1_000_000);
const seed = Number(process.env['FUZZ_SEED'] ?? 1);
const peers = [await llhttp(), await nginx()];
const counts = await fuzz(count, seed, peers, ({ generated, taken, disagreements }) =>
  process.stdout.write(`${generated} generated, ${taken} taken, ${disagreements.length} disagreements\n`),
);
for (const peer of peers) peer.stop();
process.stdout.write(`${JSON.stringify({ seed, ...counts }, undefined, 2)}\n`);
process.exit(counts.disagreements.length === 0 ? 0 : 1);
