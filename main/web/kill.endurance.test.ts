/** The app, killed without warning while it streams: what was kept. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { openStore } from '../storage/store.ts';
import { randomNumbers } from '../test/random.ts';
import { connectWindow } from './test/web-client.ts';

const app = fileURLToPath(new URL('../../e2e/fake-host.ts', import.meta.url));
const kills = 200;
/** Apps side by side, each with a folder of its own: a kill mostly waits for its app to start, and for its moment. */
const apps = 4;
/** As promised: what was shown a second ago is kept. */
const promiseMs = 1000;
/** The app writes a word every 2 ms. Of a longer pause the machine had other things to do, and only so much counts as the app's time. */
const longestStep = 50;

/** Starts the app, asks, and kills it `afterMs` after the first word. @returns what a window had been shown */
async function killWhileStreaming(
  directory: string,
  question: string,
  afterMs: number,
): Promise<{ id: number; answerId: number; shown: { at: number; length: number }[]; killedAt: number }> {
  const child = spawn(process.execPath, [app, '--data', directory, '--word-ms', '2'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
  const window = await connectWindow(line.trim());
  const shown: { at: number; length: number }[] = [];
  const streaming = new Promise<void>((resolve, reject) => {
    setTimeout(() => reject(new Error('The answer did not begin within 30 seconds.')), 30_000).unref();
    window.onEvent(({ event, payload }) => {
      if (event !== 'answer.text') return;
      shown.push({ at: performance.now(), length: payload.offset + payload.text.length });
      resolve();
    });
  });
  // The fake engine says back what it was asked, so that a long question gets a long answer.
  const { conversation, answer } = await window.ask('chat.send', {
    conversationId: null,
    parentId: null,
    text: question,
    pictures: [],
    scope: null,
  });
  await streaming;
  await sleep(afterMs);
  const killedAt = performance.now();
  child.kill('SIGKILL');
  await exited;
  window.close();
  return { id: conversation.id, answerId: answer.id, shown, killedAt };
}

/** Characters that were shown at least `ms` of the app's own time before it was killed. */
function shownBefore(ms: number, shown: readonly { at: number; length: number }[], killedAt: number): number {
  let before = 0;
  let next = killedAt;
  for (const { at, length } of shown.toReversed()) {
    before += Math.min(next - at, longestStep);
    if (before >= ms) return length;
    next = at;
  }
  return 0;
}

/** Kills one app again and again. @returns what it was asked, by conversation, and the longest stretch of text lost, ms */
async function killRepeatedly(
  directory: string,
  times: number,
  random: () => number,
  app: string,
): Promise<{ conversations: Map<number, string>; longestMissing: number }> {
  const words = Array.from({ length: 2000 }, (_, index) => `w${index}`).join(' ');
  const conversations = new Map<number, string>();
  let longestMissing = 0;
  for (let kill = 1; kill <= times; kill++) {
    const question = `Question ${kill}: ${words}`;
    const { id, answerId, shown, killedAt } = await killWhileStreaming(directory, question, random() * 1500);
    conversations.set(id, question);

    const store = openStore(directory);
    try {
      store.conversations.markInterrupted();
      const answer = store.conversations.message(answerId);
      const where = `${app}, kill ${kill}`;
      expect(answer.state, where).toBe('interrupted');
      const promised = shownBefore(promiseMs, shown, killedAt);
      expect(answer.text.length, where).toBeGreaterThanOrEqual(promised);
      expect(`You asked: ${question}`.startsWith(answer.text), where).toBe(true);
      const missingFrom = shown.find(({ length }) => length > answer.text.length);
      if (missingFrom) longestMissing = Math.max(longestMissing, killedAt - missingFrom.at);
      expect(store.conversations.list(), where).toHaveLength(conversations.size);
    } finally {
      store.close();
    }
  }
  return { conversations, longestMissing };
}

/** Every question is there, and the database is whole. */
function expectEverything(directory: string, conversations: ReadonlyMap<number, string>): void {
  const store = openStore(directory);
  for (const [id, question] of conversations) expect(store.conversations.open(id).messages[0]!.text).toBe(question);
  store.close();
  const database = new Database(join(directory, 'loupe.db'), { readonly: true });
  expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
  database.close();
}

test(`nothing is lost by ${kills} kills in mid-answer but the last second of text`, async ({ annotate }) => {
  const seed = Number(process.env['LOUPE_SEED'] ?? 1 + (Date.now() % 2 ** 31));
  await annotate(`LOUPE_SEED=${seed}`);
  const folder = mkdtempSync(join(tmpdir(), 'loupe-kill-'));
  try {
    const ended = await Promise.all(
      Array.from({ length: apps }, async (_, number) => {
        const directory = join(folder, String(number));
        mkdirSync(directory);
        const result = await killRepeatedly(
          directory,
          kills / apps,
          randomNumbers(seed + number * 0x9e3779b9),
          `seed ${seed}, app ${number}`,
        );
        expectEverything(directory, result.conversations);
        return result;
      }),
    );
    expect(ended.reduce((sum, { conversations }) => sum + conversations.size, 0)).toBe(kills);
    await annotate(`longest stretch of text lost: ${Math.round(Math.max(...ended.map(({ longestMissing }) => longestMissing)))} ms`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
