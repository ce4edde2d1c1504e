import { InFlight } from './in-flight.ts';
import { answerTo, bearer, call, startPod, until } from '../pod.fake.ts';
import type { FakePod } from '../pod.fake.ts';

describe('calls under way', () => {
  const none: string[] = [];
  const sentences: Record<string, [string[], string | undefined, string[]]> = {
    'none are': [none, '8', none],
    'those of the version in use are not told of': [['+8', '+8'], '8', none],
    'those of others are': [['+7', '+8', '+6'], '8', ['6', '7']],
    'until the last has ended': [['+7', '+7', '+8', '-7'], '8', ['7']],
    'and then no more': [['+7', '+8', '+7', '-7', '-7'], '8', none],
    'also when nothing is in use': [['+7'], undefined, ['7']],
  };
  test.each(Object.entries(sentences))('%s', (_sentence, [events, current, expected]) => {
    const calls = new InFlight();
    for (const event of events) calls[event.startsWith('+') ? 'began' : 'ended'](event.slice(1));
    expect(calls.besides(current)).toEqual(expected);
  });

  test('the end of the last one is told', () => {
    const calls = new InFlight();
    for (const version of ['7', '7', '8']) calls.began(version);
    expect([calls.ended('7'), calls.ended('8'), calls.ended('7')]).toEqual([false, true, true]);
  });
});

describe('through the front door', () => {
  let pod: FakePod;
  beforeAll(async () => {
    pod = await startPod();
  });
  afterAll(() => pod.stop());
  beforeEach(() => {
    Object.assign(pod.credential, { held: '7', newest: '7', answers: [] });
    pod.credential.underWay.clear();
  });
  const underWay = (): Record<string, number> => Object.fromEntries(pod.credential.underWay);

  test('a call has its version from before it is sent until its answer has ended', async () => {
    const more = Promise.withResolvers<void>();
    pod.handler = (_request, response) => {
      response.write('first');
      void more.promise.then(() => response.end('last'));
    };
    const response = await answerTo(pod.request({ headers: bearer }).end());
    expect(underWay()).toEqual({ 7: 1 });
    more.resolve();
    response.resume();
    await until(() => underWay()['7'] === 0);
  });

  test('a call that is replayed has the newer version', async () => {
    pod.credential.newest = '8';
    const over = Promise.withResolvers<void>();
    pod.handler = ({ headers }, response) => {
      if (headers.authorization === `Bearer ${pod.credential.value('7')}`) response.writeHead(401).end();
      else void over.promise.then(() => response.end());
    };
    const answered = call(pod, { headers: bearer });
    await until(() => underWay()['8'] === 1);
    expect(underWay()).toEqual({ 7: 0, 8: 1 });
    over.resolve();
    await answered;
    await until(() => underWay()['8'] === 0);
  });

  test('a client that goes away takes its call with it', async () => {
    pod.handler = () => undefined;
    const request = pod.request({ headers: bearer }).end();
    request.on('error', () => undefined);
    await until(() => underWay()['7'] === 1);
    request.destroy();
    await until(() => underWay()['7'] === 0);
    expect(underWay()).toEqual({ 7: 0 });
  });

  test('a call without the placeholder has none', async () => {
    pod.handler = (_request, response) => void response.end();
    await call(pod);
    expect(underWay()).toEqual({});
  });

  test('the fields of an answer are shown with the version that it was given to', async () => {
    pod.handler = (_request, response) => void response.writeHead(200, { 'GitHub-Authentication-Token-Expiration': 'soon' }).end();
    await call(pod, { headers: bearer });
    expect(pod.credential.answers).toEqual([['7', expect.arrayContaining(['GitHub-Authentication-Token-Expiration', 'soon'])]]);
  });
});
