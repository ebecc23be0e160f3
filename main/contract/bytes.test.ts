import { expect, test } from 'vitest';
import { formatBytes } from './bytes.ts';

test.each([
  [0, '0 B'],
  [0.4, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [99_940, '99.9 kB'],
  [99_960, '100 kB'],
  [999_400, '999 kB'],
  [999_999, '1.0 MB'],
  [7_800_000_000, '7.8 GB'],
  [123_456_789_012, '123 GB'],
  [999_999_999_999, '1.0 TB'],
  [2.5e15, '2500 TB'],
])('%d bytes are %s', (count, text) => {
  expect(formatBytes(count)).toBe(text);
});
