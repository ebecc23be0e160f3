/** The bundled demo model: its weights are the ones that were measured, and the engine answers with them as measured. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { demoModel } from '../host/paths.ts';
import { createEngineClient } from './client.ts';
import { askAll, readCases, type Outcome } from './test/held-out.ts';

const folder = fileURLToPath(new URL('../../fixtures/demo-model/', import.meta.url));

interface Measured {
  /** Of model.safetensors. */
  sha256: string;
  /** Right answers of the PyTorch model, by kind of question and altogether. */
  right: Record<string, { questions: number; right: number }>;
}

const measured = JSON.parse(readFileSync(join(folder, 'measured.json'), 'utf8')) as Measured;
const cases = readCases(folder);
/** What the model's folder shows of itself. */
const samples = JSON.parse(readFileSync(join(demoModel, 'samples.json'), 'utf8')) as { image: string; question: string; answer: string }[];
/** Answers in which float32 sums of another order may turn a near tie. */
const mayDiffer = Math.ceil(cases.length * 0.02);

test('the weights are the measured ones', () => {
  const bytes = readFileSync(join(demoModel, 'model.safetensors'));
  expect(bytes.length).toBeLessThanOrEqual(24 * 1024 * 1024);
  expect(createHash('sha256').update(bytes).digest('hex')).toBe(measured.sha256);
});

test(`all ${samples.length} sample answers`, { timeout: 600_000 }, async () => {
  const engine = createEngineClient();
  try {
    await engine.load({ directory: demoModel, engine: { activations: 'f32' } });
    const answers: unknown[] = [];
    for (const { image, question } of samples) {
      const content = [
        { type: 'image' as const, image: { path: join(demoModel, image) } },
        { type: 'text' as const, text: question },
      ];
      const { text } = await engine.generate({ messages: [{ role: 'user', content }], maxTokens: 40, sampling: { temperature: 0 } });
      answers.push({ image, question, answer: text });
    }
    expect(answers).toEqual(samples.map(({ image, question, answer }) => ({ image, question, answer })));
  } finally {
    await engine.close();
  }
});

describe(`${cases.length} held-out questions`, () => {
  const engine = createEngineClient();
  let outcomes: Outcome[];
  // Two minutes on two idle cores of software Vulkan, several times that on busy ones.
  beforeAll(async () => {
    await engine.load({ directory: demoModel, engine: { activations: 'f32' } });
    outcomes = await askAll(engine, folder, cases);
  }, 900_000);
  afterAll(() => engine.close());

  test('are answered as PyTorch answers them', () => {
    const different = outcomes.filter(({ text, case: { reference } }) => text !== reference);
    const shown = different.map(({ text, case: { reference, turns } }) => ({ ask: turns.at(-1)!.ask, text, reference }));
    expect(shown.length, JSON.stringify(shown, null, 1)).toBeLessThanOrEqual(mayDiffer);
  });

  test.each(Object.entries(measured.right))('%s: as often right as measured', (kind, { questions, right }) => {
    const asked = outcomes.filter((outcome) => kind === 'all' || outcome.case.cell === kind);
    expect(asked).toHaveLength(questions);
    expect(asked.filter((outcome) => outcome.right).length).toBeGreaterThanOrEqual(right - mayDiffer);
  });
});
