/** `loupe eval` with the real engine and the demo model, killed in the middle and started again. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeDocvqa } from '../eval/test/small-sets.ts';
import { demoModel, root } from '../host/paths.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'loupe-eval-engine-'));
  const samples = JSON.parse(readFileSync(join(demoModel, 'samples.json'), 'utf8')) as {
    image: string;
    question: string;
    expected: string;
  }[];
  const rows = samples.slice(0, 3).map(({ image, question, expected }) => ({
    question,
    answers: [expected],
    picture: readFileSync(join(demoModel, image)),
  }));
  await makeDocvqa(folder, rows[0]!.picture, rows);
});
afterAll(() => rm(folder, { recursive: true }));

interface Result {
  id: string;
  reply: string;
  score: number;
  tokens: number;
}

/** What is whole of the file: a header and a line each row. */
function resultsIn(path: string): Result[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n').slice(1, -1);
  return lines.map((line) => JSON.parse(line) as Result);
}

function start(out: string): ReturnType<typeof spawn> {
  const args = ['eval', 'docvqa', '--folder', folder, '--out', out, '--activations', 'f32', '--json'];
  return spawn(process.execPath, [join(root, 'main', 'cli', 'loupe.ts'), ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function finish(out: string): Promise<Record<string, unknown>> {
  const loupe = start(out);
  let said = '';
  loupe.stdout!.setEncoding('utf8').on('data', (chunk: string) => (said += chunk));
  const [code] = (await once(loupe, 'close')) as [number];
  expect(code).toBe(0);
  return JSON.parse(said) as Record<string, unknown>;
}

test('a run that is killed loses no row that was judged, and ends as one that was not', { timeout: 300_000 }, async () => {
  const [killed, whole] = [join(folder, 'killed.jsonl'), join(folder, 'whole.jsonl')];
  const loupe = start(killed);
  const ended = once(loupe, 'close');
  while (resultsIn(killed).length === 0 && loupe.exitCode === null) await pause(20);
  loupe.kill('SIGKILL');
  await ended;
  const before = resultsIn(killed);
  expect(before.length).toBeGreaterThan(0);

  const resumed = await finish(killed);
  const after = resultsIn(killed);
  expect(after.slice(0, before.length)).toEqual(before);
  expect(new Set(after.map(({ id }) => id)).size).toBe(3);

  const unbroken = await finish(whole);
  const facts = ({ id, reply, score, tokens }: Result): unknown => ({ id, reply, score, tokens });
  expect(after.map(facts)).toEqual(resultsIn(whole).map(facts));
  expect(after.every(({ reply }) => reply !== '')).toBe(true);
  expect(resumed['rows']).toEqual({ all: 3, chosen: 3, judged: 3, failed: 0, cut: 0 });
  expect([resumed['percent'], resumed['error']]).toEqual([unbroken['percent'], unbroken['error']]);
});
