import { Failure } from '@rekey/lib/reason.ts';
import type { Answer } from './answer.ts';
import { Session } from '@rekey/lib/session.ts';
import { tokenOf } from './login.ts';

const lease = 3600;
const good = (number: number): Answer => ({ status: 200, body: { auth: { client_token: `hvs.${number}`, lease_duration: lease } } });

function setUp() {
  const world = { now: 0, logins: 0, answer: undefined as Answer | Failure | undefined };
  const login = (): Promise<Answer> => {
    world.logins += 1;
    const answer = world.answer ?? good(world.logins);
    return answer instanceof Failure ? Promise.reject(answer) : Promise.resolve(answer);
  };
  const session = new Session({ login: async () => tokenOf(await login(), 'store default', 'mcp'), now: () => world.now, random: () => 0 });
  const token = async (): Promise<string> => (await session.token()).secret.reveal();
  return { world, session, token };
}

test('one login until two thirds of the lease, then another', async () => {
  const { world, token } = setUp();
  await token();
  world.now = 2_399_000;
  expect(await token()).toBe('hvs.1');
  world.now = 2_400_000;
  expect(await token()).toBe('hvs.2');
  expect(world.logins).toBe(2);
});

test('a login that fails by an outage leaves the token in use until it ends, and is not tried by every read', async () => {
  const { world, token } = setUp();
  await token();
  world.answer = new Failure('SourceUnreachable');
  world.now = 2_400_000;
  expect(await token()).toBe('hvs.1');
  expect(await token()).toBe('hvs.1');
  expect(world.logins).toBe(2);
  world.now += 5000;
  expect(await token()).toBe('hvs.1');
  expect(world.logins).toBe(3);
  world.now = 3_600_000;
  await expect(token()).rejects.toThrow(Failure);
});

test('a throttled login is an outage: its body has errors too', async () => {
  const { world, token } = setUp();
  await token();
  world.answer = { status: 429, body: { errors: ['quota'] } };
  world.now = 2_400_000;
  expect(await token()).toBe('hvs.1');
});

test('a login that is refused ends the token before its time', async () => {
  const { world, session, token } = setUp();
  await token();
  world.answer = { status: 403, body: { errors: ['permission denied'] } };
  world.now = 2_400_000;
  await expect(token()).rejects.toMatchObject({ reason: 'SourceDenied' });
  expect(session.held).toBeUndefined();
});

test('a token that a read was refused with is replaced once, however many reads were refused', async () => {
  const { world, session } = setUp();
  const first = await session.token();
  const again = await Promise.all([session.token(first), session.token(first), session.token(first)]);
  expect(again.map(({ secret }) => secret.reveal())).toEqual(['hvs.2', 'hvs.2', 'hvs.2']);
  expect((await session.token(first)).secret.reveal()).toBe('hvs.2');
  expect(world.logins).toBe(2);
});

test('a lease of 0 never ends', async () => {
  const { world, token } = setUp();
  world.answer = { status: 200, body: { auth: { client_token: 'root', lease_duration: 0 } } };
  await token();
  world.now = 1e12;
  expect(await token()).toBe('root');
  expect(world.logins).toBe(1);
});

test.each([{}, { auth: null }, { auth: { client_token: '', lease_duration: 1 } }, { auth: { client_token: 'x' } }, []])(
  'an answer without a token: %j',
  async (body) => {
    const { world, token } = setUp();
    world.answer = { status: 200, body };
    await expect(token()).rejects.toMatchObject({ reason: 'SourceResponseInvalid' });
  },
);
