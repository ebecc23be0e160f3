import { expect, test } from 'vitest';
import { thumbnails } from './thumbnails.ts';

const { height, inSight, scrolledTo } = thumbnails;

test('only the rows in sight and a few around them are there', () => {
  expect(inSight(5000, 0, 3 * height)).toEqual({ from: 0, to: 5 });
  expect(inSight(5000, 100.5 * height, 3 * height)).toEqual({ from: 98, to: 106 });
  expect(inSight(5000, 4997 * height, 3 * height)).toEqual({ from: 4995, to: 5000 });
  expect(inSight(0, 0, 300)).toEqual({ from: 0, to: 0 });
});

test('a row that is in sight stays where it is, another comes in at the nearer edge', () => {
  expect(scrolledTo(1, 0, 3 * height)).toBe(0);
  expect(scrolledTo(10, 0, 3 * height)).toBe(8 * height);
  expect(scrolledTo(2, 8 * height, 3 * height)).toBe(2 * height);
});
