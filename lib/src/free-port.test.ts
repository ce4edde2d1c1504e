import { freePort } from './free-port.fixture.ts';

test('a port is not given again before its server had the time to listen', async () => {
  const given = new Set<number>();
  for (let asked = 0; asked < 500; asked += 1) given.add(await freePort());
  expect(given.size).toBe(500);
});
