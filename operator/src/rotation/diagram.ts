import { transitions } from './phases.ts';
import type { Transition } from './phases.ts';

const [begin, end] = ['<!-- generated from operator/src/rotation/phases.ts -->', '<!-- end of what is generated -->'];

/** The procedure as a picture and as a table: GitHub and most editors draw the first one. */
export function diagram(rows: readonly Transition[] = transitions): string {
  const arrows = rows.map(({ from, to, when }) => `  ${from} --> ${to}: ${when}`);
  const table = rows.map(({ from, to, when }) => `| ${from} | ${when} | ${to} |`);
  return [
    '```mermaid',
    'stateDiagram-v2',
    '  [*] --> New: the source has another version than the rotation is about, or a person pins one',
    ...arrows,
    '```',
    '',
    '| phase | what is so; of one phase the first row that holds | next phase |',
    '|---|---|---|',
    ...table,
  ].join('\n');
}

/** The page with the diagram as it is now between its two marks. */
export function withDiagram(page: string): string {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`docs/rotation.md has no place for the diagram: ${begin} … ${end}`);
  return `${page.slice(0, from)}${begin}\n\n${diagram()}\n\n${page.slice(to)}`;
}
