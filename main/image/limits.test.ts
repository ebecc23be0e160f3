import { expect, test } from 'vitest';
import { checkFileSize, checkPixels, maxFileBytes } from './limits.ts';

test('what is over a limit is refused in the units of the limit, and never reads as the limit itself', () => {
  checkFileSize(maxFileBytes, 'x.png');
  expect(() => checkFileSize(maxFileBytes + 1, 'x.png')).toThrow('x.png has 512.01 MB; at most 512 MB are read.');
  checkPixels(12_000, 10_000, 'x.png');
  expect(() => checkPixels(12_001, 10_000, 'x.png')).toThrow('(120.01 megapixels); at most 120 megapixels are read.');
});
