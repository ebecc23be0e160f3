/**
 * The hotkey in words and in Electron's notation, and what to tell the user about its registration.
 * Nothing here registers anything: a host does, and reports the result.
 */
import type { HotkeyState } from '../../contract.ts';
import { LoupeError } from '../../errors.ts';

const modifierNames = ['CommandOrControl', 'Control', 'Command', 'Super', 'Alt', 'Shift'] as const;
type Modifier = (typeof modifierNames)[number];

/** Electron's other names, in lower case. */
const modifierAliases: Record<string, Modifier> = {
  commandorcontrol: 'CommandOrControl',
  cmdorctrl: 'CommandOrControl',
  control: 'Control',
  ctrl: 'Control',
  command: 'Command',
  cmd: 'Command',
  super: 'Super',
  meta: 'Super',
  alt: 'Alt',
  option: 'Alt',
  shift: 'Shift',
};

const namedKeys = [
  ...['Space', 'Tab', 'Backspace', 'Delete', 'Insert', 'Enter', 'Up', 'Down', 'Left', 'Right', 'Home', 'End', 'PageUp', 'PageDown'],
  ...['Plus', 'PrintScreen', 'Escape', 'Capslock', 'Numlock', 'Scrolllock', 'VolumeUp', 'VolumeDown', 'VolumeMute'],
  ...['MediaNextTrack', 'MediaPreviousTrack', 'MediaStop', 'MediaPlayPause', 'numdec', 'numadd', 'numsub', 'nummult', 'numdiv'],
];
const keyAliases: Record<string, string> = { return: 'Enter', esc: 'Escape' };
const keysByLowerCase = new Map(namedKeys.map((name) => [name.toLowerCase(), name]));

export interface Accelerator {
  /** In the order of `modifierNames`, each once. */
  modifiers: Modifier[];
  /** As Electron writes it: "A", "F5", "Space", "num0", "/". */
  key: string;
}

/** Reads Electron's notation, in any case and order. Throws `usage`, saying what is wrong with it. */
export function parseAccelerator(text: string): Accelerator {
  const parts = text.split('+').map((part) => part.trim());
  const found = new Set<Modifier>();
  let key: string | undefined;
  for (const part of parts) {
    const modifier = Object.hasOwn(modifierAliases, part.toLowerCase()) ? modifierAliases[part.toLowerCase()] : undefined;
    if (modifier) {
      found.add(modifier);
      continue;
    }
    if (part === '') throw unusable(text, 'a key is missing beside a +; the plus key is written Plus');
    if (key !== undefined) throw unusable(text, `it has two keys, ${key} and ${part}`);
    key = readKey(part);
    if (key === undefined) throw unusable(text, `there is no key called ${part}`);
  }
  if (key === undefined) throw unusable(text, 'it has no key beside Ctrl, Alt, Shift and the like');
  return { modifiers: modifierNames.filter((name) => found.has(name)), key };
}

