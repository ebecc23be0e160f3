/** Hotkeys in Electron's notation ("CommandOrControl+Shift+Space"): made from a key press, and shown as keys. */

export interface KeyPress {
  key: string;
  /** The place on the keyboard, as in KeyboardEvent. */
  code: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
}

/** `pending`: only modifiers are held. `plain`: a key that is typed every day. `unknown`: a key without a name. */
export type HotkeyResult =
  { kind: 'hotkey'; accelerator: string } | { kind: 'pending'; accelerator: string } | { kind: 'plain' } | { kind: 'unknown' };

const modifierKeys = new Set(['Control', 'Meta', 'Alt', 'AltGraph', 'Shift', 'OS', 'CapsLock', 'Fn']);

const named: Partial<Record<string, string>> = {
  Space: 'Space',
  Enter: 'Enter',
  NumpadEnter: 'Enter',
  Tab: 'Tab',
  Backspace: 'Backspace',
  Delete: 'Delete',
  Insert: 'Insert',
  Home: 'Home',
  End: 'End',
  PageUp: 'PageUp',
  PageDown: 'PageDown',
  ArrowUp: 'Up',
  ArrowDown: 'Down',
  ArrowLeft: 'Left',
  ArrowRight: 'Right',
  PrintScreen: 'PrintScreen',
  Minus: '-',
  Equal: '=',
  BracketLeft: '[',
  BracketRight: ']',
  Backslash: '\\',
  Semicolon: ';',
  Quote: "'",
  Backquote: '`',
  Comma: ',',
  Period: '.',
  Slash: '/',
};

export function hotkeyOf(press: KeyPress, platform: string): HotkeyResult {
  const mac = platform === 'darwin';
  const modifiers = [
    ...((mac ? press.metaKey : press.ctrlKey) ? ['CommandOrControl'] : []),
    ...(mac && press.ctrlKey ? ['Control'] : []),
    ...(!mac && press.metaKey ? ['Super'] : []),
    ...(press.altKey ? ['Alt'] : []),
    ...(press.shiftKey ? ['Shift'] : []),
  ];
  if (modifierKeys.has(press.key)) return { kind: 'pending', accelerator: modifiers.join('+') };
  const key = keyName(press);
  if (key === null) return { kind: 'unknown' };
  const alone = /^F\d+$|^PrintScreen$/.test(key);
  const commanding = press.ctrlKey || press.metaKey || press.altKey;
  if (!commanding && !alone) return { kind: 'plain' };
  return { kind: 'hotkey', accelerator: [...modifiers, key].join('+') };
}

/** The letter of the reader's own layout where it is one; modifiers may have turned it into a symbol. */
function keyName({ key, code }: KeyPress): string | null {
  if (/^[a-z]$/i.test(key)) return key.toUpperCase();
  if (/^F([1-9]|1\d|2[0-4])$/.test(key)) return key;
  const place = /^(?:Key|Digit)([A-Z0-9])$/.exec(code)?.[1] ?? /^Numpad(\d)$/.exec(code)?.[1]?.replace(/^/, 'num');
  return place ?? named[code] ?? null;
}

const macNames: Partial<Record<string, string>> = {
  CommandOrControl: '⌘',
  Command: '⌘',
  Control: '⌃',
  Alt: '⌥',
  Option: '⌥',
  Shift: '⇧',
  Super: '⌘',
  Meta: '⌘',
};
const names: Partial<Record<string, string>> = {
  CommandOrControl: 'Ctrl',
  Control: 'Ctrl',
  PrintScreen: 'Print',
  Up: '↑',
  Down: '↓',
  Left: '←',
  Right: '→',
};

/** The keys as they are printed on a keyboard: ["Ctrl", "Shift", "Space"]. */
export function keysOf(accelerator: string, platform: string): string[] {
  const table = platform === 'darwin' ? { ...names, ...macNames } : platform === 'win32' ? { ...names, Super: 'Win', Meta: 'Win' } : names;
  return accelerator
    .split('+')
    .filter((part) => part !== '')
    .map((part) => table[part] ?? part);
}
