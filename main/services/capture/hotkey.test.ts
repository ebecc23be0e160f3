import { describe, expect, test } from 'vitest';
import { defaultSettings } from '../../contract.ts';
import { acceleratorText, describeAccelerator, hotkeyState, parseAccelerator, validateAccelerator, type HotkeyFacts } from './hotkey.ts';

describe('reading', () => {
  test.each([
    ['CommandOrControl+Shift+Space', 'CommandOrControl+Shift+Space'],
    ['shift+cmdorctrl+space', 'CommandOrControl+Shift+Space'],
    ['Ctrl + Alt + a', 'Control+Alt+A'],
    ['Alt+Option+7', 'Alt+7'],
    ['F13', 'F13'],
    ['Meta+PrintScreen', 'Super+PrintScreen'],
    ['Ctrl+Plus', 'Control+Plus'],
    ['Ctrl+/', 'Control+/'],
    ['Ctrl+num5', 'Control+num5'],
    ['Ctrl+Return', 'Control+Enter'],
    ['Ctrl+Esc', 'Control+Escape'],
  ])('%s is %s', (text, canonical) => {
    expect(acceleratorText(parseAccelerator(text))).toBe(canonical);
  });

  test.each([
    ['', 'a key is missing beside a +; the plus key is written Plus'],
    ['Ctrl+', 'a key is missing beside a +; the plus key is written Plus'],
    ['Ctrl+Shift', 'it has no key beside Ctrl, Alt, Shift and the like'],
    ['Ctrl+A+B', 'it has two keys, A and B'],
    ['Ctrl+Foo', 'there is no key called Foo'],
    ['Ctrl+F25', 'there is no key called F25'],
    ['Ctrl+constructor', 'there is no key called constructor'],
    ['toString+A', 'there is no key called toString'],
    ['Ctrl+ü', 'there is no key called ü'],
  ])('%s is refused', (text, why) => {
    expect(() => parseAccelerator(text)).toThrow(`The hotkey “${text}” cannot be used: ${why}.`);
  });
});

describe('a combination that may be taken', () => {
  test.each<[string, NodeJS.Platform]>([
    [defaultSettings.hotkey!, 'linux'],
    [defaultSettings.hotkey!, 'darwin'],
    ['PrintScreen', 'win32'],
    ['Shift+F5', 'linux'],
    ['Command+Shift+2', 'darwin'],
    ['Alt+Space', 'linux'],
  ])('%s on %s', (text, platform) => {
    expect(acceleratorText(validateAccelerator(text, platform))).toBe(text);
  });

  test.each<[string, NodeJS.Platform, string]>([
    ['A', 'linux', 'other programs would no longer get this key'],
    ['Shift+A', 'win32', 'other programs would no longer get this key'],
    ['Space', 'darwin', 'other programs would no longer get this key'],
    ['Ctrl+Escape', 'linux', 'Esc closes the capture'],
    ['Command+A', 'linux', 'no Cmd key'],
  ])('not %s on %s', (text, platform, why) => {
    expect(() => validateAccelerator(text, platform)).toThrow(why);
  });
});

test.each<[string, NodeJS.Platform, string]>([
  ['CommandOrControl+Shift+Space', 'linux', 'Ctrl + Shift + Space'],
  ['CommandOrControl+Shift+Space', 'darwin', '⇧⌘Space'],
  ['Control+Alt+Command+K', 'darwin', '⌃⌥⌘K'],
  ['Super+PrintScreen', 'win32', 'Win + Print Screen'],
  ['Super+A', 'linux', 'Super + A'],
  ['Control+num7', 'linux', 'Ctrl + Num 7'],
  ['CommandOrControl+Control+Plus', 'linux', 'Ctrl + +'],
])('%s on %s is written %s', (text, platform, words) => {
  expect(describeAccelerator(parseAccelerator(text), platform)).toBe(words);
});

describe('what the window is told', () => {
  const x11: HotkeyFacts = {
    wanted: 'Control+Shift+Space',
    platform: 'linux',
    wayland: false,
    portal: false,
    registered: true,
    proven: false,
  };

  test.each<[string, Partial<HotkeyFacts>, string, RegExp]>([
    ['it works', {}, 'registered', /^$/],
    ['none is wanted', { wanted: null }, 'off', /^$/],
    ['a broken setting', { wanted: 'Ctrl+' }, 'off', /cannot be used: a key is missing.*Press a combination/],
    ['another program has it', { registered: false }, 'taken', /^Ctrl \+ Shift \+ Space belongs to another program\. Close that program/],
    ['Windows keeps Print Screen', { platform: 'win32', wanted: 'PrintScreen', registered: false }, 'taken', /Use the Print screen key/],
    ['Windows keeps the Windows key', { platform: 'win32', wanted: 'Super+A', registered: false }, 'taken', /Choose one with Ctrl and Alt/],
    ['Spotlight', { platform: 'darwin', wanted: 'Command+Space', registered: false }, 'taken', /Spotlight/],
    ['a screenshot program', { wanted: 'PrintScreen', registered: false }, 'taken', /screenshot program/],
    ['Wayland says yes', { wayland: true }, 'unsure', /Press it now; if nothing happens, bind a key to the command `loupe --capture`/],
    ['Wayland said yes, and the key came', { wayland: true, proven: true }, 'registered', /^$/],
    ['Wayland with the portal', { wayland: true, portal: true }, 'registered', /allow Ctrl \+ Shift \+ Space/],
    ['Wayland says no', { wayland: true, registered: false }, 'unsupported', /`loupe --capture`/],
    ['Wayland with the portal says no', { wayland: true, portal: true, registered: false }, 'taken', /belongs to another program/],
  ])('%s', (_name, facts, status, advice) => {
    const state = hotkeyState({ ...x11, ...facts });
    expect(state.status).toBe(status);
    expect(state.advice).toMatch(advice);
    expect(state.accelerator).toBe(facts.wanted === undefined ? x11.wanted : facts.wanted);
  });
});
