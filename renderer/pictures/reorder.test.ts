import { expect, test } from 'vitest';
import { moved, nearest } from './reorder.ts';

test.each([
  [0, 2, 'bcad'],
  [3, 0, 'dabc'],
  [1, 1, 'abcd'],
  [1, 99, 'acdb'],
  [2, -5, 'cabd'],
])('from %d to %d', (from, to, expected) => {
  expect(moved([...'abcd'], from, to).join('')).toBe(expected);
});

test('the place that a dragged picture is over', () => {
  const boxes = [0, 100, 200].map((left) => ({ left, top: 0, width: 90, height: 60 }));
  expect(nearest(boxes, { x: 10, y: 500 })).toBe(0);
  expect(nearest(boxes, { x: 160, y: 20 })).toBe(1);
  expect(nearest(boxes, { x: 9999, y: 20 })).toBe(2);
});
