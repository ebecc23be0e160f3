/** A browser keeps some shortcuts for itself. */
const inBrowser = !('loupe' in globalThis);

/**
 * Every shortcut of the main window, once: the handler, the tooltips and the sheet read this table.
 * `Mod` is Command on a Mac, else Control.
 */
export const shortcuts = {
  newConversation: inBrowser ? 'Mod+Shift+O' : 'Mod+N',
  newPrivate: inBrowser ? 'Mod+Shift+F' : 'Mod+Shift+N',
  search: 'Mod+K',
  previousConversation: 'Alt+ArrowUp',
  nextConversation: 'Alt+ArrowDown',
  rename: 'F2',
  delete: 'Delete',
  deleteOpen: 'Mod+Shift+Backspace',
  capture: 'Mod+Shift+C',
  attach: 'Mod+O',
  compose: 'Mod+Shift+A',
  editLast: 'ArrowUp',
  stop: 'Escape',
  inspector: 'Mod+I',
  copyText: 'Mod+Shift+X',
  export: 'Mod+Shift+E',
  documents: 'Mod+Shift+D',
  lock: inBrowser ? 'Mod+Shift+L' : 'Mod+L',
  settings: 'Mod+,',
  shortcuts: 'Mod+/',
  nextPage: 'PageDown',
  previousPage: 'PageUp',
  firstPage: 'Home',
  lastPage: 'End',
  goToPage: 'G',
  find: 'Mod+F',
  nextHit: 'F3',
  previousHit: 'Shift+F3',
  nextCitation: ']',
  previousCitation: '[',
  zoomIn: '+',
  zoomOut: '-',
  fitPage: '0',
  rotatePages: 'R',
  thumbnails: 'T',
  copyPage: 'Mod+C',
  askAboutPage: 'A',
} as const;

/** Work as well, and are not shown: a browser window without tabs does hand Mod+N on; a plus needs Shift on many keyboards. */
const alternatives: Partial<Record<keyof typeof shortcuts, string>> = { newConversation: 'Mod+N', zoomIn: '=' };

export type ShortcutName = keyof typeof shortcuts;

/** Those that work wherever the focus is; the others belong to the list or the composer. */
export const globalShortcuts = [
  'newConversation',
  'newPrivate',
  'search',
  'find',
  'nextHit',
  'previousHit',
  'previousConversation',
  'nextConversation',
  'capture',
  'attach',
  'compose',
  'inspector',
  'copyText',
  'export',
  'rename',
  'deleteOpen',
  'documents',
  'lock',
  'settings',
  'shortcuts',
] as const satisfies ShortcutName[];

/** Of the viewer of documents. */
export const viewerShortcuts = [
  'nextPage',
  'previousPage',
  'firstPage',
  'lastPage',
  'goToPage',
  'find',
  'nextHit',
  'previousHit',
  'nextCitation',
  'previousCitation',
  'zoomIn',
  'zoomOut',
  'fitPage',
  'rotatePages',
  'thumbnails',
  'copyPage',
  'askAboutPage',
] as const satisfies ShortcutName[];

interface Combination {
  mod: boolean;
  shift: boolean;
  alt: boolean;
  key: string;
}

export const isMac = /mac/i.test(globalThis.navigator?.platform ?? '');

/** The plus key is named like what joins the others. */
function partsOf(shortcut: string): string[] {
  return shortcut === '+' ? ['+'] : shortcut.split('+');
}

function parse(shortcut: string): Combination {
  const parts = partsOf(shortcut);
  return { mod: parts.includes('Mod'), shift: parts.includes('Shift'), alt: parts.includes('Alt'), key: parts.at(-1)!.toLowerCase() };
}

export function matches(event: KeyboardEvent, name: ShortcutName, mac = isMac): boolean {
  const alternative = alternatives[name];
  return isPressed(event, shortcuts[name], mac) || (alternative !== undefined && isPressed(event, alternative, mac));
}

function isPressed(event: KeyboardEvent, shortcut: string, mac: boolean): boolean {
  const { mod, shift, alt, key } = parse(shortcut);
  // A bracket is typed with AltGr on many keyboards, which Windows reports as Control and Alt.
  if (event.getModifierState?.('AltGraph')) return event.key === key && !mod && !alt;
  const command = mac ? event.metaKey : event.ctrlKey;
  const other = mac ? event.ctrlKey : event.metaKey;
  // "/" is Shift+7 on many keyboards: Shift counts only where the key is a letter or has a name.
  const shiftFits = event.shiftKey === shift || !/^[a-z]/.test(key);
  return event.key.toLowerCase() === key && command === mod && !other && event.altKey === alt && shiftFits;
}

const macNames: Record<string, string> = { Mod: '⌘', Shift: '⇧', Alt: '⌥', Backspace: '⌫' };
const otherNames: Record<string, string> = { Mod: 'Ctrl' };
const keyNames: Record<string, string> = { ArrowUp: '↑', ArrowDown: '↓', Escape: 'Esc', PageDown: 'PgDn', PageUp: 'PgUp' };

/** The keys as they are printed on the keyboard, in order. */
export function shortcutKeys(name: ShortcutName, mac = isMac): string[] {
  const names = mac ? macNames : otherNames;
  return partsOf(shortcuts[name]).map((part) => names[part] ?? keyNames[part] ?? part);
}

/** "Ctrl+Shift+C", or "⇧⌘C" on a Mac. */
export function shortcutText(name: ShortcutName, mac = isMac): string {
  const keys = shortcutKeys(name, mac);
  if (!mac) return keys.join('+');
  // Apple's order: Option, Shift, Command, then the key.
  const rank = (key: string) => ('⌥⇧⌘'.indexOf(key) + 4) % 4;
  return keys.toSorted((a, b) => rank(a) - rank(b)).join('');
}
