import { seconds, titleOf } from './report.ts';
import type { Measured } from './measure.ts';

const width = 920;
const row = 46;
const left = 20;
const top = 64;
const bar = { x: 450, width: 300 };
const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** Bars of failed calls, one a placement and kind of rotation, with restarts and times beside them: SVG. */
export function picture(results: readonly Measured[]): string {
  const most = Math.max(1, ...results.map(({ failed }) => failed));
  const height = top + results.length * row + 20;
  const rows = results.map((result, index) => rowOf(result, top + index * row, most));
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="14">
<rect width="100%" height="100%" rx="8" fill="#ffffff"/>
<text x="${left}" y="30" font-size="17" font-weight="600" fill="#1b1f27">Failed calls while eleven MCP servers get new keys</text>
<text x="${left}" y="50" fill="#5b6472">the same servers, clients and rate; the key is written once, in each of three places</text>
${rows.join('\n')}
</svg>
`;
}

function rowOf(result: Measured, y: number, most: number): string {
  const length = Math.round((result.failed / most) * bar.width);
  const colour = result.failed === 0 ? '#2a9d5c' : '#d1495b';
  const what = result.kind === 'overlap' ? 'old key valid meanwhile' : 'old key revoked at once';
  const facts = `${result.restarts} restarts · last server after ${seconds(result.millisecondsToLastServer)}`;
  return `<text x="${left}" y="${y + 16}" fill="#1b1f27">${escape(titleOf(result))}</text>
<text x="${left}" y="${y + 34}" fill="#5b6472" font-size="12">${escape(what)} · ${escape(facts)}</text>
<rect x="${bar.x}" y="${y + 6}" width="${Math.max(3, length)}" height="20" rx="3" fill="${colour}"/>
<text x="${bar.x + Math.max(3, length) + 10}" y="${y + 21}" fill="#1b1f27" font-weight="600">${result.failed.toLocaleString('en')} of ${result.calls.toLocaleString('en')}</text>`;
}
