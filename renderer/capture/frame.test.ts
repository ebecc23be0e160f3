import { expect, test } from 'vitest';
import { opaque } from './frame.ts';

test('bytes of a screen become those of a canvas, wherever they lie', () => {
  const screen = [1, 2, 3, 0, 250, 251, 252, 77];
  const canvas = [3, 2, 1, 255, 252, 251, 250, 255];
  expect([...opaque(Uint8Array.from(screen))]).toEqual(canvas);
  expect([...opaque(Uint8Array.from([9, ...screen]).subarray(1))]).toEqual(canvas);
});
