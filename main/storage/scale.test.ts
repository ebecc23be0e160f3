import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Store } from '../services/ports.ts';
import { openStore } from './store.ts';
import { fillStore } from './test/fill.ts';

const conversations = 1000;
const messages = 100;
/** Milliseconds. */
const most = 50;
const runs = 15;

let folder: string;
let store: Store;
let now = Date.now();
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-scale-'));
  fillStore(folder, conversations, messages, 20250102);
  store = openStore(folder, { clock: { now: () => now } });
}, 180_000);
afterAll(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

/**
 * The median by the clock; the worst by the processor's time, which other programs of the machine
 * do not lengthen.
 */
function measure(name: string, action: (run: number) => unknown): void {
  const wall: number[] = [];
  const processor: number[] = [];
  for (let run = 0; run < runs; run++) {
    const began = performance.now();
    const used = process.cpuUsage();
    action(run);
    const { user, system } = process.cpuUsage(used);
    wall.push(performance.now() - began);
    processor.push((user + system) / 1000);
  }
  wall.sort((a, b) => a - b);
  const median = wall[runs >> 1]!;
  const worst = Math.max(...processor);
  console.log(`${name}: median ${median.toFixed(1)} ms, worst ${wall.at(-1)!.toFixed(1)} ms (${worst.toFixed(1)} ms of processor time)`);
  expect(median, `${name}, median`).toBeLessThan(most);
  expect(worst, `${name}, worst`).toBeLessThan(most);
}

test(`of ${conversations} conversations with ${messages} messages`, () => {
  const { conversations: kept } = store;
  expect(kept.list()).toHaveLength(conversations);
  const opened = kept.open(500);
  expect(opened.messages).toHaveLength(messages);
  expect(opened.messages.flatMap(({ pictures }) => pictures)).toHaveLength(messages / 20);
  expect(kept.path(opened.leafId!)).toHaveLength(messages);
  const title = kept.summary(700).title.split(' ');
  expect(kept.search(title.join(' '), 50).map(({ conversationId }) => conversationId)).toContain(700);
  // In every message, so that the newest ones are ranked.
  expect(kept.search('the', 50)).toHaveLength(50);

  measure('list', () => kept.list());
  measure('open', (run) => kept.open(1 + run * 60));
  measure('path', (run) => kept.path((1 + run * 60) * messages));
  measure('recent prompts', () => kept.recentPrompts(20));
  for (const query of ['t', 'a', 'th', 'the', `${title[0]} ${title[1]!.slice(0, 2)}`, title[4]!, 'a b c d e f', 'nowhere']) measure(`search "${query}"`, () => kept.search(query, 50));
  measure('append', () => kept.append({ conversationId: 1, parentId: messages, role: 'user', text: 'one more', pictures: [], state: 'complete', model: null }));
  const { id } = kept.append({ conversationId: 1, parentId: messages, role: 'assistant', text: '', pictures: [], state: 'streaming', model: 'demo' });
  measure('checkpoint', (run) => {
    kept.checkpoint(id, 'words '.repeat(run * 500));
  });
  measure('select branch', () => kept.selectBranch(messages + 1));
});

test('the sweep of ten conversations among them', () => {
  for (const { id } of store.conversations.list().slice(0, 10)) store.conversations.delete(id);
  now += 31 * 24 * 60 * 60 * 1000;
  const used = process.cpuUsage();
  store.sweep();
  const { user, system } = process.cpuUsage(used);
  const milliseconds = (user + system) / 1000;
  console.log(`sweep: ${milliseconds.toFixed(0)} ms of processor time`);
  expect(store.conversations.list()).toHaveLength(conversations - 10);
  expect(milliseconds).toBeLessThan(3000);
});
