/** A capture that is not kept: asked about in a private conversation. */
import { expect, test } from 'vitest';
import type { ModelView } from '../../main/contract.ts';
import { conversation, createFakeClient, message, picture, summary } from './fake-client.ts';
import { QuickAsk } from './quick-ask.svelte.ts';

const size = { width: 1, height: 1 };
const view: ModelView = {
  picture: size,
  resized: size,
  canvas: size,
  grid: { columns: 1, rows: 1 },
  tileSize: 1,
  scale: 1,
  smallestText: 1,
  sharpness: 'sharp',
};

function rig(answers: Parameters<typeof createFakeClient>[0] = {}) {
  const begun = { ...summary(7), private: true as const };
  const client = createFakeClient({
    'pictures.view': () => view,
    'chat.measure': () => null,
    'chat.send': () => ({
      conversation: begun,
      question: message(1, null),
      answer: message(2, 1, { role: 'assistant', conversationId: 7 }),
    }),
    'conversations.closePrivate': () => null,
    ...answers,
  });
  const quick = new QuickAsk(client);
  quick.show(picture('a'), 7);
  return { client, quick };
}

test('is asked about in its private conversation, which is closed with the window, and by the next capture', async () => {
  const { client, quick } = rig();
  expect(quick.isPrivate).toBe(true);
  await quick.ask('What is it?');
  expect(client.inputs('chat.send')).toMatchObject([{ conversationId: 7, parentId: null }]);
  quick.show(picture('b'), 8);
  expect(client.inputs('conversations.closePrivate')).toEqual([{ id: 7 }]);
  await quick.forget();
  expect(client.inputs('conversations.closePrivate')).toEqual([{ id: 7 }, { id: 8 }]);
  await quick.forget();
  expect(client.inputs('conversations.closePrivate')).toHaveLength(2);
});

test('stays where the main window has it, and where it is kept after all', async () => {
  const handed = rig();
  handed.quick.handOver();
  await handed.quick.forget();
  expect(handed.client.inputs('conversations.closePrivate')).toEqual([]);

  const { client, quick } = rig({
    'conversations.keep': () => summary(9),
    'conversations.open': ({ id }) => conversation([message(1, null)], { id }),
  });
  await quick.keep();
  expect(client.inputs('conversations.keep')).toEqual([]);
  await quick.ask('What is it?');
  await quick.keep();
  expect([quick.isPrivate, quick.conversation?.id]).toEqual([false, 9]);
});

test('a picture that is pasted has a private conversation of its own; one that cannot be read leaves none', async () => {
  const { client, quick } = rig({ 'conversations.openPrivate': () => summary(8) });
  await quick.bringPrivately(async (id) => (expect(id).toBe(8), picture('b')));
  expect([quick.isPrivate, quick.picture?.name]).toEqual([true, 'b.png']);
  expect(client.inputs('conversations.closePrivate')).toEqual([{ id: 7 }]);
  await expect(quick.bringPrivately(() => Promise.reject(new Error('Damaged.')))).rejects.toThrow('Damaged.');
  expect(client.inputs('conversations.closePrivate')).toEqual([{ id: 7 }, { id: 8 }]);
});
