/** `loupe eval documents` over its own pages, with models that say what they are told to. */
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openDocumentServices } from '../document-services.ts';
import { createDocumentReader } from '../documents/document-client.ts';
import { createFakeEngine, type FakeEngineOptions } from '../engine/test/fake-engine.ts';
import { evaluationDirectory } from '../host/paths.ts';
import { createPictureWorker } from '../image/picture-client.ts';
import type { ChatMessage } from '../protocol.ts';
import { isRight, type KnownQuestion } from '../services/documents/evaluate.ts';
import { runLoupe } from './run.ts';
import { terminalDouble } from './test/terminal-double.ts';

const questions = JSON.parse(readFileSync(join(evaluationDirectory, 'questions.json'), 'utf8')) as (KnownQuestion & { fact: string })[];

async function evaluate(options: FakeEngineOptions, ...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const terminal = terminalDouble({
    startEngine: () => createFakeEngine({ contextLength: 4000, ...options }),
    startPictures: () => createPictureWorker(),
    startDocuments: () => createDocumentReader(),
    openDocuments: async (asked) => openDocumentServices(asked),
  });
  const code = await runLoupe(['eval', 'documents', '--model', tmpdir(), ...args], terminal);
  return { code, ...terminal.said };
}

const textOf = (messages: ChatMessage[]): string =>
  messages.flatMap(({ content }) => content.map((part) => ('text' in part ? part.text : ''))).join('\n');
const pictureOf = (messages: ChatMessage[]): string =>
  messages
    .flatMap(({ content }) => content)
    .map((part) => (part.type === 'image' && 'name' in part.image ? part.image.name : ''))
    .join('');
const askedIn = (prompt: string): KnownQuestion & { fact: string } =>
  questions.find(({ asked, paraphrased }) => prompt.endsWith(asked) || prompt.endsWith(paraphrased))!;

/** Knows the pages, but cannot read 6 points where it sees a whole page. */
function knowing(messages: ChatMessage[]): string {
  const question = askedIn(textOf(messages));
  const seen = pictureOf(messages);
  if (textOf(messages).startsWith('Name other words')) return question.fact;
  if (seen === '') return `${question.answers[0]} [p. ${question.page} "${question.fact}"]`;
  const isLegible = question.points > 6 || seen === 'the bottom half';
  return seen !== 'the top half' && isLegible ? `It is ${question.answers[0]}.` : 'not here';
}

const scored = (logProbability: number) => ({ logProbabilities: Float32Array.of(logProbability), best: Float32Array.of(0) });

test('a model that knows the pages', { timeout: 60_000 }, async () => {
  const score: FakeEngineOptions['score'] = ({ messages }) => {
    const isPage = pictureOf(messages!) === `page ${askedIn(textOf(messages!)).page}`;
    return [scored(isPage ? -0.1 : -3), scored(isPage ? -3 : -0.1)];
  };
  const { code, out } = await evaluate({ answer: knowing, score }, '--questions', '4', '--json');
  expect(code).toBe(0);
  const seconds: unknown = expect.any(Number);
  const both = { right: 2, of: 2, seconds };
  expect(JSON.parse(out)).toEqual({
    ...{ ok: true, model: tmpdir(), device: expect.any(String) as string, questions: 4 },
    search: {
      alone: { first: expect.any(Number) as number, three: expect.any(Number) as number },
      expanded: { first: 4, three: 4, seconds },
      of: 4,
    },
    quotes: {
      ...{ right: 4, of: 4, seconds, verified: 4, withoutQuote: 0 },
      quotes: { verified: 4, close: 0, 'numbers-differ': 0, 'other-page': 0, 'not-found': 0, unchecked: 0 },
    },
    looks: [
      { points: 10, whole: both, halves: both },
      { points: 6, whole: { ...both, right: 0 }, halves: both },
    ],
    yes: { right: 4, of: 4, seconds },
    failed: [],
  });
});

test('a model that invents, in words', { timeout: 60_000 }, async () => {
  const answers = ['17 [p. 1 "seventeen months of notice"]', '17'];
  let next = 0;
  const answer = (messages: ChatMessage[]): string =>
    pictureOf(messages) === '' && !textOf(messages).startsWith('Name') ? answers[next++ % 2]! : 'purple';
  // Says Yes to everything alike.
  const score: FakeEngineOptions['score'] = () => [scored(-0.5), scored(-0.9)];
  const { code, out } = await evaluate({ answer, score }, '--questions', '2');
  expect(code).toBe(0);
  const lines = out.split('\n').map((line) => line.replace(/ {2,}/g, '  ').replace(/ {2}\d+\.\d\d s$/, ''));
  expect(lines).toEqual(
    expect.arrayContaining([
      'answers from the text of the page  0 of 2',
      '  with a quote that is on the page  0 of 2',
      '  without a quote  1 of 2',
      'a look at the whole page, 10 points  0 of 1',
      'looks at its halves, 6 points  0 of 1',
      'Yes for the right page of four, each page  0 of 2',
      'quotes: 1 not-found',
    ]),
  );
});

test('what has no room is named, and the rest goes on', { timeout: 60_000 }, async () => {
  const { code, out } = await evaluate({ answer: knowing, contextLength: 40 }, '--questions', '1');
  expect(code).toBe(0);
  expect(out).toContain('answers from the text of the page');
  expect(out).toMatch(/^failed: quotes: The model holds 40 tokens, .* \(pages 1\)$/m);
});

test('every page has its fact, and every fact its answer', async () => {
  const reader = createDocumentReader();
  try {
    expect(questions).toHaveLength(20);
    for (const question of questions) {
      const { text } = await reader.readPage({ path: join(evaluationDirectory, 'papers.pdf') }, question.page);
      expect(text.replace(/\s+/g, ' ').replaceAll('’', "'")).toContain(question.fact);
      expect(isRight(question.fact, question)).toBe(true);
    }
  } finally {
    await reader.close();
  }
});

test('an answer is right with the whole word or number alone', () => {
  const right = (answer: string): boolean => isRight(answer, { answers: ['38', 'Okafor', '9.95'] });
  for (const answer of ['38 cents', 'It is 38.', 'Ms OKAFOR', '9.95 euros', '(38)']) expect(right(answer), answer).toBe(true);
  for (const answer of ['380', '38.5', '138', '1.38', 'Okafors', '9.955', '']) expect(right(answer), answer).toBe(false);
});

test('nothing else is evaluated beside them', async () => {
  const { code, err } = await evaluate({}, 'more');
  expect([code, err]).toEqual([2, 'loupe: "more" belongs to no option.\nSee `loupe eval --help`.\n']);
});
