/**
 * 64 programs at once, on the real engine with the demo model, and a person who asks in between: whose answer goes where,
 * who goes first, and what is left in memory.
 *
 *   LOUPE_API_ROUNDS   questions of each program (default 2; 100 take more than half an hour)
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defaultSettings } from '../contract.ts';
import { createEngineClient } from '../engine/client.ts';
import { demoModel } from '../host/paths.ts';
import { createEngineService, type EngineService } from '../services/engine-service.ts';
import { startApi } from './serve.ts';
import type { ApiServer } from './server.ts';
import { ask, demo, key, piecesOf } from './test/own-api.ts';

const rounds = Number(process.env['LOUPE_API_ROUNDS'] ?? 2);
const programs = 64;
const samples = (
  JSON.parse(readFileSync(join(demoModel, 'samples.json'), 'utf8')) as { image: string; question: string; answer: string }[]
).map(({ image, ...sample }) => ({ ...sample, picture: readFileSync(join(demoModel, image)).toString('base64') }));

let engine: EngineService;
let api: ApiServer;
beforeAll(async () => {
  const settings = () => defaultSettings;
  engine = createEngineService({
    engine: createEngineClient(),
    settings,
    model: () => ({ choice: demo, place: async () => ({ directory: demoModel }) }),
    onChange: () => {},
  });
  const never = (): Promise<never> => Promise.reject(new Error('not in this test'));
  const parts = { engine, models: { list: () => [demo] }, pictures: { compose: never }, history: { keep: never }, settings };
  api = await startApi({ ...parts, version: '1.2.3', port: 0, key });
  await engine.load();
});
afterAll(async () => {
  await api.close();
  await engine.close();
});

test(`${programs} programs, ${rounds} questions each`, async () => {
  let answered = 0;
  const wrong: unknown[] = [];
  async function program(number: number): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      const { question, picture, answer } = samples[(number + round) % samples.length]!;
      const stream = number % 2 === 0;
      const body = { model: 'demo', prompt: question, images: [picture], stream, options: { temperature: 0 } };
      const { status, text } = await ask(api.port, '/api/generate', { body });
      const said = piecesOf(text).map((piece) => (piece as { response: string }).response);
      if (status !== 200 || said.join('') !== answer) wrong.push({ status, said: said.join(''), answer });
      answered++;
    }
  }

  /** How many programs are answered between the person's question and its beginning. */
  const letBefore: number[] = [];
  let ended = false;
  async function person(): Promise<void> {
    while (!ended) {
      const asked = answered;
      await engine.use(new AbortController().signal, async (port) => {
        letBefore.push(answered - asked);
        await port.generate({ messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }], maxTokens: 2 });
      });
      // Till the line has moved.
      while (!ended && answered < asked + 5) await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  const before = process.memoryUsage();
  const asking = person();
  await Promise.all(Array.from({ length: programs }, (_, number) => program(number)));
  ended = true;
  await asking;
  const after = process.memoryUsage();
  console.log(
    `${answered} answers; the person let ${Math.max(...letBefore)} of them pass at most, in ${letBefore.length} questions; ` +
      `memory of this process: ${Math.round(before.rss / 1e6)} MB before, ${Math.round(after.rss / 1e6)} MB after`,
  );
  expect(wrong).toEqual([]);
  expect(answered).toBe(programs * rounds);
  // The one that was being answered, and one whose end had not been read yet.
  expect(Math.max(...letBefore)).toBeLessThanOrEqual(2);
});
