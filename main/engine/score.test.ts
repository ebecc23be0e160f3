import { expect, test } from 'vitest';
import { scoreTokens } from './score.ts';

const rows = (...values: number[][]): Float32Array => Float32Array.from(values.flat());

test('logarithms of shares, in the row of the token before', () => {
  const logits = rows([9, 9, 9], [Math.log(1), Math.log(2), Math.log(5)], [0, 0, 0]);
  const { logProbabilities, best } = scoreTokens(logits, 3, 1, [1, 0]);
  expect([...logProbabilities].map(Math.exp)).toEqual([expect.closeTo(0.25), expect.closeTo(1 / 3)]);
  expect([...best].map(Math.exp)).toEqual([expect.closeTo(0.625), expect.closeTo(1 / 3)]);
});

test('large logits do not overflow, and what is not a number stays none', () => {
  const { logProbabilities } = scoreTokens(rows([1e4, 1e4 - 1]), 2, 0, [0]);
  expect(logProbabilities[0]).toBeCloseTo(-Math.log(1 + Math.exp(-1)));
  for (const bad of [NaN, Infinity])
    expect(scoreTokens(rows([0, bad]), 2, 0, [0])).toEqual({ logProbabilities: Float32Array.of(NaN), best: Float32Array.of(NaN) });
  expect(scoreTokens(rows([0, 0]), 2, 0, [5]).logProbabilities[0]).toBeNaN();
});
