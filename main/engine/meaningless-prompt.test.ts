import { expect, test } from 'vitest';
import { meaninglessPrompt, type Measured } from './meaningless-prompt.ts';

const model: Measured = { vocabularySize: 40, imageToken: 7, vision: { tileSize: 4, maxTiles: 2, patchesPerTile: 1 } };

test('has the length that was asked for, and no token that means a picture', () => {
  const { tokens, images } = meaninglessPrompt(model, 500, 3);
  expect(tokens).toHaveLength(500);
  expect(tokens).not.toContain(7);
  expect(Math.min(...tokens)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...tokens)).toBeLessThan(20);
  expect(images).toEqual([]);
});

test('is the same again, and another for another seed', () => {
  const first = meaninglessPrompt(model, 100, 1, { tiles: 2, seed: 1 });
  expect(meaninglessPrompt(model, 100, 1, { tiles: 2, seed: 1 })).toEqual(first);
  const other = meaninglessPrompt(model, 100, 2, { tiles: 2, seed: 2 });
  expect(other.tokens).not.toEqual(first.tokens);
  expect(other.images[0]!.hash).not.toBe(first.images[0]!.hash);
  expect(other.images[0]!.tiles).not.toEqual(first.images[0]!.tiles);
});

test('a picture comes before the text, with all its pixels', () => {
  const { tokens, images } = meaninglessPrompt(model, 5, 1, { tiles: 2, seed: 4 });
  expect(tokens).toHaveLength(7);
  expect(tokens[1]).toBe(7);
  expect(images[0]).toMatchObject({ numTiles: 2, aspectRatioId: 5 });
  expect(images[0]!.tiles).toHaveLength(2 * 4 * 4 * 3);
});

test('a picture that the model cannot see is refused in words', () => {
  expect(() => meaninglessPrompt(model, 5, 1, { tiles: 3, seed: 1 })).toThrow('This model sees at most 2 tiles, not 3.');
  expect(() => meaninglessPrompt({ ...model, imageToken: null, vision: null }, 5, 1, { tiles: 1, seed: 1 })).toThrow(/reads text only/);
});
