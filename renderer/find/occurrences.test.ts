import { expect, test } from 'vitest';
import { occurrences } from './occurrences.ts';

test('words are found whatever their case, and signs mean themselves', () => {
  expect(occurrences('Total: total', 'TOTAL')).toEqual([
    { from: 0, to: 5 },
    { from: 7, to: 12 },
  ]);
  expect(occurrences('a.b (c) [d] ^$ x/y-z', '(c) [d] ^$ x/y-z')).toEqual([{ from: 4, to: 20 }]);
  expect(occurrences('axb', 'a.b')).toEqual([]);
  expect(occurrences('ÄRGER', 'ärger')).toHaveLength(1);
  expect(occurrences('one\ntwo', 'one two')).toHaveLength(1);
});

test('nothing is found of nothing, and never more than can be stepped through', () => {
  expect(occurrences('abc', ' ')).toEqual([]);
  expect(occurrences('aaaa', 'aa')).toHaveLength(2);
  expect(occurrences('a'.repeat(100_000), 'a', 999)).toHaveLength(999);
});
