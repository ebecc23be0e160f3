import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { layOutTiles } from '../main/tiles.ts';
import { capture, which } from './exec.mjs';
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

test('so are those of the training (training/test_tile_grid.py)', async ({ skip }) => {
  const python = which('python3');
  if (!python) return skip('there is no python3 on PATH, so training/tile_grid.py was not compared with the table');
  const { code, stderr } = await capture(python, [inRoot('training/test_tile_grid.py')]);
  expect(stderr).toContain('OK');
  expect(code).toBe(0);
});
