import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { inRoot } from './paths.mjs';
import { attentionWaits, devices, dispatchesOf, pictureTime, tokenTime } from './time-model.mjs';

type Budget = { dispatches: number; barriers: number };
const budgets = JSON.parse(readFileSync(inRoot('setup/token-budgets.json'), 'utf8')) as Record<string, Budget>;

test('the dispatches of the prediction are those that the recorder counts, which the budgets hold', () => {
  // The demo model: four layers of self-attention, two of cross-attention.
  expect(dispatchesOf(4, false)).toBe(budgets['text']!.dispatches);
  expect(dispatchesOf(4, true)).toBe(budgets['text, drawn']!.dispatches);
  expect(dispatchesOf(6, false)).toBe(budgets['picture']!.dispatches);
  expect(dispatchesOf(6, true)).toBe(budgets['picture, drawn']!.dispatches);
});

test('a token is the stream of its weights and what stands between', () => {
  const device = {
    name: 'round',
    bandwidth: 1000,
    unpacking: 0.5,
    latency: 100,
    cacheLatency: 10,
    loadsAhead: 8,
    step: 1,
    host: 10,
    matrixRate: 1,
  };
  const { stream, steps, waits, host, total, share } = tokenTime(device, 'Q4_K_M', { positions: 1000, isDrawn: false });
  // 5.62 GB of weights, 131 MB of keys and values of the text, 210 MB of those of the picture, at half of 1 TB/s.
  expect(stream).toBeCloseTo((5.62 + 0.131072 + 0.209846) / 500, 6);
  // 205 dispatches, 204 waits for the one before.
  expect(steps).toBeCloseTo(204e-6, 9);
  // Of the text's layers eight for memory and five for the cache; of the picture's, whose 51 parts come in seven rounds, eleven. A norm
  // waits six times for the cache.
  expect(attentionWaits(1000, 8)).toEqual({ memory: 8, cache: 5 });
  expect(attentionWaits(6404, 16)).toEqual({ memory: 6, cache: 11 });
  expect(waits).toBeCloseTo(40 * (8 * 100e-9 + 2 * (6 * 10e-9 + 0.2e-6)) + (32 * 5 + 8 * 11) * 10e-9, 9);
  expect(host).toBeCloseTo(10e-6, 12);
  expect(total).toBeCloseTo(stream + steps + waits + host, 12);
  expect(share).toBeCloseTo(stream / total, 12);
});

test('a picture is its products and its attention, at their shares of the matrix rate', () => {
  const round = { ...devices[0]!, matrixRate: 100 };
  expect(pictureTime(round)).toBeCloseTo(11.4 / 70 + 8.5 / 57, 9);
});

test('a longer cache takes longer, and only blocks of Q4_K are unpacked with effort', () => {
  const h100 = devices.find(({ name }) => name === 'H100')!;
  expect(tokenTime(h100, 'BF16', { positions: 8192 }).total).toBeGreaterThan(tokenTime(h100, 'BF16').total);
  expect(tokenTime(h100, 'BF16').stream).toBeCloseTo(tokenTime({ ...h100, unpacking: 1 }, 'BF16').stream, 12);
});
