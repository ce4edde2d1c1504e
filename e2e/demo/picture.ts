import { readFileSync, writeFileSync } from 'node:fs';

// `node e2e/demo/picture.ts TEXT SVG`: draws what a terminal showed, for the README. Text only, so that it stays sharp and small.
const [from, to] = process.argv.slice(2);
if (from === undefined || to === undefined) throw new Error('usage: node e2e/demo/picture.ts TEXT SVG');
const lines = readFileSync(from, 'utf8').trimEnd().split('\n');

const letter = { width: 8.43, height: 18 };
const margin = 20;
const columns = Math.max(...lines.map((line) => line.length));
const size = { width: Math.ceil(columns * letter.width + 2 * margin), height: lines.length * letter.height + 2 * margin + 24 };

const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** A colour for what a line says: a command, a title, success, progress. */
function colour(line: string): string {
  if (line.startsWith('$')) return '#ffffff';
  if (/^\[.*\] \(/u.test(line) || /^[A-Z ─]+$/u.test(line) || /NAME +READY/u.test(line)) return '#7fb3ff';
  if (/0 failed|AllPods|True +CallsSucceed/u.test(line)) return '#8fd694';
  if (/False|Suspended/u.test(line)) return '#ffb86b';
  return '#d0d4da';
}

const text = lines.map(
  (line, index) =>
    `<text x="${margin}" y="${margin + 36 + index * letter.height}" fill="${colour(line)}" xml:space="preserve">${escape(line)}</text>`,
);
writeFileSync(
  to,
  `<svg xmlns="http://www.w3.org/2000/svg" width="${size.width}" height="${size.height}" viewBox="0 0 ${size.width} ${size.height}" font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="14">
<rect width="100%" height="100%" rx="10" fill="#1b1f27"/>
<circle cx="22" cy="18" r="6" fill="#ff5f57"/><circle cx="42" cy="18" r="6" fill="#febc2e"/><circle cx="62" cy="18" r="6" fill="#28c840"/>
${text.join('\n')}
</svg>
`,
);
