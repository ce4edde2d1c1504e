import { setImmediate as turnEnds } from 'node:timers/promises';
import { Turn } from './turn.ts';

/** With two calls under way. */
function busy(): Turn {
  const turn = new Turn();
  for (let n = 0; n < 2; n += 1) turn.begin();
  return turn;
}

function recorder(turn: Turn): { said: string[]; write: (name: string, then?: () => void) => void; after: (name: string) => void } {
  const said: string[] = [];
  const due = (name: string, then?: () => void): { endTurn: () => void } => ({
    endTurn: () => {
      said.push(name);
      then?.();
    },
  });
  return {
    said,
    write: (name, then) => turn.write(due(name, then)),
    after: (name) => turn.afterWrites(due(name)),
  };
}

test('nothing is written while the turn lasts; then all writes leave, and what nobody waits for comes behind them', async () => {
  const { said, write, after } = recorder(busy());
  after('line');
  write('first');
  await Promise.resolve();
  write('second');
  expect(said).toEqual([]);
  await turnEnds();
  expect(said).toEqual(['first', 'second', 'line']);
});

test('a write that another one gives rise to leaves in the same turn', async () => {
  const { said, write } = recorder(busy());
  write('first', () => write('its answer'));
  await turnEnds();
  expect(said).toEqual(['first', 'its answer']);
});

test('a write that comes of the end itself leaves in the next turn, and each is done once', async () => {
  const turn = busy();
  const { said, write } = recorder(turn);
  turn.afterWrites({ endTurn: () => write('late') });
  await turnEnds();
  await turnEnds();
  write('last');
  await turnEnds();
  expect(said).toEqual(['late', 'last']);
});

test('a call that is alone waits for no other, but behind what waits already', async () => {
  const turn = new Turn();
  turn.begin();
  const { said, write } = recorder(turn);
  write('at once');
  expect(said).toEqual(['at once']);
  turn.atEnd({ endTurn: () => said.push('at the end') });
  write('behind it');
  expect(said).toEqual(['at once']);
  await turnEnds();
  expect(said).toEqual(['at once', 'at the end', 'behind it']);
});
