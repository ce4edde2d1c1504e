import type { CredentialSpec, Place } from './credential.ts';
import { clashOf } from './clash.ts';

type Side = Pick<CredentialSpec, 'inject' | 'env'>;
const authorization: Place = { header: { name: 'Authorization', prefix: 'Bearer ' } };
const side = (inject: Place[], ...env: CredentialSpec['env']): Side => ({ inject, env });
const field = (path: string): Place => ({ jsonField: { path } });
const always = (place: Place): Place => ({ ...place, when: 'Always' });
const ghp = (name: string): CredentialSpec['env'][number] => ({ name, placeholder: 'ghp_0123456789' });

const cases: Record<string, [Side, Side, string | undefined]> = {
  'two headers': [side([authorization]), side([{ header: { name: 'X-Api-Key' } }]), undefined],
  'two headers with one placeholder': [side([authorization], ghp('A')), side([{ header: { name: 'X-Api-Key' } }], ghp('B')), undefined],
  'one header with two placeholders': [side([authorization], { name: 'A' }), side([authorization], { name: 'B' }), undefined],
  'one header with one placeholder': [
    side([authorization], ghp('A')),
    side([authorization], ghp('B')),
    'the header Authorization with the placeholder ghp_0123456789',
  ],
  'one header, one of them in every call': [
    side([authorization]),
    side([always(authorization)]),
    'the header Authorization, one of them in every call',
  ],
  'twins of one header': [
    side([always({ header: { name: 'X-Api-Key' } })]),
    side([{ header: { name: 'x_api_key' } }]),
    'the header X-Api-Key, one of them in every call',
  ],
  'basic and the header that it is in': [
    side([{ basic: {} }]),
    side([always(authorization)]),
    'the header Authorization, one of them in every call',
  ],
  'a header and a parameter of one name': [side([always({ header: { name: 'key' } })]), side([{ query: { name: 'key' } }]), undefined],
  'one parameter': [
    side([{ query: { name: 'key' } }], ghp('A')),
    side([{ query: { name: 'key' } }], ghp('B')),
    'the parameter key with the placeholder ghp_0123456789',
  ],
  'two fields': [side([always(field('auth.a'))]), side([always(field('auth.ab'))]), undefined],
  'a field within another': [side([always(field('auth'))]), side([field('auth.token')]), 'the field auth, one of them in every call'],
  'the second place of one': [
    side([field('a'), authorization]),
    side([always(authorization)]),
    'the header Authorization, one of them in every call',
  ],
  'one variable': [
    side([authorization], { name: 'TOKEN' }),
    side([field('a')], { name: 'TOKEN' }),
    'the variable TOKEN, which holds one placeholder',
  ],
};
test.each(Object.entries(cases))('%s', (_sentence, [one, other, clash]) => {
  const named = (name: string, spec: Side): { name: string; spec: Side } => ({ name, spec });
  expect(clashOf(named('one', one), named('other', other))).toBe(clash);
  expect(clashOf(named('one', other), named('other', one)) === undefined).toBe(clash === undefined);
});
