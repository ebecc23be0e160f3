import { expect, test } from 'vitest';
import { bytes, isoTime, seconds, when } from './format.ts';

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1_000, '1.0 kB'],
  [7_816_574_977, '7.8 GB'],
  [123_456_789, '123 MB'],
  [5e15, '5000 TB'],
])('%d bytes are %s', (count, text) => {
  expect(bytes(count)).toBe(text);
});

test.each([
  [0, '0 ms'],
  [340.4, '340 ms'],
  [2_440, '2.4 s'],
  [72_000, '1 min 12 s'],
  [119_900, '2 min 0 s'],
])('%d ms are %s', (ms, text) => {
  expect(seconds(ms)).toBe(text);
});

test('times of today, of this year, and older', () => {
  const now = new Date(2026, 10, 24, 18, 0).getTime();
  expect(when(new Date(2026, 10, 24, 9, 5).getTime(), now)).toBe('09:05');
  expect(when(new Date(2026, 2, 3).getTime(), now)).toBe('Mar 3');
  expect(when(new Date(2025, 11, 31).getTime(), now)).toBe('Dec 31, 2025');
});

test('what is not a time is shown as nothing: a message with it must not take the window down', () => {
  expect([when(9e15), isoTime(9e15)]).toEqual(['', undefined]);
  expect(isoTime(0)).toBe('1970-01-01T00:00:00.000Z');
});