function readKey(part: string): string | undefined {
  const lower = part.toLowerCase();
  if (/^[a-z0-9]$/i.test(part)) return part.toUpperCase();
  if (/^[!-/:-@[-`{-~]$/.test(part)) return part;
  if (/^f([1-9]|1\d|2[0-4])$/.test(lower)) return lower.toUpperCase();
  if (/^num\d$/.test(lower)) return lower;
  return keysByLowerCase.get(lower) ?? (Object.hasOwn(keyAliases, lower) ? keyAliases[lower] : undefined);
}

function unusable(text: string, why: string): LoupeError {
  return new LoupeError('usage', `The hotkey “${text}” cannot be used: ${why}.`, 'Press a combination such as Ctrl + Shift + Space.');
}

/** One notation for one combination, for storing and comparing. */
export function acceleratorText({ modifiers, key }: Accelerator): string {
  return [...modifiers, key].join('+');
}

/** Keys that do something else everywhere, so that taking them needs a modifier. */
const freeKeys = /^(F\d+|PrintScreen|Media\w+|Insert)$/;

/**
 * A combination that would take a key away from every other program is refused: letters need
 * Ctrl, Alt, Cmd or the like, not Shift alone. Throws `usage`.
 */
export function validateAccelerator(text: string, platform: NodeJS.Platform): Accelerator {
  const accelerator = parseAccelerator(text);
  const { modifiers, key } = accelerator;
  if (key === 'Escape') throw unusable(text, 'Esc closes the capture');
  if (modifiers.includes('Command') && platform !== 'darwin') throw unusable(text, 'this keyboard has no Cmd key');
  if (!modifiers.some((modifier) => modifier !== 'Shift') && !freeKeys.test(key)) {
    throw unusable(text, 'other programs would no longer get this key; add Ctrl, Alt or both');
  }
  return accelerator;
}

const macSymbols: Record<Modifier, string> = { CommandOrControl: '⌘', Control: '⌃', Command: '⌘', Super: '⌘', Alt: '⌥', Shift: '⇧' };
/** The order in which each system writes them. */
const macOrder: readonly Modifier[] = ['Control', 'Alt', 'Shift', 'CommandOrControl', 'Command', 'Super'];

/** As the system itself would write it: "Ctrl + Shift + Space", on a Mac "⇧⌘Space". */
export function describeAccelerator({ modifiers, key }: Accelerator, platform: NodeJS.Platform): string {
  if (platform === 'darwin')
    return [...macOrder.filter((name) => modifiers.includes(name)).map((name) => macSymbols[name]), describeKey(key)].join('');
  const names: Record<Modifier, string> = {
    CommandOrControl: 'Ctrl',
    Control: 'Ctrl',
    Command: 'Cmd',
    Super: platform === 'win32' ? 'Win' : 'Super',
    Alt: 'Alt',
    Shift: 'Shift',
  };
  return [...new Set(modifiers.map((name) => names[name])), describeKey(key)].join(' + ');
}

function describeKey(key: string): string {
  const words: Record<string, string> = { Plus: '+', PrintScreen: 'Print Screen', PageUp: 'Page Up', PageDown: 'Page Down' };
  return words[key] ?? (/^num\d$/.test(key) ? `Num ${key.at(-1)}` : key);
}

export interface HotkeyFacts {
  /** As in the settings; null = none wanted. */
  wanted: string | null;
  platform: NodeJS.Platform;
  /** Windows are Wayland's own; X11 programs under Wayland count, too. */
  wayland: boolean;
  /** Under Wayland: the desktop offers the GlobalShortcuts portal. */
  portal: boolean;
  /** How the system replied to the registration. */
  registered: boolean;
  /** It was pressed, and came, since it was registered. */
  proven: boolean;
}

/** What the window shows. Wayland's consent means nothing without the portal, until the key has arrived once. */
export function hotkeyState({ wanted, platform, wayland, portal, registered, proven }: HotkeyFacts): HotkeyState {
  if (wanted === null) return { accelerator: null, status: 'off', advice: '' };
  let accelerator: Accelerator;
  try {
    accelerator = validateAccelerator(wanted, platform);
  } catch (error) {
    if (!(error instanceof LoupeError)) throw error;
    return { accelerator: wanted, status: 'off', advice: `${error.message} ${error.nextStep}` };
  }
  const name = describeAccelerator(accelerator, platform);
  const state = (status: HotkeyState['status'], advice: string): HotkeyState => ({
    accelerator: wanted,
    status,
    advice,
  });
  if (registered && (proven || !wayland)) return state('registered', '');
  if (registered && portal)
    return state('registered', `Your desktop manages hotkeys: if it asks, allow ${name}. Its settings show the keys that it assigned.`);
  if (registered) return state('unsure', `This desktop may not pass ${name} on. Press it now; if nothing happens, ${bindByHand}`);
  if (wayland && !portal) return state('unsupported', `This desktop (Wayland) offers no hotkeys to programs. Instead, ${bindByHand}`);
  return state('taken', `${name} belongs to another program. ${advice(accelerator, platform)}`);
}

const bindByHand = 'bind a key to the command `loupe --capture` in the desktop’s keyboard settings.';

/** Who usually holds a combination that cannot be had, and what to do. */
function advice({ modifiers, key }: Accelerator, platform: NodeJS.Platform): string {
  const plain = modifiers.filter((modifier) => modifier !== 'Shift');
  if (key === 'PrintScreen') {
    if (platform === 'win32')
      return (
        'Windows itself may use it: Settings > Accessibility > Keyboard > Use the Print screen key to open screen capture. ' +
        'Turn that off, or choose another combination.'
      );
    if (platform === 'linux')
      return 'The desktop’s own screenshot program uses it: free it in the keyboard settings, or choose another combination.';
  }
  if (key === 'Space' && platform === 'darwin' && plain.length === 1) {
    return (
      'Spotlight or the input menu may use it: System Settings > Keyboard > Keyboard Shortcuts. ' +
      'Free it there, or choose another combination.'
    );
  }
  if (modifiers.includes('Super') && platform === 'win32')
    return 'Windows reserves most combinations with Win. Choose one with Ctrl and Alt.';
  return 'Close that program, or choose another combination.';
}
