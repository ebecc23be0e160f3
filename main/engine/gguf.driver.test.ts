/** GGUF files in the layouts in which Ollama distributed them, through the built addon and the command line, against reference values. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cp, mkdtemp, open as openFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { prepareImage } from '../image/prepare.ts';
import { findModel } from '../services/models/local/find-model.ts';
import { readSafetensors } from '../storage/safetensors.ts';
import { demoModel } from '../host/paths.ts';
import { createEngineClient } from './client.ts';
import type { Activations, Addon, NativeEngine } from '../native-surface.ts';
import { loadAddon, shaderDirectory } from '../process/addon.ts';
import { relativeDistance } from './test/reference.ts';

const reference = fileURLToPath(new URL('../../fixtures/reference/', import.meta.url));
const folder = join(reference, 'gguf');
const cli = fileURLToPath(new URL('../cli/loupe.ts', import.meta.url));
const variants = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as Record<string, { files: string[]; expected: string }>;
const { cases } = JSON.parse(readFileSync(join(reference, 'tiny/cases.json'), 'utf8')) as {
  cases: { name: string; tokens: number[]; images: string[] }[];
};
const caseNames = ['text', 'image-small-upscaled'];
const slow = { timeout: 900_000 };

let addon: Addon;
beforeAll(() => {
  addon = loadAddon();
});

const tracedCases = cases.filter(({ name }) => caseNames.includes(name));
const filesOf = (variant: string): string[] => variants[variant]!.files.map((file) => join(folder, file));

describe.each([
  { activations: 'f32' as Activations, limit: 1e-3 },
  // Inputs of matrix products, weights among them, are rounded to 11 bits.
  { activations: 'f16' as Activations, limit: 5e-3 },
])('$activations activations', ({ activations, limit }) => {
  let engine: NativeEngine | null = null;
  let why = '';
  beforeAll(async () => {
    if (activations === 'f16' && !(await addon.listDevices()).some(({ suitable, features }) => suitable && features.cooperativeMatrix)) {
      why = 'SKIPPED: no device here has cooperative matrices, so quantised weights are not tested with them';
      console.warn(why);
      return;
    }
    engine = await addon.Engine.open({ shaderDirectory: shaderDirectory(), activations, validation: true });
  });
  afterAll(() => engine?.close());

  test.for(Object.keys(variants))('logits of %s', slow, async (variant, { skip }) => {
    if (!engine) return skip(why);
    const info = await engine.load({ gguf: filesOf(variant) });
    expect(info).toMatchObject({ architecture: 'mllama', vocabularySize: 320, imageToken: 320, vision: { tileSize: 56, maxTiles: 4 } });
    const expected = await readSafetensors(join(folder, variants[variant]!.expected));
    expect(tracedCases).toHaveLength(2);
    for (const { name, tokens, images } of tracedCases) {
      const prepared = await Promise.all(
        images.map((path) => prepareImage({ path: join(reference, 'tiny', path) }, { tileSize: 56, maxTiles: 4 })),
      );
      const trace = await engine.trace({ tokens: Int32Array.from(tokens), images: prepared, continueFor: 0 });
      expect(relativeDistance(trace.logits, expected, `${name}.logits`), `${name}.logits`).toBeLessThanOrEqual(limit);
      if (images.length > 0)
        expect(
          relativeDistance(trace.crossAttentionStates!, expected, `${name}.cross_attention_states`),
          `${name}.cross_attention_states`,
        ).toBeLessThanOrEqual(limit);
    }
    expect(engine.memory().validationErrors).toBe(0);
  });
});

describe('what a person may name', () => {
  let out: string;
  beforeAll(async () => {
    out = await mkdtemp(join(tmpdir(), 'loupe-gguf-'));
  });
  afterAll(() => rm(out, { recursive: true }));
  const loupe = (args: string[], env: NodeJS.ProcessEnv = {}): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(process.execPath, [cli, ...args], { env: { ...process.env, ...env }, encoding: 'utf8' });

  test.each([
    ['one file', join(folder, 'unified-f16.gguf'), 'unified-f16', {}],
    ['two files with a comma', filesOf('legacy-f16').join(','), 'legacy-f16', {}],
    ['STORE:NAME:TAG', `${join(folder, 'store')}:llama3.2-vision:latest`, 'unified-q8_0', {}],
    ['STORE:TAG', `${join(folder, 'store')}:legacy`, 'legacy-q4_0', {}],
    ['NAME of the store that OLLAMA_MODELS names', 'llama3.2-vision', 'unified-q8_0', { OLLAMA_MODELS: join(folder, 'store') }],
  ])('trace: %s', slow, async (_, model, variant, env) => {
    const { tokens, images } = tracedCases.find(({ name }) => name === 'image-small-upscaled')!;
    const file = join(out, 'trace.safetensors');
    const pictures = images.flatMap((path) => ['--image', join(reference, 'tiny', path)]);
    const { status, stderr } = loupe(
      ['trace', '--model', model, '--tokens', tokens.join(','), ...pictures, '--activations', 'f32', '--out', file],
      env,
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const expected = await readSafetensors(join(folder, variants[variant]!.expected));
    const logits = (await readSafetensors(file)).get('logits')!.data as Float32Array;
    expect(relativeDistance(logits, expected, 'image-small-upscaled.logits')).toBeLessThanOrEqual(1e-3);
  });

  test('ask: the tokenizer and the format come out of the file', slow, () => {
    const greedy = { temperature: 0, topP: 1 };
    // Ollama keeps its advice beside the file.
    const advised = { temperature: 0.6, topP: 0.9 };
    for (const [model, sampling] of [
      [join(folder, 'unified-q4_0.gguf'), greedy],
      [filesOf('legacy-q8_0').join(','), greedy],
      [`${join(folder, 'store')}:latest`, advised],
    ] as const) {
      const picture = join(reference, 'tiny', tracedCases.find(({ images }) => images.length > 0)!.images[0]!);
      const { status, stdout } = loupe([
        'ask',
        '--model',
        model,
        '--image',
        picture,
        '--max-tokens',
        '4',
        '--context',
        '256',
        // Drawn at random, an answer of this model may end before its fourth token.
        '--seed',
        '1',
        '--json',
        'What is it?',
      ]);
      expect(status, stdout).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({
        ok: true,
        sampling,
        statistics: { imagesEncoded: 1, generatedTokens: 4 },
        memory: { validationErrors: 0, devicePeakBytes: expect.any(Number) as number, hostPeakBytes: expect.any(Number) as number },
      });
    }
  });
});

describe('quantising on import', () => {
  let out: string;
  beforeAll(async () => {
    out = await mkdtemp(join(tmpdir(), 'loupe-quantise-'));
  });
  afterAll(() => rm(out, { recursive: true }));
  const samples = JSON.parse(readFileSync(join(demoModel, 'samples.json'), 'utf8')) as {
    image: string;
    question: string;
    answer: string;
  }[];

  test('the demo model in 8 bits: one file with everything, and the same answers', slow, async () => {
    const engine = createEngineClient();
    const target = join(out, 'Llama-demo-Q8_0.gguf');
    try {
      const progress: number[] = [];
      const report = await engine.quantise(
        { directory: demoModel, target, text: 'q8_0', vision: 'f16' },
        { onProgress: (done, total) => progress.push(done / total) },
      );
      expect(progress).toEqual(progress.toSorted((a, b) => a - b));
      expect(progress.at(-1)).toBeGreaterThan(0.9);
      expect(report.resumed).toBe(false);
      expect(report.hostPeakBytes).toBeLessThanOrEqual(1.5e9);
      for (const { name, relativeError } of report.classes) expect(relativeError, name).toBeLessThan(0.01);

      const loaded = await engine.load({ gguf: [target], engine: { activations: 'f32', validation: true } });
      expect(loaded.promptFormat).toBe('template');
      const few = samples.filter((_, index) => index % 8 === 0);
      const answers: string[] = [];
      for (const { image, question } of few) {
        const content = [
          { type: 'image' as const, image: { path: join(demoModel, image) } },
          { type: 'text' as const, text: question },
        ];
        answers.push((await engine.generate({ messages: [{ role: 'user', content }], maxTokens: 40, sampling: { temperature: 0 } })).text);
      }
      // Eight bits may turn a close decision, not many.
      const same = few.filter(({ answer }, index) => answer === answers[index]).length;
      expect(same, JSON.stringify(few.map(({ answer }, index) => [answer, answers[index]]))).toBeGreaterThanOrEqual(few.length - 1);
      expect((await engine.memory()).validationErrors).toBe(0);
    } finally {
      await engine.close();
    }
  });

  test('cancelled: no file, and nothing is left that looks like one', slow, async () => {
    const engine = createEngineClient();
    const target = join(out, 'Llama-cancelled.gguf');
    const stop = new AbortController();
    try {
      const running = engine.quantise(
        { directory: demoModel, target, text: 'q8_0', vision: 'f16', threads: 1 },
        { signal: stop.signal, onProgress: () => stop.abort() },
      );
      await expect(running).rejects.toMatchObject({ code: 'cancelled' });
      await expect(findModel(target)).rejects.toMatchObject({ code: 'model_missing' });
    } finally {
      await engine.close();
    }
  });
});

describe('files that are not whole, or belong to another model', () => {
  let engine: NativeEngine;
  let copies: string;
  beforeAll(async () => {
    engine = await addon.Engine.open({ shaderDirectory: shaderDirectory(), activations: 'f32', validation: true });
    copies = await mkdtemp(join(tmpdir(), 'loupe-gguf-'));
  });
  afterAll(async () => {
    await engine.close();
    await rm(copies, { recursive: true });
  });
  const refusal = (gguf: string[]): Promise<{ code: string; message: string }> =>
    engine.load({ gguf }).then(
      () => ({ code: 'loaded', message: '' }),
      ({ code, message }: Error & { code: string }) => ({ code, message }),
    );

  test('a text file without its projector, and the reverse', async () => {
    const [text, projector] = filesOf('legacy-f16');
    expect(await refusal([text!])).toMatchObject({ code: 'file_missing', message: expect.stringContaining('projector') });
    expect(await refusal([projector!])).toMatchObject({ code: 'file_missing', message: expect.stringContaining('text file') });
    expect(await refusal([text!, text!])).toMatchObject({ code: 'checkpoint_header' });
  });

  test('a download that ended early', async () => {
    const path = join(copies, 'short.gguf');
    await cp(join(folder, 'unified-q4_0.gguf'), path);
    const file = await openFile(path, 'r+');
    await file.truncate(3_000_000);
    await file.close();
    expect(await refusal([path])).toMatchObject({ code: 'file_truncated', message: expect.stringContaining('short.gguf') });
  });

  test('a missing file has its name', async () => {
    expect(await refusal([join(copies, 'none.gguf')])).toMatchObject({
      code: 'file_missing',
      message: expect.stringContaining('none.gguf'),
    });
    await expect(findModel(join(copies, 'none.gguf'))).rejects.toMatchObject({ code: 'model_missing' });
  });
});
