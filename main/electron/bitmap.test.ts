import { expect, test } from 'vitest';
import { readBmp } from '../image/bmp.ts';
import { encodeBitmap } from './bitmap.ts';

test('pixels come back as they were, rows from the top', () => {
  // Blue, green / red, white; the fourth byte says nothing.
  const pixels = Uint8Array.of(255, 0, 0, 0, 0, 255, 0, 128, 0, 0, 255, 255, 255, 255, 255, 7);
  const picture = readBmp(encodeBitmap(pixels, 2, 2), 'frame');
  expect({ width: picture.width, height: picture.height }).toEqual({ width: 2, height: 2 });
  expect([...picture.data]).toEqual([0, 0, 255, 0, 255, 0, 255, 0, 0, 255, 255, 255]);
});

test('pixels of another number are refused', () => {
  expect(() => encodeBitmap(new Uint8Array(15), 2, 2)).toThrow('2 x 2 pixels are 16 bytes, not 15');
});
