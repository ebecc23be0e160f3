import { expect, test } from 'vitest';
import type { RgbPicture } from '../image/resize.ts';
import { cropLine, cutPlaces, lineHeight, piecesOf } from './crop.ts';
import { quadOf } from './quad.ts';

/** Red grows to the right, green downwards, blue is 255. */
function slopes(width: number, height: number): RgbPicture {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) data.set([x, y, 255], (y * width + x) * 3);
  return { width, height, data };
}

const at = (data: Float32Array, width: number, channel: number, x: number, y: number): number =>
  data[(channel * lineHeight + y) * width + x]!;
const byte = (value: number): number => (value + 1) * 127.5;

test('an upright line of the right height is copied, blue first', () => {
  const { data, width } = cropLine(slopes(200, 100), quadOf({ centre: [60, 44], width: 80, height: 48, angle: 0 }));
  expect(width).toBe(80);
  for (const [x, y] of [
    [0, 0],
    [79, 47],
    [33, 12],
  ] as const) {
    expect(byte(at(data, width, 0, x, y))).toBeCloseTo(255, 3);
    expect(byte(at(data, width, 1, x, y))).toBeCloseTo(20 + y, 3);
    expect(byte(at(data, width, 2, x, y))).toBeCloseTo(20 + x, 3);
  }
});

test('a line is scaled to the height, a higher one by the mean of its pixels', () => {
  const { data, width } = cropLine(slopes(255, 200), quadOf({ centre: [120, 100], width: 192, height: 96, angle: 0 }));
  expect(width).toBe(96);
  // Two by two pixels each: the mean of columns 24 and 25.
  expect(byte(at(data, width, 2, 0, 0))).toBeCloseTo(24.5, 3);
  expect(byte(at(data, width, 1, 0, 47))).toBeCloseTo(146.5, 3);
});

test('a turned line is set upright', () => {
  const { data, width } = cropLine(slopes(200, 200), quadOf({ centre: [100, 100], width: 100, height: 48, angle: Math.PI / 2 }));
  expect(width).toBe(100);
  // Its beginning is above, its upper edge at the right.
  expect(byte(at(data, width, 1, 0, 24))).toBeCloseTo(50, 0);
  expect(byte(at(data, width, 1, 99, 24))).toBeCloseTo(149, 0);
  expect(byte(at(data, width, 2, 50, 0))).toBeCloseTo(123, 0);
});

test('beyond the picture it goes on as its edge is', () => {
  const { data, width } = cropLine(slopes(30, 48), quadOf({ centre: [15, 24], width: 90, height: 48, angle: 0 }));
  expect(byte(at(data, width, 2, 0, 24))).toBeCloseTo(0, 3);
  expect(byte(at(data, width, 2, 89, 24))).toBeCloseTo(29, 3);
});

test('a line that is too long is cut where nothing is written', () => {
  const picture: RgbPicture = { width: 5000, height: 48, data: new Uint8Array(5000 * 48 * 3).fill(255) };
  // Letters everywhere but near 2450.
  for (let x = 0; x < 5000; x += 8)
    if (Math.abs(x - 2450) > 20) for (let y = 10; y < 40; y += 2) picture.data.fill(0, (y * 5000 + x) * 3, (y * 5000 + x + 4) * 3);
  const quad = quadOf({ centre: [2500, 24], width: 5000, height: 48, angle: 0 });
  const [place] = cutPlaces(cropLine(picture, quad));
  expect(Math.abs(place! * 5000 - 2450)).toBeLessThan(20);
  const pieces = piecesOf(picture, quad);
  expect(pieces).toHaveLength(2);
  expect(pieces[0]!.image.width + pieces[1]!.image.width).toBeLessThanOrEqual(5002);
  expect(pieces[0]!.quad[1]).toEqual(pieces[1]!.quad[0]);
});
