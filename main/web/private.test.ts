/** No word and no byte of a private conversation reaches a disk. The engine is a double; with the real one: `private.integration.test.ts`. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startPrivateLife, traces, type PrivateLife } from './test/private-life.ts';

const host = fileURLToPath(new URL('../../e2e/fake-host.ts', import.meta.url));
let life: PrivateLife;

beforeEach(async () => {
  life = await startPrivateLife([host, '--word-ms', '1'], 400);
});
afterEach(() => life.end());

test('no word and no byte of its pictures is in any file, while it runs, after it is closed and after kill -9', async () => {
  const { window, ended, converse, filesWith, kill } = life;
  const kept = await window.ask('chat.send', { conversationId: null, parentId: null, text: 'Kept umbrella', pictures: [], scope: null });
  await ended(kept.answer.id);
  const { id, title, private: isPrivate } = await window.ask('conversations.openPrivate', {});
  expect([title, isPrivate]).toEqual(['Private conversation', true]);
  const closed = await converse(id, 'Xylophone');
  expect(filesWith(closed)).toEqual([]);
  await window.ask('conversations.closePrivate', { id });
  expect(filesWith(closed)).toEqual([]);
  await expect(window.ask('conversations.open', { id })).rejects.toMatchObject({ code: 'not_found' });

  const { id: running } = await window.ask('conversations.openPrivate', {});
  const killed = await converse(running, 'Zeppelin');
  expect((await window.ask('conversations.list', {})).map((summary) => summary.id)).toEqual([running, kept.conversation.id]);
  expect(filesWith(killed)).toEqual([]);
  await kill();
  expect(filesWith([...closed, ...killed])).toEqual([]);
  // The same search finds what is kept.
  expect(filesWith(traces('umbrella'))).not.toEqual([]);
});

test('kept after all, all of it is found', async () => {
  const { window, converse, filesWith } = life;
  const { id } = await window.ask('conversations.openPrivate', {});
  await converse(id, 'Xylophone');
  const kept = await window.ask('conversations.keep', { id });
  expect(kept).toMatchObject({ title: 'Xylophone title' });
  expect(kept).not.toHaveProperty('private');
  expect(await window.ask('conversations.open', { id: kept.id })).toMatchObject({ pinnedPicture: { name: 'Xylophone.png' } });
  expect((await window.ask('conversations.list', {})).map((summary) => summary.id)).toEqual([kept.id]);
  expect(filesWith(traces('Xylophone')).some((name) => name.startsWith(join('data', 'loupe.db')))).toBe(true);
});
