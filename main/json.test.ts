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
