/**
 * The engine at the true widths of the 11B model (560-pixel tiles, 1,280 / 4,096 wide, vocabulary 128,256), with few
 * layers and generated weights: what tiny widths cannot show, as bindings beyond 128 MiB, many workgroups and sums of
 * 14,336 terms. LOUPE_SLICE names the folder of the generated checkpoint (`npm run test:slice` makes it).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { prepareImage } from '../image/prepare.ts';
import { readSafetensors } from '../storage/safetensors.ts';
import type { NativeEngine } from '../native-surface.ts';
import { loadAddon, shaderDirectory } from '../process/addon.ts';
import { relativeDistance } from './test/reference.ts';

const slice = fileURLToPath(new URL('../../fixtures/reference/slice/', import.meta.url));
const { cases } = JSON.parse(readFileSync(join(slice, 'cases.json'), 'utf8')) as {
  cases: { name: string; tokens: number[]; images: string[]; expected: string }[];
};

let engine: NativeEngine;
/** Memory of this process that no file backs, the most during loading. Software Vulkan's device memory is among it. */
let anonymousPeak = 0;

function anonymousBytes(): number {
  const status = readFileSync('/proc/self/status', 'utf8');
  return ['RssAnon', 'RssShmem'].reduce((sum, key) => sum + 1024 * Number(new RegExp(`${key}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0), 0);
}

beforeAll(async () => {
  const directory = process.env['LOUPE_SLICE'];
  if (!directory) throw new Error('LOUPE_SLICE names no checkpoint. Run `npm run test:slice`.');
  engine = await loadAddon().Engine.open({ shaderDirectory: shaderDirectory(), activations: 'f32' });
  await engine.load({ directory, contextLength: 64, onProgress: () => (anonymousPeak = Math.max(anonymousPeak, anonymousBytes())) });
});
// Absent when it could not be opened.
afterAll(() => (engine as NativeEngine | undefined)?.close());

test.runIf(process.platform === 'linux')('loading takes little memory beside the weights, and no large piece of the device', () => {
  const { deviceBytes, hostVisibleBytes, largestAllocationBytes } = engine.memory();
  expect(anonymousPeak).toBeGreaterThan(deviceBytes / 2); // the measure itself works: the weights are in it
  expect(anonymousPeak - deviceBytes - hostVisibleBytes).toBeLessThan(600e6);
  expect(largestAllocationBytes).toBeLessThanOrEqual(2 ** 30);
});

test.each(cases)('$name', async ({ tokens, images, expected }) => {
  const reference = await readSafetensors(join(slice, expected));
  const pictures = await Promise.all(images.map((path) => prepareImage({ path: join(slice, path) }, { tileSize: 560, maxTiles: 4 })));
  const wanted = Array.from(reference.get('greedy_tokens')!.data, Number);
  const actual = await engine.trace({ tokens: Int32Array.from(tokens), images: pictures, continueFor: wanted.length });

  if (images.length > 0) {
    expect(relativeDistance(actual.visionOutput!, reference, 'vision_output'), 'vision_output').toBeLessThanOrEqual(1e-4);
    expect(
      relativeDistance(actual.crossAttentionStates!, reference, 'cross_attention_states'),
      'cross_attention_states',
    ).toBeLessThanOrEqual(1e-4);
  }
  expect(relativeDistance(actual.logits, reference, 'logits'), 'logits').toBeLessThanOrEqual(2e-4);

  // Where two logits are closer than 1e-3 either token is right, and what follows is another text.
  const parted = wanted.findIndex((token, i) => token !== actual.greedyTokens[i]);
  if (parted < 0) return;
  const vocabulary = actual.greedyLogits.length / wanted.length;
  const logit = (token: number): number => actual.greedyLogits[parted * vocabulary + token]!;
  expect(
    logit(actual.greedyTokens[parted]!) - logit(wanted[parted]!),
    `greedy token ${parted} is ${actual.greedyTokens[parted]}, not ${wanted[parted]}`,
  ).toBeLessThan(1e-3);
});
