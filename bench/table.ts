import type { Bounds, OwnKey, Peer, RatioKey, Round, Spread } from './figures.ts';
import { ours, ownFigures, ratio, ratioFigures, verdict } from './figures.ts';

export type Own = Partial<Record<OwnKey, Spread>>;

const peers = ['envoy', 'nginx', 'haproxy'] as const satisfies readonly Peer[];
const ratioKeys = Object.keys(ratioFigures) as RatioKey[];
const ownKeys = Object.keys(ownFigures) as OwnKey[];
const widths = [52, 22, 20, 20, 20, 10, 10, 8];
const line = (...cells: string[]): string =>
  cells
    .map((cell, at) => cell.padEnd(widths[at] ?? 0))
    .join('')
    .trimEnd();

/** The table of what was measured, what must be and what should be: a line each, with the least and the most in brackets. */
export function table(rounds: readonly Round[], own: Own): string {
  const ratios = ratioKeys.flatMap((key) => ratioLines(key, rounds));
  const alone = ownKeys.filter((key) => key in own).map((key) => ownLine(key, own[key] as Spread));
  return [line('figure', 'rekey', '/ envoy', '/ nginx', '/ haproxy', 'must', 'aim', 'met'), ...ratios, ...alone].join('\n');
}

/** Under each figure stands the aim against nginx, which is the floor that C reaches. */
function ratioLines(key: RatioKey, rounds: readonly Round[]): string[] {
  const { title, unit, against } = ratioFigures[key];
  const columns = peers.map((peer) => spread(ratio(key, rounds, peer), 'x', 2));
  const against_ = (peer: 'envoy' | 'nginx'): string[] => bounds(ratio(key, rounds, peer).median, against[peer], 'x');
  return [
    line(title, spread(ours(key, rounds), ` ${unit}`, 0), ...columns, ...against_('envoy')),
    line('  the same against nginx', '', '', '', '', ...against_('nginx')),
  ];
}

function ownLine(key: OwnKey, figure: Spread): string {
  const { title, unit, bounds: within } = ownFigures[key];
  const cells = within === undefined ? [] : bounds(figure.median, within, '');
  return line(title, spread(figure, ` ${unit}`, 1), '', '', '', ...cells);
}

function bounds(figure: number, within: Bounds, unit: string): string[] {
  const sign = within.more ? '>=' : '<=';
  const must = within.must === undefined ? 'printed' : `${sign} ${within.must}${unit}`;
  return [must, `${sign} ${within.aim}${unit}`, verdict(figure, within)];
}

function spread({ median, least, most }: Spread, unit: string, digits: number): string {
  const [middle, low, high] = [median, least, most].map((number) => number.toFixed(digits));
  return low === high ? `${middle}${unit}` : `${middle}${unit} (${low}-${high})`;
}

/** The musts that do not hold, one sentence each. */
export function broken(rounds: readonly Round[], own: Own): string[] {
  const ratios = ratioKeys.flatMap((key) => {
    const { title, against } = ratioFigures[key];
    const { median } = ratio(key, rounds, 'envoy');
    return verdict(median, against.envoy) === 'missed'
      ? [`${title}: ${median.toFixed(2)}x of Envoy's, must be ${against.envoy.must}x`]
      : [];
  });
  const alone = ownKeys.flatMap((key) => {
    const { title, unit, bounds } = ownFigures[key];
    const { median = Number.NaN } = own[key] ?? {};
    return bounds !== undefined && verdict(median, bounds) === 'missed'
      ? [`${title}: ${median.toFixed(1)} ${unit}, must be ${bounds.must} at most`]
      : [];
  });
  return [...ratios, ...alone];
}

/** What build/bench.json holds: medians by figure and peer, and their spreads beside them. */
export function record(rounds: readonly Round[], own: Own): object {
  const byFigure = (of: (spread: Spread) => unknown): object => ({
    ...Object.fromEntries(ratioKeys.map((key) => [key, Object.fromEntries(peers.map((peer) => [peer, of(ratio(key, rounds, peer))]))])),
    ...Object.fromEntries(Object.entries(own).map(([key, figure]) => [key, of(figure)])),
  });
  return { ...byFigure(({ median }) => median), spread: byFigure(({ least, most }) => [least, most]), rounds };
}
