import { expect, test } from 'vitest';
import { publishedVision, viewOf } from './image-view.ts';

test.each([
  [{ width: 560, height: 560 }, { columns: 1, rows: 1 }, 'sharp'],
  [{ width: 1120, height: 1000 }, { columns: 2, rows: 2 }, 'sharp'],
  [{ width: 2200, height: 500 }, { columns: 4, rows: 1 }, 'sharp'],
  [{ width: 1920, height: 1080 }, { columns: 2, rows: 2 }, 'soft'],
  [{ width: 3840, height: 2160 }, { columns: 2, rows: 2 }, 'blurred'],
])('%o lies on %o tiles: %s', (picture, grid, sharpness) => {
  expect(viewOf(picture, publishedVision)).toMatchObject({ picture, grid, sharpness });
});

test('a small picture is enlarged to its tile, which makes no text legible', () => {
  const view = viewOf({ width: 100, height: 50 }, publishedVision);
  expect(view.scale).toBeGreaterThan(1);
  expect(view.smallestText).toBe(10);
});
