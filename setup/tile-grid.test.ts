import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { layOutTiles } from '../main/tiles.ts';
import { inRoot } from './paths.mjs';

const { rows } = JSON.parse(readFileSync(inRoot('fixtures/tiles/layouts.json'), 'utf8')) as { rows: number[][] };

test('the tile grids of the app are those of the published processor', () => {
  expect(rows.length).toBeGreaterThan(1000);
  const ours = rows.map(([width = 0, height = 0, tile = 0]) => {
    const { aspectRatioId, arrangement, resized } = layOutTiles({ width, height }, tile, 4);
    return [width, height, tile, aspectRatioId, arrangement.height, arrangement.width, resized.width, resized.height];
  });
  expect(ours).toEqual(rows);
});
