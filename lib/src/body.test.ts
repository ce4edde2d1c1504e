import { Readable } from 'node:stream';
import { parseJson, readText } from './body.ts';

const tooLarge = (): Error => new RangeError('too large');

test('a body is read whole, characters that span two chunks too', async () => {
  const bytes = Buffer.from('a€b');
  expect(await readText(Readable.from([bytes.subarray(0, 2), bytes.subarray(2)]), 5, tooLarge)).toBe('a€b');
});

test('a body that is too large is rejected and destroyed, not read on', async () => {
  let made = 0;
  const endless = Readable.from(
    (function* chunks() {
      for (;;) yield Buffer.alloc(1000, (made += 1));
    })(),
    { highWaterMark: 1 },
  );
  await expect(readText(endless, 2500, tooLarge)).rejects.toThrow('too large');
  expect(endless.destroyed).toBe(true);
  expect(made).toBeLessThan(10);
});

test('text that is not JSON is undefined', () => {
  expect(parseJson('{"a":1}')).toEqual({ a: 1 });
  expect(parseJson('<html>')).toBeUndefined();
});
