/**
 * 64 programs at once, on the real engine with the demo model, and a person who asks in between: whose answer goes where,
 * who goes first, and what is left in memory.
 *
 *   LOUPE_API_MINUTES   the programs go on asking for so long (default: two questions each)
 *
 * LOUPE_API_MINUTES=10 npx vitest run --project endurance main/api
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defaultSettings } from '../contract.ts';
import { createEngineClient } from '../engine/client.ts';
import { demoModel } from '../host/paths.ts';
import { createEngineService, type EngineService } from '../services/engine-service.ts';
import { startApi } from './serve.ts';
import type { ApiServer } from './server.ts';
import { ask, demo, key, piecesOf } from './test/own-api.ts';

const minutes = Number(process.env['LOUPE_API_MINUTES'] ?? 0);
const programs = 64;

/** Sent before the picture that is asked about, so that a request has 150 kB: of several pictures the last is seen. */
const unseen = 'A'.repeat(150_000);

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
/** Bytes that are in use in this process, where requests and answers lie. */
async function inUse(): Promise<number> {
  // What a first collection finds to be dead is given back when connections and buffers have been taken down, which comes later.
  for (let round = 0; round < 3; round++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Bytes of this process's children, which is the engine's alone; null where the system does not tell. */
function engineBytes(): number | null {
  try {
    const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
    const pages = children.map((child) => Number(readFileSync(`/proc/${child}/statm`, 'utf8').split(' ')[1]));
    return pages.reduce((sum, count) => sum + count, 0) * 4096;
  } catch {
    return null;
  }
}
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

const asked = minutes > 0 ? `for ${minutes} minutes` : 'two questions each';
test(`${programs} programs, ${asked}`, { timeout: (minutes + 15) * 60_000 }, async () => {
  let answered = 0;
  let requests = 0;
  const wrong: unknown[] = [];
  async function program(number: number, goesOn: (round: number) => boolean): Promise<void> {
    for (let round = 0; goesOn(round); round++) {
      requests++;
      const { question, picture, answer } = samples[(number + round) % samples.length]!;
      const stream = number % 2 === 0;
      const body = { model: 'demo', prompt: question, images: [unseen, picture], stream, options: { temperature: 0 } };
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

  /** While nobody waits. */
  const memory = async () => ({ own: await inUse(), engine: engineBytes() });
  const all = (goesOn: (round: number) => boolean): Promise<unknown> =>
    Promise.all(Array.from({ length: programs }, (_, number) => program(number, goesOn)));
  const asking = person();
  // What a crowd needs once comes with the first round.
  await all((round) => round < 1);
  const first = await memory();
  const until = performance.now() + minutes * 60_000;
  await all((round) => round < 1 || performance.now() < until);
  ended = true;
  await asking;
  const last = await memory();
  const megabytes = (bytes: number | null): string => (bytes === null ? 'unknown' : `${Math.round(bytes / 1e6)} MB`);
  console.log(
    `${answered} answers; the person let ${Math.max(...letBefore)} of them pass at most, in ${letBefore.length} questions; ` +
      `in use after the first round and at the end: ${megabytes(first.own)}, ${megabytes(last.own)}; ` +
      `engine's process: ${megabytes(first.engine)}, ${megabytes(last.engine)}`,
  );
  expect(wrong).toEqual([]);
  expect(answered).toBe(requests);
  expect(answered).toBeGreaterThanOrEqual(programs * 2);
  // What stayed of the requests of one round would be more.
  expect(last.own - first.own).toBeLessThan((programs * unseen.length) / 2);
  if (first.engine !== null) expect(last.engine! - first.engine).toBeLessThan(0.1 * first.engine);
  // The one that was being answered, and one whose end had not been read yet.
  expect(Math.max(...letBefore)).toBeLessThanOrEqual(2);
});
