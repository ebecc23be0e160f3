import { expect, test } from 'vitest';
import { hasBegun, isUnknown, isWelcome } from './welcome.ts';

const fresh = { selectedId: null, conversations: 0 };

test('the first page is for a person who has not begun', () => {
  expect(isWelcome({ welcomed: false }, true, fresh)).toBe(true);
  expect(isWelcome({ welcomed: true }, true, fresh)).toBe(false);
  expect(isWelcome({ welcomed: false }, false, fresh)).toBe(false);
});

test.each([
  ['a conversation that is opened, as from the quick-ask window', { selectedId: 4, conversations: 0 }],
  ['conversations that are there, as those asked by hotkey', { selectedId: null, conversations: 1 }],
])('%s is not hidden by it', (_, begun) => {
  expect(hasBegun(begun)).toBe(true);
  expect(isWelcome({ welcomed: false }, true, begun)).toBe(false);
});

test('who is not welcomed yet is not known before the conversations are listed', () => {
  expect(isUnknown({ welcomed: false }, false)).toBe(true);
  expect(isUnknown({ welcomed: false }, true)).toBe(false);
  expect(isUnknown({ welcomed: true }, false)).toBe(false);
});
