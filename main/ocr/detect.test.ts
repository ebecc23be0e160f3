import { describe, expect, test } from 'vitest';
import type { RgbPicture } from '../image/resize.ts';
import { cores, detectLines, type RunDetector } from './detect.ts';
import { heightOf } from './quad.ts';

describe('cores', () => {
  function map(
    width: number,
    height: number,
    areas: { x: number; y: number; width: number; height: number; value: number }[],
  ): Float32Array {
    const values = new Float32Array(width * height);
    for (const area of areas)
      for (let y = area.y; y < area.y + area.height; y++) values.fill(area.value, y * width + area.x, y * width + area.x + area.width);
    return values;
  }

  test('one rectangle for each set of likely pixels, with whole pixels inside', () => {
    const found = cores(
      map(64, 32, [
        { x: 4, y: 3, width: 30, height: 5, value: 0.9 },
        { x: 40, y: 20, width: 20, height: 4, value: 0.6 },
      ]),
      64,
      32,
    );
    expect(found.map(({ centre, width, height }) => ({ centre, width, height }))).toEqual([
      { centre: [19, 5.5], width: 30, height: 5 },
      { centre: [50, 22], width: 20, height: 4 },
    ]);
  });

  test('what is unlikely as a whole, a speck or a hairline is no line', () => {
    const unlikely = { x: 1, y: 1, width: 20, height: 5, value: 0.4 };
    const speck = { x: 30, y: 1, width: 3, height: 3, value: 1 };
    const hairline = { x: 1, y: 20, width: 40, height: 2, value: 1 };
    expect(cores(map(64, 32, [unlikely, speck, hairline]), 64, 32)).toEqual([]);
  });

  test('pixels that touch at a corner belong together', () => {
    const [one, ...others] = cores(
      map(32, 32, [
        { x: 2, y: 2, width: 8, height: 4, value: 1 },
        { x: 10, y: 6, width: 8, height: 4, value: 1 },
      ]),
      32,
      32,
    );
    expect(others).toEqual([]);
    expect(one!.centre).toEqual([10, 6]);
  });
});

/** Finds black: a model that knows its job. Notes what it was given. */
function blackFinder(): { run: RunDetector; sizes: [number, number][] } {
  const sizes: [number, number][] = [];
  return {
    sizes,
    run: async (input, width, height) => {
      sizes.push([width, height]);
      return Float32Array.from(input.subarray(0, width * height), (value) => (value < -1 ? 1 : 0));
    },
  };
}

function white(width: number, height: number): RgbPicture {
  return { width, height, data: new Uint8Array(width * height * 3).fill(255) };
}

function blacken({ width, data }: RgbPicture, x: number, y: number, w: number, h: number): void {
  for (let row = y; row < y + h; row++) data.fill(0, (row * width + x) * 3, (row * width + x + w) * 3);
}

test('lines come in pixels of the picture, grown by their share', async () => {
  const picture = white(200, 100);
  blacken(picture, 40, 40, 100, 20);
  const { run, sizes } = blackFinder();
  const [quad, ...others] = await detectLines(picture, run);
  expect(others).toEqual([]);
  // Sides are filled up to multiples of 32.
  expect(sizes).toEqual([[224, 128]]);
  // 100 x 20 x 1.6 / (2 x 120) on every side.
  const by = 13 + 1 / 3;
  expect(quad!.flat().map((value) => Math.round(value * 1000) / 1000)).toEqual(
    [40 - by, 40 - by, 140 + by, 40 - by, 140 + by, 60 + by, 40 - by, 60 + by].map((value) => Math.round(value * 1000) / 1000),
  );
});

test('small print in a large picture is looked at again in bands, and no line is lost or found twice', async () => {
  const picture = white(2000, 2400);
  const tops = Array.from({ length: 78 }, (_, index) => 10 + index * 30);
  for (const top of tops) blacken(picture, 100, top, 600, 7);
  const { run, sizes } = blackFinder();
  const quads = await detectLines(picture, run);
  expect(sizes.length).toBeGreaterThan(2);
  for (const [width, height] of sizes) expect(width * height).toBeLessThan(2_100_000 * 1.1);
  const middles = quads.map((quad) => Math.round((quad[0][1] + quad[2][1]) / 2)).sort((a, b) => a - b);
  expect(middles).toHaveLength(tops.length);
  for (const [index, middle] of middles.entries()) expect(Math.abs(middle - (tops[index]! + 3.5))).toBeLessThanOrEqual(1);
  for (const quad of quads) expect(heightOf(quad)).toBeGreaterThan(7);
});

test('an empty picture has no lines; one of a single pixel is large enough to be looked at', async () => {
  expect(await detectLines(white(300, 200), blackFinder().run)).toEqual([]);
  const { run, sizes } = blackFinder();
  expect(await detectLines(white(1, 1), run)).toEqual([]);
  expect(sizes).toEqual([[32, 32]]);
});

test('it stops between two bands', async () => {
  const abort = new AbortController();
  abort.abort(new Error('enough'));
  await expect(detectLines(white(10, 10), blackFinder().run, abort.signal)).rejects.toThrow('enough');
});
