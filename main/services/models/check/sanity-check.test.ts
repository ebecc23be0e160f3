import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Body, GenerateReply, Score } from '../../ports.ts';
import { judge, readReferences, runSanityCheck, type Measured } from './sanity-check.ts';

const score = (values: number[], best = values): Score => ({ logProbabilities: Float32Array.from(values), best: Float32Array.from(best) });
/** As a sound model has it: the opening is a surprise, the rest is not. */
const known = [-11, -5, -3, -2, 0, -1.7, 0, 0, ...Array<number>(30).fill(-0.4)];
const sound: Measured = {
  first: score(known),
  second: score(known),
  odds: [6, 5],
  answers: [score([-0.1, -0.2])],
  speaksEnglish: true,
  shortAnswer: { tokens: 2, ended: true },
};

test('a sound model: what was measured, and nothing to say', () => {
  expect(judge(sound)).toEqual({
    sound: true,
    findings: [],
    perplexity: expect.closeTo(Math.exp(0.4), 3) as number,
    pictureOdds: 11,
    behind: 0,
    answerTokens: 2,
  });
  expect(judge({ ...sound, odds: null, answers: [], speaksEnglish: false, shortAnswer: null })).toEqual({
    sound: true,
    findings: [],
    perplexity: null,
    pictureOdds: null,
    behind: null,
    answerTokens: null,
  });
});

test.each<[string, Partial<Measured>, string]>([
  ['no numbers in the text', { second: score([...known.slice(0, -1), NaN]) }, 'not numbers'],
  ['no numbers in a picture', { odds: [Infinity, 1] }, 'not numbers'],
  ['no numbers in an answer', { answers: [score([NaN])] }, 'not numbers'],
  [
    'other numbers the second time',
    { second: score(known.map((value, index) => (index === 20 ? value - 0.02 : value))) },
    'something else each time',
  ],
  ['English as if it were noise', { first: score(known.map(() => -2)), second: score(known.map(() => -2)) }, 'plain English'],
  ['pictures that do not matter', { odds: [4, -3] }, 'in a picture'],
  ['answers that are not the measured ones', { answers: [score([-0.1]), score([-0.1, -1.6], [-0.1, -0.4])] }, 'were measured'],
  ['an answer that does not end', { shortAnswer: { tokens: 100, ended: false } }, 'does not stop'],
])('%s', (_, change, words) => {
  const { sound: isSound, findings } = judge({ ...sound, ...change });
  expect(isSound).toBe(false);
  expect(findings).toEqual([expect.stringContaining(words)]);
});

test('what is asked: the sentence twice, each picture for both words, the answers that it brings, one word', async () => {
  const asked: Body<'score'>[] = [];
  const generated: Body<'generate'>[] = [];
  const engine = {
    generate: async (request: Body<'generate'>) => {
      generated.push(request);
      return { tokens: Int32Array.of(1, 2, 3), finish: 'stop' } as GenerateReply;
    },
    score: async (request: Body<'score'>) => {
      asked.push(request);
      return request.texts.map((text) =>
        request.messages && request.texts.length === 2 ? score([JSON.stringify(request.messages).includes(text) ? -1 : -8]) : score(known),
      );
    },
  };
  const references = [{ image: { path: '/a.png' }, question: 'What?', answer: 'This' }];
  const signal = new AbortController().signal;
  const report = await runSanityCheck(
    engine,
    { vocabularySize: 128_256, vision: { tileSize: 560, maxTiles: 4, patchesPerTile: 1600 }, endsAnswers: true },
    { references, signal },
  );
  expect(report).toMatchObject({ sound: true, pictureOdds: 14, behind: 0, answerTokens: 3 });
  expect(generated).toMatchObject([{ sampling: { temperature: 0 }, messages: [{ role: 'user', content: [{ type: 'text' }] }] }]);
  expect(asked.map(({ messages, texts }) => [messages === null, texts.length])).toEqual([
    [true, 1],
    [true, 1],
    [false, 2],
    [false, 2],
    [false, 1],
  ]);
  asked.length = 0;
  expect(await runSanityCheck(engine, { vocabularySize: 128_256, vision: null, endsAnswers: false }, { references, signal })).toMatchObject(
    {
      pictureOdds: null,
      behind: null,
      answerTokens: null,
    },
  );
  expect([asked.length, generated.length]).toEqual([2, 1]);
});

test('references lie beside the weights, or there are none', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'loupe-sanity-check-'));
  try {
    expect(await readReferences({ directory: folder })).toEqual([]);
    expect(await readReferences({ gguf: [join(folder, 'a.gguf')] })).toEqual([]);
    const file = join(folder, 'samples.json');
    const one = { image: 'samples/a.png', question: 'What?', answer: 'This', expected: 'That' };
    writeFileSync(file, JSON.stringify(Array(9).fill(one)));
    const found = await readReferences({ directory: folder });
    expect(found).toHaveLength(2);
    expect(found[0]).toEqual({ image: { path: join(folder, 'samples/a.png') }, question: 'What?', answer: 'This' });
    for (const text of [
      '{',
      '{}',
      JSON.stringify([{ ...one, image: '../secret.png' }]),
      JSON.stringify([{ ...one, image: '/etc/passwd' }]),
    ]) {
      writeFileSync(file, text);
      expect(await readReferences({ directory: folder })).toEqual([]);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
