import type { PodStatus } from './holder.ts';
import { hasEnded, identityOf, podOf } from './holder.ts';

const renewed = '2026-11-26T12:00:00.250000Z';
const running = { running: { startedAt: '2026-11-26T11:00:00Z' } };

function ended(where: 'state' | 'lastState', finishedAt: string, name = 'operator'): PodStatus {
  return { status: { containerStatuses: [{ name, state: running, [where]: { terminated: { finishedAt } } }] } };
}

const cases: Record<string, { pod: PodStatus | undefined; over: boolean }> = {
  'one whose container has ended is over': { pod: ended('state', '2026-11-26T12:00:01Z'), over: true },
  'one whose container has ended and runs again is over': { pod: ended('lastState', '2026-11-26T12:00:01Z'), over: true },
  'one whose container ended in the second of its last renewal is over': { pod: ended('state', '2026-11-26T12:00:00Z'), over: true },
  'one that renewed after its container had ended is the next life': { pod: ended('lastState', '2026-11-26T11:59:59Z'), over: false },
  'one beside which another container has ended may run': { pod: ended('state', '2026-11-26T12:00:01Z', 'mesh'), over: false },
  'one whose container runs may run': { pod: { status: { containerStatuses: [{ name: 'operator', state: running }] } }, over: false },
  'one whose kubelet has said nothing yet may run': { pod: {}, over: false },
  'one whose pod is gone is over': { pod: undefined, over: true },
};
test.each(Object.entries(cases))('of the holders %s', (_which, { pod, over }) => {
  expect(hasEnded(pod, renewed)).toBe(over);
});

test('who never renewed is not over by that', () => {
  expect(hasEnded(ended('state', '2026-11-26T12:00:01Z'), undefined)).toBe(false);
});

test('an identity names its pod, whatever the pod is called', () => {
  expect(podOf(identityOf('rekey-operator-5c9d-x7', '0a1b2c3d'))).toBe('rekey-operator-5c9d-x7');
});
