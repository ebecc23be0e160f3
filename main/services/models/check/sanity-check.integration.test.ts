/** Checkpoints that are read wrongly are found by the built engine; the sound one is not. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEngineClient } from '../../../engine/client.ts';
import { demoModel } from '../../../host/paths.ts';
import { readReferences, runSanityCheck, type SanityCheckReport } from './sanity-check.ts';
import { modelToTry } from './sanity-checks.ts';

const slow = { timeout: 600_000 };
const headSize = 32;
const original = readFileSync(join(demoModel, 'model.safetensors'));
const headBytes = Number(original.readBigUInt64LE(0));
const tensors = JSON.parse(original.toString('utf8', 8, 8 + headBytes)) as Record<
  string,
  { shape: number[]; data_offsets: [number, number] }
>;
const named = (pattern: RegExp): string[] => Object.keys(tensors).filter((name) => pattern.test(name));

/** The tensor's bytes within the file, and those of a row. */
function place(name: string): { begin: number; end: number; rowBytes: number } {
  const {
    shape,
    data_offsets: [begin, end],
  } = tensors[name]!;
  return { begin: 8 + headBytes + begin, end: 8 + headBytes + end, rowBytes: (end - begin) / shape[0]! };
}

/** Rows of each head in llama.cpp's order where the published one is wanted. */
function permuteRows(file: Buffer, name: string): void {
  const { begin, end, rowBytes } = place(name);
  const rows = Buffer.from(file.subarray(begin, end));
  for (let row = 0; row * rowBytes < rows.length; row++) {
    const [head, within] = [Math.floor(row / headSize), row % headSize];
    const [half, pair] = [Math.floor(within / (headSize / 2)), within % (headSize / 2)];
    rows.copy(
      file,
      begin + row * rowBytes,
      (head * headSize + 2 * pair + half) * rowBytes,
      (head * headSize + 2 * pair + half + 1) * rowBytes,
    );
  }
}

function swap(file: Buffer, one: string, other: string): void {
  const [a, b] = [place(one), place(other)];
  const kept = Buffer.from(file.subarray(a.begin, a.end));
  file.copy(file, a.begin, b.begin, b.end);
  kept.copy(file, b.begin);
}

const engine = createEngineClient();
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-sanity-check-'));
  cpSync(demoModel, folder, { recursive: true });
});
afterAll(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

async function report(spoil: (file: Buffer) => void, { withReferences }: { withReferences: boolean }): Promise<SanityCheckReport> {
  const file = Buffer.from(original);
  spoil(file);
  writeFileSync(join(folder, 'model.safetensors'), file);
  const loaded = await engine.load({ directory: folder, engine: { activations: 'f32' } });
  const references = withReferences ? await readReferences({ directory: folder }) : [];
  expect(references).toHaveLength(withReferences ? 2 : 0);
  return runSanityCheck(engine, modelToTry({ kind: 'vision' }, loaded), { references, signal: new AbortController().signal });
}

describe('by the answers that it brings with it', () => {
  test('sound', slow, async () => {
    expect(await report(() => {}, { withReferences: true })).toMatchObject({ sound: true, findings: [], perplexity: null });
  });

  test.each<[string, (file: Buffer) => void]>([
    [
      'rows of q and k in another order',
      (file) => named(/^language_model.*self_attn\.[qk]_proj/).forEach((name) => permuteRows(file, name)),
    ],
    [
      'text layers in another order',
      (file) => named(/^language_model.*layers\.0\./).forEach((name) => swap(file, name, name.replace('layers.0.', 'layers.5.'))),
    ],
  ])('%s', slow, async (_, spoil) => {
    const { sound, findings } = await report(spoil, { withReferences: true });
    expect(sound).toBe(false);
    expect(findings).toContain('It does not give the answers that were measured with it.');
  });
});

describe('by what every model that sees knows', () => {
  test('sound', slow, async () => {
    expect(await report(() => {}, { withReferences: false })).toMatchObject({
      sound: true,
      findings: [],
      behind: null,
      answerTokens: expect.any(Number) as number,
    });
  });

  test.each<[string, (file: Buffer) => void]>([
    [
      'rows of k in the picture encoder in another order',
      (file) => named(/^vision_model.*k_proj/).forEach((name) => permuteRows(file, name)),
    ],
    [
      'a projector of zeros',
      (file) => file.fill(0, place('multi_modal_projector.weight').begin, place('multi_modal_projector.weight').end),
    ],
  ])('%s', slow, async (_, spoil) => {
    expect(await report(spoil, { withReferences: false })).toMatchObject({
      sound: false,
      findings: ['It does not see what is in a picture.'],
    });
  });

  test('a weight that is not a number', slow, async () => {
    const { begin } = place('language_model.model.norm.weight');
    // The bf16 pattern of NaN.
    expect(await report((file) => file.writeUInt16LE(0x7fc0, begin), { withReferences: false })).toMatchObject({
      sound: false,
      findings: ['It computes values that are not numbers.'],
    });
  });
});

describe('by the end of its answers', () => {
  /** The rows that decide for these tokens, exchanged. */
  function exchange(file: Buffer, name: string, one: number, other: number): void {
    const { begin, rowBytes } = place(name);
    const row = (token: number): Buffer => file.subarray(begin + token * rowBytes, begin + (token + 1) * rowBytes);
    const kept = Buffer.from(row(one));
    row(other).copy(row(one));
    kept.copy(row(other));
  }

  test('one that learned another end than its files and its template know', slow, async () => {
    const [eot, reserved] = [425, 427];
    expect(await report((file) => exchange(file, 'language_model.lm_head.weight', eot, reserved), { withReferences: false })).toMatchObject(
      {
        sound: false,
        findings: ['It does not stop: an answer of one word went on until it was cut off.'],
        answerTokens: 100,
      },
    );
  });
});

test('a trial ends when it is told to', slow, async () => {
  writeFileSync(join(folder, 'model.safetensors'), original);
  const loaded = await engine.load({ directory: folder, engine: { activations: 'f32' } });
  const stop = new AbortController();
  let requests = 0;
  const stoppedInTheSecond: typeof engine.score = (...given) => {
    const scoring = engine.score(...given);
    if (++requests === 2) stop.abort();
    return scoring;
  };
  const trial = { ...engine, score: stoppedInTheSecond };
  const running = runSanityCheck(trial, modelToTry({ kind: 'vision' }, loaded), { references: [], signal: stop.signal });
  await expect(running).rejects.toMatchObject({ code: 'cancelled' });
  expect(requests).toBe(2);
});
