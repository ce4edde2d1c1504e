import { readFileSync } from 'node:fs';
import { phases } from '@rekey/crds/rotation.ts';
import { diagram, withDiagram } from './diagram.ts';
import { transitions } from './phases.ts';

test('the page draws the procedure that runs', () => {
  const page = readFileSync(new URL('../../../docs/rotation.md', import.meta.url), 'utf8');
  expect(withDiagram(page)).toBe(page);
});

test('every phase is reached, from a new version', () => {
  const reached = new Set<string>(['New']);
  for (const _round of phases) for (const { from, to } of transitions) if (reached.has(from)) reached.add(to);
  expect([...reached].sort()).toEqual(['New', ...phases].sort());
});

test('no phase leads back to an earlier one, so that deciding ends', () => {
  const order: readonly string[] = ['New', 'Probing', 'Canary', 'RollingOut', 'Complete', 'RolledBack'];
  expect(transitions.filter(({ from, to }) => order.indexOf(to) <= order.indexOf(from))).toEqual([]);
});

test('words that the picture’s language gives a meaning are not in it', () => {
  expect(
    diagram()
      .split('\n')
      .filter((line) => line.startsWith('  ') && /[;#]/u.test(line)),
  ).toEqual([]);
});
