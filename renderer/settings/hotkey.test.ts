import { expect, test } from 'vitest';
import { hotkeyOf, keysOf, type KeyPress } from './hotkey.ts';

const press = (key: string, code: string, held: Partial<KeyPress> = {}): KeyPress => ({
  key,
  code,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  shiftKey: false,
  ...held,
});

test.each<[string, KeyPress, string, string]>([
  ['Ctrl+Shift+Space', press(' ', 'Space', { ctrlKey: true, shiftKey: true }), 'linux', 'CommandOrControl+Shift+Space'],
  ['Command+Shift+Space', press(' ', 'Space', { metaKey: true, shiftKey: true }), 'darwin', 'CommandOrControl+Shift+Space'],
  ['Control+Option+L, which types a symbol', press('¬', 'KeyL', { ctrlKey: true, altKey: true }), 'darwin', 'Control+Alt+L'],
  ['Super+A on a French keyboard', press('a', 'KeyQ', { metaKey: true }), 'linux', 'Super+A'],
  ['Alt+Shift+1, which types a symbol', press('!', 'Digit1', { altKey: true, shiftKey: true }), 'win32', 'Alt+Shift+1'],
  ['Ctrl+Numpad 5', press('5', 'Numpad5', { ctrlKey: true }), 'linux', 'CommandOrControl+num5'],
  ['F9 alone', press('F9', 'F9'), 'linux', 'F9'],
  ['Print alone', press('PrintScreen', 'PrintScreen'), 'linux', 'PrintScreen'],
  ['Alt+Up', press('ArrowUp', 'ArrowUp', { altKey: true }), 'linux', 'Alt+Up'],
])('%s', (_, pressed, platform, accelerator) => {
  expect(hotkeyOf(pressed, platform)).toEqual({ kind: 'hotkey', accelerator });
});

test('modifiers alone wait for a key', () => {
  expect(hotkeyOf(press('Shift', 'ShiftLeft', { ctrlKey: true, shiftKey: true }), 'linux')).toEqual({
    kind: 'pending',
    accelerator: 'CommandOrControl+Shift',
  });
});

test('keys that are typed every day are refused', () => {
  expect(hotkeyOf(press('a', 'KeyA'), 'linux')).toEqual({ kind: 'plain' });
  expect(hotkeyOf(press('A', 'KeyA', { shiftKey: true }), 'linux')).toEqual({ kind: 'plain' });
  expect(hotkeyOf(press('Enter', 'Enter'), 'linux')).toEqual({ kind: 'plain' });
});

test('keys without a name are refused', () => {
  expect(hotkeyOf(press('Unidentified', '', { ctrlKey: true }), 'linux')).toEqual({ kind: 'unknown' });
});

test('shown as the keys of the platform', () => {
  expect(keysOf('CommandOrControl+Shift+Space', 'linux')).toEqual(['Ctrl', 'Shift', 'Space']);
  expect(keysOf('CommandOrControl+Shift+Space', 'darwin')).toEqual(['⌘', '⇧', 'Space']);
  expect(keysOf('Super+Enter', 'win32')).toEqual(['Win', 'Enter']);
});
