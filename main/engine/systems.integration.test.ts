/**
 * Every system of the catalogue as a small checkpoint in its exact layout:
 * recognised, loaded, computed as the reference computes it, asked.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { prepareImage } from '../image/prepare.ts';
import { catalogueModel } from '../services/models/catalogue.ts';
import { picture, question, smallConfig, systems, systemsFolder, writeSystem, type Config } from '../services/models/test/systems.ts';
import type { ChatPart, Engine } from '../services/ports.ts';
import { readSafetensors } from '../storage/safetensors.ts';
import type { NativeEngine } from '../native-surface.ts';
import { loadAddon, shaderDirectory } from '../process/addon.ts';
import { createEngineClient } from './client.ts';
import { relativeDistance } from './test/reference.ts';

const picturePath = join(systemsFolder, picture);
const slow = { timeout: 300_000 };

let checkpoints: string;
beforeAll(async () => {
  checkpoints = await mkdtemp(join(tmpdir(), 'loupe-systems-'));
});
afterAll(() => rm(checkpoints, { recursive: true }));

describe('what the reference computes', () => {
  let engine: NativeEngine;
  beforeAll(async () => {
    engine = await loadAddon().Engine.open({ shaderDirectory: shaderDirectory(), activations: 'f32', validation: true });
  });
  afterAll(() => engine.close());

  test.each(systems)('$id', slow, async (system) => {
    const { id, tokens, weights_crc32: crc } = system;
    const directory = join(checkpoints, id);
    expect(writeSystem(directory, system), 'CRC-32 of the weights').toBe(crc);
    const { vision } = catalogueModel(id).architecture;
    const info = await engine.load({ directory, contextLength: 1024 });
    expect(info).toMatchObject({
      architecture: vision ? 'mllama' : 'llama',
      vocabularySize: 512,
      vision: vision && { tileSize: vision.imageSize / 4, maxTiles: 4 },
    });

    const expected = await readSafetensors(join(systemsFolder, id, 'expected.safetensors'));
    const wanted = Array.from(expected.get(vision ? 'picture.greedy_tokens' : 'text.greedy_tokens')!.data, Number);
    if (expected.has('text.logits.sample')) {
      const text = await engine.trace({ tokens: Int32Array.from(tokens.text), images: [], continueFor: vision ? 0 : wanted.length });
      expect(relativeDistance(text.logits, expected, 'text.logits'), 'text.logits').toBeLessThanOrEqual(2e-4);
      if (!vision) expectTokens(text, wanted);
    }
    if (vision) {
      const image = await prepareImage({ path: picturePath }, { tileSize: vision.imageSize / 4, maxTiles: 4 });
      const seen = await engine.trace({ tokens: Int32Array.from(tokens.picture!), images: [image], continueFor: wanted.length });
      expect(
        relativeDistance(seen.crossAttentionStates!, expected, 'picture.cross_attention_states'),
        'picture.cross_attention_states',
      ).toBeLessThanOrEqual(1e-4);
      expect(relativeDistance(seen.logits, expected, 'picture.logits'), 'picture.logits').toBeLessThanOrEqual(2e-4);
      expectTokens(seen, wanted);
    }
    expect(engine.memory().validationErrors).toBe(0);
  });

  test('and tells the rotary scaling of 3.2 from that of 3.1', slow, async () => {
    const system = systems.find(({ id }) => id === 'llama-3.2-1b')!;
    const config = smallConfig(system.id);
    const directory = join(checkpoints, 'scaled');
    writeSystem(directory, system, { ...config, rope_scaling: { ...(config['rope_scaling'] as Config), factor: 8 } });
    await engine.load({ directory, contextLength: 1024 });
    const { logits } = await engine.trace({ tokens: Int32Array.from(system.tokens.text), images: [], continueFor: 0 });
    const expected = await readSafetensors(join(systemsFolder, system.id, 'expected.safetensors'));
    // Far beyond the tolerance, over some hundred positions.
    expect(relativeDistance(logits, expected, 'text.logits')).toBeGreaterThan(5 * 2e-4);
  });
});

describe('asked through the process of the engine', () => {
  let engine: Engine;
  beforeAll(() => {
    engine = createEngineClient();
  });
  afterAll(() => engine.close());

  test.each(systems)('$id', slow, async (system) => {
    const directory = join(checkpoints, system.id);
    if (!existsSync(directory)) writeSystem(directory, system);
    const { use, architecture } = catalogueModel(system.id);
    const loaded = await engine.load({ directory, contextLength: 1024, engine: { activations: 'f32' } });
    expect(loaded.promptFormat).toBe(({ chat: 'template', complete: 'completion', guard: 'guard' } as const)[use]);
    const seen: ChatPart[] = architecture.vision ? [{ type: 'image', image: { path: picturePath } }] : [];
    const reply = await engine.generate({
      messages: [{ role: 'user', content: [...seen, { type: 'text', text: question }] }],
      maxTokens: 2,
      sampling: { temperature: 0 },
    });
    const expected = await readSafetensors(join(systemsFolder, system.id, 'expected.safetensors'));
    expect(Array.from(reply.tokens)).toEqual(
      Array.from(expected.get(architecture.vision ? 'picture.greedy_tokens' : 'text.greedy_tokens')!.data, Number).slice(0, 2),
    );
    expect(reply.statistics).toMatchObject({
      promptTokens: (system.tokens.picture ?? system.tokens.text).length,
      imagesEncoded: seen.length,
    });
  });
});

/** Where two logits are closer than 1e-3 either token is right, and what follows is another text. */
function expectTokens({ greedyTokens, greedyLogits }: { greedyTokens: Int32Array; greedyLogits: Float32Array }, wanted: number[]): void {
  const parted = wanted.findIndex((token, index) => token !== greedyTokens[index]);
  if (parted < 0) return;
  const logit = (token: number): number => greedyLogits[parted * 512 + token]!;
  expect(
    logit(greedyTokens[parted]!) - logit(wanted[parted]!),
    `token ${parted} is ${greedyTokens[parted]}, not ${wanted[parted]}`,
  ).toBeLessThan(1e-3);
}
