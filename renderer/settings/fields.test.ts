import { expect, test } from 'vitest';
import { parseNumber, type NumberRule } from './fields.ts';

const context: NumberRule = { least: 256, most: 131_072, whole: true, optional: true };
const temperature: NumberRule = { least: 0, most: 2, optional: true };
const topP: NumberRule = { least: 0, most: 1, above: true, optional: true };
const length: NumberRule = { least: 1, most: 16_384, whole: true };

test.each<[string, NumberRule, number | null]>([
  ['', context, null],
  [' 4096 ', context, 4096],
  ['131,072', context, 131_072],
  ['4 096', context, 4096],
  ['0', temperature, 0],
  ['0.7', temperature, 0.7],
  ['0,7', temperature, 0.7],
  ['0,700', temperature, 0.7],
  ['.5', topP, 0.5],
  ['1', topP, 1],
])('"%s" is understood', (typed, rule, value) => {
  expect(parseNumber(typed, rule)).toEqual({ ok: true, value });
});

test.each<[string, NumberRule, RegExp]>([
  ['', length, /Enter a number/],
  ['lots', length, /“lots” is not a number/],
  ['1e3', length, /not a number/],
  ['12.5', length, /whole/],
  ['255', context, /between 256 and 131,072/],
  ['-1', temperature, /between 0 and 2/],
  ['2.1', temperature, /between 0 and 2/],
  ['0', topP, /above 0/],
])('"%s" is refused, and why', (typed, rule, why) => {
  const parsed = parseNumber(typed, rule);
  expect(parsed.ok).toBe(false);
  expect(parsed).toHaveProperty('problem', expect.stringMatching(why));
});
