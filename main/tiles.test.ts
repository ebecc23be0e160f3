import { expect, test } from 'vitest';
import { layOutTiles, tileArrangements } from './tiles.ts';

test('the published table of aspect ratios, (height, width), in order', () => {
  const table = tileArrangements(4).map(({ height, width }) => [height, width]);
  expect(table).toEqual([
    [1, 1],
    [1, 2],
    [1, 3],
    [1, 4],
    [2, 1],
    [2, 2],
    [3, 1],
    [4, 1],
  ]);
});

test.each([
  // picture, aspect ratio id, resized; tile 560
  [[1, 1], 1, [560, 560]],
  [[560, 560], 1, [560, 560]],
  [[561, 560], 2, [561, 560]],
  [[560, 561], 5, [560, 561]],
  [[1120, 560], 2, [1120, 560]],
  [[1121, 560], 3, [1121, 560]],
  [[1920, 1080], 6, [1120, 630]],
  [[1080, 1920], 6, [630, 1120]],
  [[4000, 3000], 6, [1120, 840]],
  [[300, 1], 1, [560, 1]],
  [[1, 60_000], 8, [1, 2240]],
  [[60_000, 1], 4, [2240, 1]],
  // 90 * 5.6 is a little less than 504 in doubles, in the reference too.
  [[100, 90], 1, [560, 503]],
  [[10_000, 10_000], 6, [1120, 1120]],
] as const)('%j', ([width, height], id, [resizedWidth, resizedHeight]) => {
  const layout = layOutTiles({ width, height }, 560, 4);
  expect(layout.aspectRatioId).toBe(id);
  expect(layout.resized).toEqual({ width: resizedWidth, height: resizedHeight });
});

test('every picture fits its canvas, and its canvas fits the limit', () => {
  for (let width = 1; width <= 400; width += 7) {
    for (let height = 1; height <= 400; height += 11) {
      const { resized, canvas, numTiles, arrangement } = layOutTiles({ width, height }, 56, 4);
      expect(numTiles).toBe(arrangement.width * arrangement.height);
      expect(numTiles).toBeLessThanOrEqual(4);
      expect(resized.width).toBeGreaterThanOrEqual(1);
      expect(resized.height).toBeGreaterThanOrEqual(1);
      expect(resized.width).toBeLessThanOrEqual(canvas.width);
      expect(resized.height).toBeLessThanOrEqual(canvas.height);
    }
  }
});
