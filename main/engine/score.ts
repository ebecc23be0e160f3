/** Logits -> how likely the model finds given tokens. Pure. */
import type { Score } from '../protocol.ts';

/**
 * @param logits row by row, one for each token before; row `from` is for the first of `tokens`
 * @param vocabulary width of a row
 */
export function scoreTokens(logits: Float32Array, vocabulary: number, from: number, tokens: readonly number[]): Score {
  const logProbabilities = new Float32Array(tokens.length);
  const best = new Float32Array(tokens.length);
  for (const [index, token] of tokens.entries()) {
    const row = logits.subarray((from + index) * vocabulary, (from + index + 1) * vocabulary);
    const { largest, logSum } = summarise(row);
    logProbabilities[index] = (row[token] ?? NaN) - logSum;
    best[index] = largest - logSum;
  }
  return { logProbabilities, best };
}

/** The logarithm of the sum of exponentials, by way of the largest. One NaN makes both NaN. */
function summarise(row: Float32Array): { largest: number; logSum: number } {
  let largest = -Infinity;
  for (const logit of row) largest = Math.max(largest, logit);
  let sum = 0;
  for (const logit of row) sum += Math.exp(logit - largest);
  return { largest, logSum: largest + Math.log(sum) };
}
