import { randomOf } from '../http/fuzz/generate.ts';
import { reach } from './reach.ts';

const at = (text: string, path: string): string[] | undefined => {
  const bytes = Buffer.from(text);
  return reach(bytes, path.split('.'))?.values.map(({ from, to }) => bytes.subarray(from, to).toString());
};

const cases: Record<string, [string, string, string[] | undefined]> = {
  'a field at the top': ['{"a":1,"token":"x"}', 'token', ['"x"']],
  'a field within an object': ['{"auth" : { "token" :\t"x" } }', 'auth.token', ['"x"']],
  'behind text of several bytes': ['{"ü😀":"😀","token":"ü"}', 'token', ['"ü"']],
  'any kind of value': ['{"token":[1,{"token":2}]}', 'token', ['[1,{"token":2}]']],
  'a name that is escaped': [String.raw`{"to\u006ben":"x"}`, 'token', ['"x"']],
  'an escaped quote within': [String.raw`{"a":"\"token\":\\","token":"x"}`, 'token', ['"x"']],
  'every one of several': ['{"token":"x","token":"y"}', 'token', ['"x"', '"y"']],
  'both ways to it': ['{"auth":{"token":"x"},"auth":{"token":"y"}}', 'auth.token', ['"x"', '"y"']],
  'no field of the name elsewhere': ['{"other":{"token":"x"},"list":[{"token":"y"}]}', 'token', []],
  'no field within a list': ['[{"token":"x"}]', 'token', []],
  'no name with a dot': ['{"auth.token":"x"}', 'auth.token', []],
  'nothing behind the end': ['{"token":"x"}{}', 'token', undefined],
  'nothing without an end': ['{"token":"x"', 'token', undefined],
};
test.each(Object.entries(cases))('finds %s', (_sentence, [text, path, values]) => {
  expect(at(text, path)).toEqual(values);
});

test('an object that lacks the last name is told, with the place behind its brace', () => {
  expect(reach(Buffer.from(' {"auth":{}, "b":{}}'), ['auth', 'token'])?.lacking).toEqual([{ at: 10, isEmpty: true }]);
  expect(reach(Buffer.from('{"b":{}}'), ['token'])?.lacking).toEqual([{ at: 1, isEmpty: false }]);
  expect(reach(Buffer.from('{"b":{}}'), ['auth', 'token'])?.lacking).toEqual([]);
});

test('what is nested too deep is none, and the stack stays', () => {
  expect(reach(Buffer.from('['.repeat(1024 * 1024)), ['token'])).toBeUndefined();
  expect(reach(Buffer.from(`${'['.repeat(128)}${']'.repeat(128)}`), ['token'])).toEqual({ values: [], lacking: [] });
  expect(reach(Buffer.from(`${'['.repeat(129)}${']'.repeat(129)}`), ['token'])).toBeUndefined();
});

const seeds = [
  '{"token":"x","a":[1,-0.5e+3,true,false,null,{}],"b":{"token":"\\u00e9\\n\\"","c":""}}',
  '[0,1e9,"\\\\",{"a":[[],[{}]]},-1.25E-2]',
  ' { "t" : [ ] , "u" : { } , "\\u0074oken" : 12 } ',
];
const bits = [
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '0',
  '1',
  '-',
  '.',
  'e',
  '+',
  ' ',
  '\n',
  'u',
  't',
  'true',
  'null',
  '\u0001',
  '\u00ff',
];

test('20,000 texts with something put in, taken out or doubled are JSON to us exactly when they are to JSON.parse', () => {
  const random = randomOf(5);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  let valid = 0;
  for (let count = 0; count < 20_000; count += 1) {
    let text = pick(seeds);
    for (let changes = 1 + Math.floor(random() * 2); changes > 0; changes -= 1) {
      const place = Math.floor(random() * (text.length + 1));
      const taken = random() < 0.5 ? Math.floor(random() * 3) : 0;
      text = text.slice(0, place) + (random() < 0.7 ? pick(bits) : '') + text.slice(place + taken);
    }
    const isJSON = isParsed(text);
    valid += isJSON ? 1 : 0;
    expect([text, reach(Buffer.from(text, 'latin1'), ['token']) !== undefined]).toEqual([text, isJSON]);
  }
  expect(valid).toBeGreaterThan(2000);
  expect(valid).toBeLessThan(18_000);
});

function isParsed(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
