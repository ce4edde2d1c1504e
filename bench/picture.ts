import type { Peer, RatioKey, Round, Spread } from './figures.ts';
import { ratio, ratioFigures } from './figures.ts';

const width = 920;
const left = 24;
const plot = { x: 330, width: 540 };
const block = 118;
const top = 92;
/** The axis goes from 1/8 to 8 times, by doublings: twice as good lies as far from 1 as half as good. */
const reach = 3;
const colours: Record<Peer, string> = { envoy: '#7c4dbd', nginx: '#2a9d5c', haproxy: '#2f6fb0' };
const names: Record<Peer, string> = { envoy: 'Envoy', nginx: 'nginx', haproxy: 'HAProxy' };
const peers = Object.keys(colours) as Peer[];
const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** The sidecar against each peer: a dot for the median, a line from the least to the most, and the bounds against Envoy: SVG. */
export function picture(rounds: readonly Round[]): string {
  const keys = Object.keys(ratioFigures) as RatioKey[];
  const height = top + keys.length * block + 18;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="13">
<rect width="100%" height="100%" rx="8" fill="#ffffff"/>
<text x="${left}" y="30" font-size="17" font-weight="600" fill="#1b1f27">The sidecar against three proxies written in C and C++</text>
<text x="${left}" y="50" fill="#5b6472">ours divided by theirs, TLS on both sides; dot: median of ${rounds.length} paired runs, line: least to most; right is better</text>
<text x="${left}" y="70" fill="#5b6472">against Envoy with its credential injector there are bounds: <tspan fill="#d1495b">must</tspan> and <tspan fill="#e0a100">aim</tspan></text>
${keys.map((key, index) => blockOf(key, rounds, top + index * block)).join('\n')}
</svg>
`;
}

function blockOf(key: RatioKey, rounds: readonly Round[], y: number): string {
  const { title, against } = ratioFigures[key];
  const { must, aim } = against.envoy;
  const more = 'more' in against.envoy;
  const grid = [-3, -2, -1, 0, 1, 2, 3].map((power) => tick(2 ** power, y, more));
  const rows = peers.map((peer, row) => rowOf(peer, ratio(key, rounds, peer), y + 26 + row * 22, more));
  return `<text x="${left}" y="${y + 12}" fill="#1b1f27" font-weight="600">${escape(title)}</text>
${grid.join('\n')}
${bound(must, '#d1495b', y, more)}
${bound(aim, '#e0a100', y, more)}
${rows.join('\n')}`;
}

/** Better is always to the right, whether that is more or less. */
function position(figure: number, more: boolean): number {
  const doublings = Math.log2(figure) * (more ? 1 : -1);
  const within = Math.min(reach, Math.max(-reach, doublings));
  return Math.round((plot.x + plot.width * ((within + reach) / (2 * reach))) * 10) / 10;
}

function tick(figure: number, y: number, more: boolean): string {
  const x = position(figure, more);
  const strong = figure === 1;
  return `<line x1="${x}" x2="${x}" y1="${y + 14}" y2="${y + 82}" stroke="${strong ? '#8a93a0' : '#e4e7eb'}"/>
<text x="${x}" y="${y + 98}" text-anchor="middle" font-size="11" fill="#5b6472">${strong ? 'the same' : `${figure}x`}</text>`;
}

function bound(figure: number, colour: string, y: number, more: boolean): string {
  const x = position(figure, more);
  return `<line x1="${x}" x2="${x}" y1="${y + 12}" y2="${y + 38}" stroke="${colour}" stroke-width="2" stroke-dasharray="4 2"/>`;
}

function rowOf(peer: Peer, { median, least, most }: Spread, y: number, more: boolean): string {
  const colour = colours[peer];
  const [from, to] = [position(least, more), position(most, more)].toSorted((a, b) => a - b);
  return `<text x="${left + 12}" y="${y + 4}" fill="#1b1f27">against ${names[peer]}</text>
<text x="${plot.x - 24}" y="${y + 4}" text-anchor="end" fill="#1b1f27" font-weight="600">${median.toFixed(2)}x</text>
<line x1="${from}" x2="${to}" y1="${y}" y2="${y}" stroke="${colour}" stroke-width="3" opacity="0.45"/>
<circle cx="${position(median, more)}" cy="${y}" r="5" fill="${colour}"/>`;
}
