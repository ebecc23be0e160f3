import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RequestFailure } from '../api/transport.ts';
import { Conversations, inGroups } from './conversations.svelte.ts';
import { createFakeClient, summary } from './fake-client.ts';
import { Toasts } from './toasts.svelte.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

async function loaded(answers: Parameters<typeof createFakeClient>[0] = {}, list = [summary(1), summary(2), summary(3, { pinned: true })]) {
  const client = createFakeClient({ 'conversations.list': () => list, ...answers });
  const toasts = new Toasts();
  const conversations = new Conversations(client, toasts);
  await conversations.refresh();
  return { client, toasts, conversations, ids: () => conversations.all.map(({ id }) => id) };
}

const refused = () => {
  throw new RequestFailure({ code: 'store_full', message: 'The disk is full.', nextStep: 'Free some space.' });
};

test('pinned ones first, then by the last message', async () => {
  const { client, ids } = await loaded();
  expect(ids()).toEqual([3, 2, 1]);
  client.send('conversation.changed', summary(1, { updatedAt: 50 }));
  expect(ids()).toEqual([3, 1, 2]);
});

test('private ones come before all others, in a group of their own', async () => {
  const { conversations, ids } = await loaded({}, [summary(1), summary(3, { pinned: true }), summary(2, { private: true })]);
  expect(ids()).toEqual([2, 3, 1]);
  expect(conversations.groups.map(({ name }) => name)).toEqual(['private', 'pinned', 'older']);
});

test('one that is kept after all is said so; one that cannot be stored, too', async () => {
  const kept = summary(9, { title: 'Kept' });
  const { toasts, conversations } = await loaded({ 'conversations.keep': () => kept });
  expect(await conversations.keep(2)).toEqual(kept);
  expect(toasts.shown[0]!.message).toBe('“Kept” is kept from now on.');
  const failing = await loaded({ 'conversations.keep': refused });
  expect(await failing.conversations.keep(2)).toBeNull();
  expect(failing.toasts.shown[0]!.message).toContain('The disk is full.');
});

test('a deleted one can be brought back', async () => {
  const { client, toasts, ids, conversations } = await loaded({ 'conversations.delete': () => null, 'conversations.restore': () => null });
  await conversations.delete([2]);
  expect(ids()).toEqual([3, 1]);
  toasts.shown[0]!.action!.run();
  await vi.advanceTimersByTimeAsync(0);
  expect(client.inputs('conversations.restore')).toEqual([{ id: 2 }]);
  expect(ids()).toEqual([3, 2, 1]);
});

test('several are deleted with one way back for all; one that is refused stays, and it is said', async () => {
  const { client, toasts, ids, conversations } = await loaded({
    'conversations.delete': ({ id }: { id: number }) => (id === 3 ? refused() : null),
    'conversations.restore': () => null,
  });
  let restored = 0;
  await conversations.delete([1, 2, 3], () => restored++);
  expect(ids()).toEqual([3]);
  expect(toasts.shown.map(({ message }) => message)).toEqual(['2 conversations were deleted.', 'The disk is full.']);
  toasts.shown[0]!.action!.run();
  await vi.advanceTimersByTimeAsync(0);
  expect(client.inputs('conversations.restore')).toEqual([{ id: 1 }, { id: 2 }]);
  expect(ids()).toEqual([3, 2, 1]);
  expect(restored).toBe(1);
});

test('one that is erased leaves the list when the app says so, with no way back', async () => {
  const { client, toasts, ids, conversations } = await loaded({ 'conversations.erase': () => null });
  await conversations.erase(conversations.get(2)!);
  client.send('conversation.deleted', { id: 2 });
  expect(client.inputs('conversations.erase')).toEqual([{ id: 2 }]);
  expect(ids()).toEqual([3, 1]);
  expect(toasts.shown[0]).not.toHaveProperty('action');
  const failing = await loaded({ 'conversations.erase': refused });
  await failing.conversations.erase(failing.conversations.get(2)!);
  expect(failing.ids()).toEqual([3, 2, 1]);
});

test('a change that is refused is taken back, and said so', async () => {
  const { toasts, conversations, ids } = await loaded({
    'conversations.delete': refused,
    'conversations.rename': refused,
    'conversations.pin': refused,
  });
  await conversations.delete([2]);
  await conversations.rename(1, 'New');
  await conversations.pin(1, true);
  expect(ids()).toEqual([3, 2, 1]);
  expect(conversations.get(1)?.title).toBe('Conversation 1');
  expect(toasts.shown.map(({ message }) => message)).toEqual(['The disk is full.']);
});

test('an empty title, and the same one, rename nothing', async () => {
  const { client, conversations } = await loaded();
  await conversations.rename(1, '  ');
  await conversations.rename(1, 'Conversation 1');
  expect(client.inputs('conversations.rename')).toEqual([]);
});

test('only the answer to the last letters is shown', async () => {
  const answers = new Map<string, (hits: never[]) => void>();
  const { client, conversations } = await loaded({
    'conversations.search': ({ query }) => new Promise((resolve) => void answers.set(query, resolve)),
  });
  conversations.query = 'd';
  conversations.query = 'di';
  await vi.advanceTimersByTimeAsync(500);
  expect(client.inputs('conversations.search').map(({ query }) => query)).toEqual(['di']);
  conversations.query = 'disk';
  await vi.advanceTimersByTimeAsync(500);
  answers.get('disk')!([]);
  await vi.advanceTimersByTimeAsync(0);
  expect(conversations.hits).toEqual([]);
  conversations.query = '';
  expect(conversations.hits).toBeNull();
  answers.get('di')!([]);
  await vi.advanceTimersByTimeAsync(0);
  expect(conversations.hits).toBeNull();
});

test('groups by day, also around a change of the clock', () => {
  const today = new Date(2026, 2, 30).getTime();
  const at = (day: number, hour: number, month = 2) => new Date(2026, month, day, hour).getTime();
  const groups = inGroups(
    [
      summary(1, { pinned: true, updatedAt: at(1, 0) }),
      summary(2, { updatedAt: at(30, 9) }),
      summary(3, { updatedAt: at(30, 0) }),
      summary(4, { updatedAt: at(29, 23) }),
      summary(5, { updatedAt: at(29, 0) }),
      summary(6, { updatedAt: at(28, 23) }),
    ],
    today,
  );
  expect(groups.map(({ name, conversations }) => [name, conversations.map(({ id }) => id)])).toEqual([
    ['pinned', [1]],
    ['today', [2, 3]],
    ['yesterday', [4, 5]],
    ['older', [6]],
  ]);
});
