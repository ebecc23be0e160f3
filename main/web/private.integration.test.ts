/** A private conversation with the demo model: the engine's process, its caches and its log hold nothing of it on a disk either. */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { startPrivateLife, traces } from './test/private-life.ts';

const loupe = fileURLToPath(new URL('../cli/loupe.ts', import.meta.url));

test('no word and no byte of its pictures is in any file, while it runs and after kill -9', { timeout: 600_000 }, async () => {
  const { window, ended, converse, filesWith, kill, end } = await startPrivateLife([loupe, 'serve', '--no-open'], 20);
  try {
    const kept = await window.ask('chat.send', { conversationId: null, parentId: null, text: 'Kept umbrella', pictures: [], scope: null });
    await ended(kept.answer.id);
    const { id } = await window.ask('conversations.openPrivate', {});
    const wanted = await converse(id, 'Xylophone');
    expect(filesWith(wanted)).toEqual([]);
    await kill();
    expect(filesWith(wanted)).toEqual([]);
    expect(filesWith(traces('umbrella'))).not.toEqual([]);
  } finally {
    await end();
  }
});
