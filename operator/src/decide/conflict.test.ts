import type { Credential } from '@rekey/crds/credential.ts';
import { conflictOf } from './conflict.ts';
import { credential } from './input.fixture.ts';

const at = (time: string, name: string, spec: Parameters<typeof credential>[1] = {}): Credential => {
  const one = credential(name, spec);
  return { ...one, metadata: { ...one.metadata, creationTimestamp: time } };
};
const [early, late] = ['2026-11-22T10:00:00Z', '2026-11-22T11:00:00Z'];
const labels = (matchLabels: Record<string, string>) => ({ podSelector: { matchLabels } });

interface Case {
  pair: [Credential, Credential];
  pods?: Record<string, string>[];
  /** Name of the one that has the conflict. */
  loser: string | undefined;
}

const cases: Record<string, Case> = {
  'the younger one has the conflict': { pair: [at(late, 'a'), at(early, 'b')], loser: 'a' },
  'of one moment, the later name has it': { pair: [at(early, 'a'), at(early, 'b')], loser: 'b' },
  'another host is no conflict': { pair: [at(early, 'a'), at(late, 'b', { hosts: ['gitlab.com'] })], loser: undefined },
  'port 443 is the same host': { pair: [at(early, 'a'), at(late, 'b', { hosts: ['api.github.com:443'] })], loser: 'b' },
  'another port is another host': { pair: [at(early, 'a'), at(late, 'b', { hosts: ['api.github.com:8443'] })], loser: undefined },
  'a selector that includes the other is a conflict before there is a pod': {
    pair: [at(early, 'a', labels({ app: 'x' })), at(late, 'b', labels({ app: 'x', tier: 'y' }))],
    loser: 'b',
  },
  'selectors that may overlap are none as long as no pod has both': {
    pair: [at(early, 'a', labels({ app: 'x' })), at(late, 'b', labels({ tier: 'y' }))],
    pods: [{ app: 'x' }, { tier: 'y' }],
    loser: undefined,
  },
  'a pod that both select makes it one': {
    pair: [at(early, 'a', labels({ app: 'x' })), at(late, 'b', labels({ tier: 'y' }))],
    pods: [{ app: 'x', tier: 'y' }],
    loser: 'b',
  },
  'two headers of one host are no conflict': {
    pair: [at(early, 'a'), at(late, 'b', { env: [{ name: 'KEY' }], inject: [{ header: { name: 'X-Api-Key' } }] })],
    loser: undefined,
  },
  'one header with two placeholders is none': { pair: [at(early, 'a'), at(late, 'b', { env: [{ name: 'KEY' }] })], loser: undefined },
  'one variable for both is a conflict': {
    pair: [at(early, 'a'), at(late, 'b', { inject: [{ header: { name: 'X-Api-Key' } }] })],
    loser: 'b',
  },
  'an expression is not known to include anything': {
    pair: [at(early, 'a', { podSelector: { matchExpressions: [{ key: 'z', operator: 'Exists' }] } }), at(late, 'b', labels({ app: 'x' }))],
    loser: undefined,
  },
};

test.each(Object.entries(cases))('%s', (_sentence, { pair: [a, b], pods = [], loser }) => {
  const losers = [
    [a, b],
    [b, a],
  ].flatMap(([one, other]) => (conflictOf(one as Credential, [other as Credential], pods) === undefined ? [] : [one?.metadata.name]));
  expect(losers).toEqual(loser === undefined ? [] : [loser]);
});

test('an older one that is being deleted is in nobody’s way', () => {
  const gone = at(early, 'a');
  gone.metadata.deletionTimestamp = late;
  expect(conflictOf(at(late, 'b'), [gone], [])).toBeUndefined();
});
