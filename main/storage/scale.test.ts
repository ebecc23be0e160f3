/**
 * What a thousand conversations cost compared with a hundred, measured in turn in one run: by the processor's time,
 * and by the quickest of many runs, so that neither the machine nor what else it does decides. The times are printed.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Store } from '../services/ports.ts';
import { openStore } from './store.ts';
import { fillStore } from './test/fill.ts';

const conversations = 1000;
const few = 100;
const messages = 100;
const runs = 15;
/** An index answers alike in both stores; a walk through all would cost ten times as much. */
const alike = 4;
/**
 * What reads everything may cost in proportion, with room for what a larger index takes;
 * two walks within another would cost a hundred times as much.
 */
const inProportion = 3 * (conversations / few);

let folder: string;
let store: Store;
let small: Store;
let now = Date.now();
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-scale-'));
  const filled = (name: string, count: number): Store => {
    fillStore(join(folder, name), count, messages, 20250102);
    return openStore(join(folder, name), { clock: { now: () => now } });
  };
  store = filled('large', conversations);
  small = filled('small', few);
}, 300_000);
afterAll(() => {
  store.close();
  small.close();
  rmSync(folder, { recursive: true });
});

/** Microseconds of the processor. */
function cost(action: () => unknown): number {
  const used = process.cpuUsage();
  action();
  const { user, system } = process.cpuUsage(used);
  return user + system;
}

function compare(name: string, most: number, action: (kept: Store['conversations'], run: number) => unknown): void {
  const costs = { large: Infinity, small: Infinity };
  for (let run = 0; run < runs; run++) {
    costs.small = Math.min(
      costs.small,
      cost(() => action(small.conversations, run)),
    );
    costs.large = Math.min(
      costs.large,
      cost(() => action(store.conversations, run)),
    );
  }
  console.log(`${name}: ${costs.large} µs of processor time, ${costs.small} µs among ${few}`);
  expect(costs.large, `${name} among ${conversations}, against ${costs.small} µs among ${few}`).toBeLessThanOrEqual(most * costs.small);
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

  compare('list', inProportion, (of) => of.list());
  compare('open', alike, (of, run) => of.open(1 + run * 6));
  compare('path', alike, (of, run) => of.path((1 + run * 6) * messages));
  compare('recent prompts', alike, (of) => of.recentPrompts(20));
  for (const query of ['t', 'a', 'th', 'the', `${title[0]} ${title[1]!.slice(0, 2)}`, title[4]!, 'a b c d e f', 'nowhere']) {
    compare(`search "${query}"`, inProportion, (of) => of.search(query, 50));
  }
  const message = { conversationId: 1, parentId: messages, pictures: [] };
  compare('append', alike, (of) => of.append({ ...message, role: 'user', text: 'one more', state: 'complete', model: null }));
  const ids = new Map(
    [store, small].map(({ conversations: of }) => [
      of,
      of.append({ ...message, role: 'assistant', text: '', state: 'streaming', model: 'demo' }).id,
    ]),
  );
  compare('checkpoint', alike, (of, run) => of.checkpoint(ids.get(of)!, 'words '.repeat(run * 500)));
  compare('select branch', alike, (of) => of.selectBranch(messages - 1));
});

test('the sweep of ten conversations', () => {
  for (const { conversations: of } of [store, small]) for (const { id } of of.list().slice(0, 10)) of.delete(id);
  now += 31 * 24 * 60 * 60 * 1000;
  const costs = { small: cost(() => small.sweep()), large: cost(() => store.sweep()) };
  console.log(`sweep: ${costs.large} µs of processor time, ${costs.small} µs among ${few}`);
  expect(store.conversations.list()).toHaveLength(conversations - 10);
  expect(costs.large).toBeLessThanOrEqual(inProportion * costs.small);
});
