import { gzipSync } from 'node:zlib';
import { fakeClock } from '../clock.fake.ts';
import { readResponseHead } from '../http/response-head.ts';
import { defaultLimits } from '../limits.ts';
import { Scrubbed } from './scrubbed.ts';
import { Unpacking } from './unpacking.ts';

test('while a decoder has enough to do, a client that takes more brings no more to it, and makes it no faster', async () => {
  const head = readResponseHead('HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n');
  let made = 0;
  const unpacking = new Unpacking({ clock: fakeClock(), limits: defaultLimits, reached: () => {} });
  const scrubbed = new Scrubbed(
    head,
    'GET',
    { needles: [Buffer.from('needle')], placeholder: 'none' },
    {
      write: ({ length }) => {
        made += length;
        return true;
      },
      resume: () => {},
      broken: () => {},
      replaced: () => {},
      unpacking,
    },
  );
  const packed = gzipSync(Buffer.alloc(100_000_000)).subarray(0, 60_000);
  expect(scrubbed.write(Buffer.concat([Buffer.from(`${packed.length.toString(16)}\r\n`), packed, Buffer.from('\r\n')]))).toBe(false);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const before = made;
  expect(before).toBeGreaterThan(1024 * 1024);
  expect(scrubbed.drained()).toBe(false);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(made).toBe(before);
  scrubbed.destroy();
});
