import { expect, test } from 'vitest';
import { matches, shortcutKeys, shortcuts, shortcutText } from './shortcuts.ts';

function press(key: string, held: Partial<Record<'ctrlKey' | 'metaKey' | 'shiftKey' | 'altKey', boolean>> = {}): KeyboardEvent {
  return { key, ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, ...held } as KeyboardEvent;
}

test('Mod is Control, and Command on a Mac', () => {
  expect(matches(press('k', { ctrlKey: true }), 'search', false)).toBe(true);
  expect(matches(press('k', { metaKey: true }), 'search', false)).toBe(false);
  expect(matches(press('k', { metaKey: true }), 'search', true)).toBe(true);
  expect(matches(press('k'), 'search', false)).toBe(false);
});

test('further keys held make it another shortcut', () => {
  expect(matches(press('C', { ctrlKey: true, shiftKey: true }), 'capture', false)).toBe(true);
  expect(matches(press('c', { ctrlKey: true }), 'capture', false)).toBe(false);
  expect(matches(press('k', { ctrlKey: true, shiftKey: true }), 'search', false)).toBe(false);
  expect(matches(press('k', { ctrlKey: true, altKey: true }), 'search', false)).toBe(false);
});

test('a slash may need Shift on some keyboards', () => {
  expect(matches(press('/', { ctrlKey: true, shiftKey: true }), 'shortcuts', false)).toBe(true);
});

test('a plus is the key itself, with Shift or on a key that has it above an equals sign', () => {
  expect(matches(press('+', { shiftKey: true }), 'zoomIn', false)).toBe(true);
  expect(matches(press('+'), 'zoomIn', false)).toBe(true);
  expect(matches(press('='), 'zoomIn', false)).toBe(true);
  expect(matches(press('+', { ctrlKey: true }), 'zoomIn', false)).toBe(false);
  expect(shortcutText('zoomIn', false)).toBe('+');
});

test('a bracket may need AltGr, which is Control and Alt on Windows', () => {
  const graph = { ...press('[', { ctrlKey: true, altKey: true }), getModifierState: (name: string) => name === 'AltGraph' };
  expect(matches(graph, 'previousCitation', false)).toBe(true);
  expect(matches({ ...graph, key: 'k' }, 'search', false)).toBe(false);
  expect(matches(press(']'), 'nextCitation', false)).toBe(true);
});

test('no two shortcuts are the same', () => {
  const all = Object.values(shortcuts);
  expect(new Set(all).size).toBe(all.length);
});

test('shown as printed on the keyboard', () => {
  expect(shortcutKeys('nextConversation', false)).toEqual(['Alt', '↓']);
  expect(shortcutText('capture', false)).toBe('Ctrl+Shift+C');
  expect(shortcutText('capture', true)).toBe('⇧⌘C');
  expect(shortcutText('nextConversation', true)).toBe('⌥↓');
});
