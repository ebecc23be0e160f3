import { expect, test } from 'vitest';
import { documents } from './documents.ts';

test('how long reading pictures takes is said where somebody would wait for it', () => {
  expect(documents.readPictures(1)).toBe('Read the text in its picture');
  expect(documents.readPictures(3)).toBe('Read the text in 3 pictures');
  expect(documents.readPictures(12)).toBe('Read the text in 12 pictures (less than a minute)');
  expect(documents.readPictures(1200)).toBe('Read the text in 1,200 pictures (about 1 h 0 min)');
});
