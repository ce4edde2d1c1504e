import { crc32c } from './crc32c.ts';

test.each([
  ['', 0],
  ['123456789', 0xe3_06_92_83],
  ['The quick brown fox jumps over the lazy dog', 0x22_62_04_04],
])('the CRC-32C of "%s"', (text, sum) => {
  expect(crc32c(Buffer.from(text))).toBe(sum);
});

test('the examples of RFC 3720', () => {
  expect(crc32c(new Uint8Array(32))).toBe(0x8a_91_36_aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62_a8_ab_43);
});
