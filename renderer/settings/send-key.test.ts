import { expect, test } from 'vitest';
import { sends } from './send-key.ts';

function enter(held: Partial<KeyboardEvent> = {}): KeyboardEvent {
  return { key: 'Enter', isComposing: false, shiftKey: false, altKey: false, ctrlKey: false, metaKey: false, ...held } as KeyboardEvent;
}

test('Enter sends and Shift+Enter does not', () => {
  expect(sends(enter(), 'enter', false)).toBe(true);
  expect(sends(enter({ shiftKey: true }), 'enter', false)).toBe(false);
  expect(sends(enter({ ctrlKey: true }), 'enter', false)).toBe(false);
  expect(sends({ ...enter(), key: 'a' }, 'enter', false)).toBe(false);
});

test('with the command key instead, where that is set', () => {
  expect(sends(enter(), 'mod-enter', false)).toBe(false);
  expect(sends(enter({ ctrlKey: true }), 'mod-enter', false)).toBe(true);
  expect(sends(enter({ ctrlKey: true }), 'mod-enter', true)).toBe(false);
  expect(sends(enter({ metaKey: true }), 'mod-enter', true)).toBe(true);
});

test('Enter that ends the composition of a character is not meant for sending', () => {
  expect(sends(enter({ isComposing: true }), 'enter', false)).toBe(false);
});
