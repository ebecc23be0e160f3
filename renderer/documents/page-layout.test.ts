import { expect, test } from 'vitest';
import { anchorAt, gap, inSight, layOut, pageAt, scrolledTo, turnedBox } from './page-layout.ts';

const sizes = [
  { width: 100, height: 200 },
  { width: 0, height: 0 },
  { width: 200, height: 100 },
];

test('pages are as wide as there is room, one below the other; one without a size is taken for A4', () => {
  const { pages, height } = layOut(sizes, 300, 0);
  expect(pages.map((page) => page.height)).toEqual([600, 425, 150]);
  expect(pages.map(({ top }) => top)).toEqual([gap, gap * 2 + 600, gap * 3 + 1025]);
  expect(height).toBe(gap * 4 + 1175);
  expect(layOut([], 300, 0)).toEqual({ pages: [], height: gap });
});

test('turned pages change sides', () => {
  expect(layOut(sizes, 300, 1).pages.map((page) => page.height)).toEqual([150, 212, 600]);
  expect(layOut(sizes, 300, 2)).toEqual(layOut(sizes, 300, 0));
});

test('what is in sight is found among thousands', () => {
  const layout = layOut(
    Array.from({ length: 5000 }, () => ({ width: 100, height: 100 })),
    100,
    0,
  );
  const each = 100 + gap;
  expect(inSight(layout, 0, 250)).toEqual({ from: 0, to: 4 });
  expect(inSight(layout, 1000 * each + gap, 250)).toEqual({ from: 999, to: 1004 });
  expect(inSight(layout, layout.height - 250, 250)).toEqual({ from: 4996, to: 5000 });
  expect(pageAt(layout, 1000 * each + gap, 240)).toBe(1000);
  expect(pageAt(layout, 1000 * each + gap + 80, 240)).toBe(1001);
  expect(pageAt(layOut([], 100, 0), 0, 100)).toBe(0);
});

test('a place stays where it is while the pages around it grow', () => {
  const anchor = anchorAt(layOut(sizes, 300, 0), gap * 2 + 600 + 212.5);
  expect(anchor).toEqual({ index: 1, share: 0.5 });
  const known = [sizes[0]!, { width: 100, height: 400 }, sizes[2]!];
  expect(scrolledTo(layOut(known, 600, 0), anchor)).toBe(gap * 2 + 1200 + 1200);
  // Above the first page.
  expect(scrolledTo(layOut(sizes, 300, 0), anchorAt(layOut(sizes, 300, 0), 0))).toBeCloseTo(0);
  expect(scrolledTo(layOut([], 300, 0), anchor)).toBe(0);
});

test.each([
  [0, [0.1, 0.2, 0.3, 0.25]],
  [1, [0.75, 0.1, 0.8, 0.3]],
  [2, [0.7, 0.75, 0.9, 0.8]],
  [3, [0.2, 0.7, 0.25, 0.9]],
])('a box near the upper left corner of a page, turned %i times', (quarters, expected) => {
  const box = turnedBox([10, 40, 30, 50], { width: 100, height: 200 }, quarters);
  for (const [at, share] of expected.entries()) expect(box[at]).toBeCloseTo(share);
});
