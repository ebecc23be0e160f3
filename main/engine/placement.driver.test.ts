/** Weights in the computer's memory, from the plan to the answer, with the built engine. A budget stands in for a smaller device. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { prepareImage } from '../image/prepare.ts';
import { loadPlanned } from '../services/models/fit/placement.ts';
import type { ModelPlace } from '../services/ports.ts';
import { readSafetensors } from '../storage/safetensors.ts';
import type { ImageInput, ModelSizes, NativeEngine, TraceResult } from '../native-surface.ts';
import { loadAddon, shaderDirectory } from '../process/addon.ts';
import { createEngineClient } from './client.ts';

const reference = fileURLToPath(new URL('../../fixtures/reference/', import.meta.url));
const tiny = join(reference, 'tiny');
const cli = fileURLToPath(new URL('../cli/loupe.ts', import.meta.url));
const slow = { timeout: 600_000 };
const mebibyte = 1024 * 1024;
const everyLayer = [0, 1, 2, 3, 4, 5];
const models: { name: string; place: ModelPlace }[] = [
  { name: 'published files', place: { directory: tiny } },
  { name: 'a quantised file', place: { gguf: [join(reference, 'gguf/unified-q4_0.gguf')] } },
];

function open(memoryBudgetBytes?: number): Promise<NativeEngine> {
  return loadAddon().Engine.open({
    shaderDirectory: shaderDirectory(),
    activations: 'f32',
    validation: true,
    ...(memoryBudgetBytes === undefined ? {} : { memoryBudgetBytes }),
  });
}

const weightsOf = ({ layers, embeddingBytes, outputBytes, visionBytes }: ModelSizes): number =>
  layers.reduce((sum, { bytes }) => sum + bytes, embeddingBytes + outputBytes + visionBytes);
const workingOf = ({ selfKvBytesPerToken, crossKvBytes, scratchBytes }: ModelSizes, tokens: number): number =>
  selfKvBytesPerToken * tokens + crossKvBytes + scratchBytes;

describe.each(models)('$name', ({ place }) => {
  let image: ImageInput;
  let sizes: ModelSizes;
  let expected: TraceResult;
  const trace = (engine: NativeEngine): Promise<TraceResult> =>
    engine.trace({
      tokens: Int32Array.from([256, 320, ...Array.from({ length: 40 }, (_, index) => 60 + index)]),
      images: [image],
      continueFor: 3,
    });

  beforeAll(async () => {
    image = await prepareImage({ path: join(tiny, 'images/image-square-0.png') }, { tileSize: 56, maxTiles: 4 });
    const engine = await open();
    sizes = await engine.estimate({ ...place, contextLength: 512 });
    const { placement, weightBytes } = await engine.load({ ...place, contextLength: 512 });
    expect(placement).toMatchObject({ deviceBytes: weightBytes, hostBytes: 0, hostLayers: [], embeddingOnHost: false, asPlanned: true });
    // Rows and slices are rounded up.
    expect(weightBytes).toBeGreaterThanOrEqual(weightsOf(sizes));
    expect(weightBytes).toBeLessThan(weightsOf(sizes) * 1.02);
    expect(engine.memory()).toMatchObject({ hostWeightBytes: 0, weightBytes, validationErrors: 0 });
    expected = await trace(engine);
    await engine.close();
  }, 300_000);

  const same = (found: TraceResult): void => {
    expect(Buffer.from(found.logits.buffer).equals(Buffer.from(expected.logits.buffer)), 'logits').toBe(true);
    expect(Buffer.from(found.greedyLogits.buffer).equals(Buffer.from(expected.greedyLogits.buffer)), 'logits of decode steps').toBe(true);
  };

  test.for([
    { hostLayers: [1, 4], embeddingOnHost: true },
    { hostLayers: [5], embeddingOnHost: false },
    { hostLayers: everyLayer, embeddingOnHost: true },
  ])('planned: $hostLayers', slow, async (plan) => {
    const engine = await open(256 * mebibyte);
    const { placement } = await engine.load({ ...place, contextLength: 512, ...plan });
    expect(placement).toMatchObject({ ...plan, outputOnHost: false, visionOnHost: false, asPlanned: true });
    const memory = engine.memory();
    expect(memory.hostWeightBytes).toBeGreaterThanOrEqual(placement.hostBytes);
    expect(memory.weightBytes).toBe(placement.deviceBytes + placement.hostBytes);
    same(await trace(engine));
    expect(engine.memory().validationErrors).toBe(0);
    await engine.close();
  });

  test('without a plan the device is filled first, and the rest follows', slow, async () => {
    const room = weightsOf(sizes) - sizes.outputBytes - 2 * sizes.layers[0]!.bytes;
    const engine = await open(Math.ceil(workingOf(sizes, 512) + room));
    const { placement } = await engine.load({ ...place, contextLength: 512 });
    expect(placement.asPlanned).toBe(false);
    expect(placement.deviceBytes).toBeLessThanOrEqual(room);
    expect(placement.hostBytes).toBeGreaterThan(2 * sizes.layers[0]!.bytes);
    expect(placement.hostLayers.length).toBeGreaterThan(0);
    same(await trace(engine));
    const { devicePeakBytes, validationErrors } = engine.memory();
    expect(devicePeakBytes).toBeLessThanOrEqual(workingOf(sizes, 512) + room);
    expect(validationErrors).toBe(0);
    await engine.close();
  });

  test('planned and loaded in its process; what is missing is said', slow, async () => {
    const client = createEngineClient();
    try {
      // All but the vision tower and the output, and half of the layers, fit beside a conversation.
      const budget = Math.ceil(workingOf(sizes, 512) + sizes.visionBytes + sizes.outputBytes + 3 * sizes.layers[0]!.bytes);
      const loaded = await loadPlanned(
        client,
        { ...place, contextLength: 512, engine: { activations: 'f32', memoryBudgetBytes: budget } },
        { model: 'Tiny' },
      );
      expect(loaded.model.placement).toMatchObject({ embeddingOnHost: true, visionOnHost: false });
      expect(loaded.model.placement.hostLayers).toEqual(expect.arrayContaining([1, 4]));
      expect(loaded.model.placement.hostLayers).not.toContain(0);
      expect((await client.memory()).hostWeightBytes).toBeGreaterThan(0);
      const small = loadPlanned(
        client,
        { ...place, contextLength: 512, engine: { activations: 'f32', memoryBudgetBytes: 2 * mebibyte } },
        { model: 'Tiny' },
      );
      await expect(small).rejects.toMatchObject({
        code: 'device_out_of_memory',
        message: expect.stringMatching(/^Tiny needs .* MB are missing\.$/) as string,
      });
    } finally {
      await client.close();
    }
  });
});

describe('loupe trace --memory-budget', () => {
  const out = mkdtempSync(join(tmpdir(), 'loupe-placement-'));
  afterAll(() => rmSync(out, { recursive: true }));
  /** MB: room for what a conversation takes, the picture encoder and the output, and hardly more. */
  let tight: number;
  beforeAll(async () => {
    const engine = await open();
    const sizes = await engine.estimate({ directory: tiny, contextLength: 512 });
    tight = Math.ceil((workingOf(sizes, 512) + sizes.visionBytes + sizes.outputBytes) / 1e6);
    await engine.close();
  });
  const loupe = (budget: number): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(
      process.execPath,
      [
        cli,
        'trace',
        '--model',
        tiny,
        '--tokens',
        '256,72,101,108',
        '--out',
        join(out, `${budget}.safetensors`),
        '--context',
        '512',
        '--memory-budget',
        String(budget),
        '--json',
      ],
      { encoding: 'utf8' },
    );

  test('tells device and host apart, and the logits are the same', slow, async () => {
    const reports = [256, tight].map((budget) => {
      const { status, stdout, stderr } = loupe(budget);
      expect(status, stderr).toBe(0);
      return JSON.parse(stdout) as { placement: { hostLayers: number[] }; memory: { hostWeightBytes: number; deviceBytes: number } };
    });
    expect(reports[0]).toMatchObject({ placement: { hostLayers: [] }, memory: { hostWeightBytes: 0 } });
    expect(reports[1]!.placement.hostLayers.length).toBeGreaterThan(0);
    expect(reports[1]!.memory.hostWeightBytes).toBeGreaterThan(0);
    const [whole, split] = await Promise.all(
      [256, tight].map(async (budget) => (await readSafetensors(join(out, `${budget}.safetensors`))).get('logits')!.data),
    );
    expect(split).toEqual(whole);
  });

  test('refuses what fits nowhere', slow, () => {
    const { status, stdout, stderr } = loupe(4);
    expect(status).not.toBe(0);
    expect(stdout + stderr).toContain('device_out_of_memory');
    expect(stdout + stderr).toContain('are missing');
  });
});
