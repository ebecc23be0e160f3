import { expect, test } from 'vitest';
import type { SearchHit } from '../../main/contract.ts';
import { inGroups, soughtWords } from './search-groups.ts';

const hit = (conversationId: number, messageId: number | null, more: Partial<SearchHit> = {}): SearchHit => ({
  conversationId,
  messageId,
  title: `Conversation ${conversationId}`,
  snippet: [
    { text: 'before ', hit: false },
    { text: 'Notice', hit: true },
    { text: ' of ', hit: false },
    { text: 'three', hit: true },
  ],
  at: messageId ?? 0,
  picture: null,
  inName: false,
  ...more,
});

test('one row a conversation, in the order of the best hits', () => {
  const groups = inGroups([hit(2, null), hit(1, 5), hit(2, 9), hit(1, 7), hit(3, 8)]);
  expect(groups.map(({ conversationId }) => conversationId)).toEqual([2, 1, 3]);
  expect(groups[0]).toMatchObject({ title: 'Conversation 2', named: { messageId: null }, hits: [{ messageId: 9 }], at: 9 });
  expect(groups[1]).toMatchObject({ named: null, hits: [{ messageId: 5 }, { messageId: 7 }], at: 7 });
});

test('what is marked: the words as they were typed, else those that matched; nothing where they are not in the text', () => {
  expect(soughtWords(' notice three ', hit(1, 5))).toEqual(['notice three', 'Notice', 'three']);
  expect(soughtWords('notice', hit(1, 5, { picture: 'a'.repeat(64) }))).toEqual([]);
  expect(soughtWords('notice', hit(1, 5, { inName: true }))).toEqual([]);
});
