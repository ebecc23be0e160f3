import { isMac } from './shortcuts.ts';

/** What takes letters itself: fields, lists that are searched by typing, and surfaces with keys of their own. */
const takesLetters = 'textarea, input, select, [contenteditable], [role=application], [role=listbox]';

/** Whether a key that is pressed somewhere in the window is meant for the question. */
export function isForField(event: KeyboardEvent): boolean {
  return writes(event) && event.target instanceof Element && event.target.closest(takesLetters) === null;
}

/** A letter, the beginning of one, or a paste. Not the space bar, which presses buttons and scrolls. */
export function writes(event: KeyboardEvent, mac = isMac): boolean {
  const { key, ctrlKey, metaKey, altKey } = event;
  if (key.toLowerCase() === 'v' && (mac ? metaKey && !ctrlKey : ctrlKey && !metaKey) && !altKey) return true;
  const letter = (key.length === 1 && key !== ' ') || key === 'Dead';
  // AltGr is Ctrl and Alt at once on Windows; on a Mac, Option alone writes letters.
  const held = event.getModifierState('AltGraph') ? metaKey : ctrlKey || metaKey || (altKey && !mac);
  return letter && !held;
}
