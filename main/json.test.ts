import { expect, test } from 'vitest';
import { parseJsonObject } from './json.ts';

test('what Python and editors write beside JSON’s rules', () => {
  expect(parseJsonObject('\uFEFF{"a": NaN, "b": [-Infinity, Infinity], "c": "NaN \\" Infinity", "d": 1}')).toEqual({
    a: 'NaN',
    b: ['-Infinity', 'Infinity'],
    c: 'NaN " Infinity',
    d: 1,
  });
  expect(parseJsonObject('{"a": NaNa}')).toBeNull();
});

test.each(['', '[]', 'null', '"x"', '{"a": 1,}', '{"a": 1} x'])('no object: %s', (text) => {
  expect(parseJsonObject(text)).toBeNull();
});

test.each([
  ['nested deeper than files of models are', '{"a":'.repeat(17) + '1' + '}'.repeat(17)],
  ['60 MB of brackets', `{"a": ${'['.repeat(30_000_000)}${']'.repeat(30_000_000)}}`],
  ['more values than files of models have', `{"a": [${'[],'.repeat(1_500_000)}[]]}`],
])('%s are not parsed', (_, text) => {
  expect(parseJsonObject(text)).toBeNull();
});

test('brackets and commas in a text are no values', () => {
  expect(parseJsonObject(JSON.stringify({ a: '[{,\\"'.repeat(100) }))).toEqual({ a: '[{,\\"'.repeat(100) });
});
