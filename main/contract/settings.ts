/** What a person chose. */
import * as v from 'valibot';
import type { CaptureMode } from './capture.ts';
import { count, text, limits } from './common.ts';
import { mostPathCharacters } from './models.ts';
import { programConsent } from './programs.ts';

/** More than anybody has programs; the oldest then gives way. */
export const mostConsents = 200;

const prompt = v.strictObject({ label: text(60), text: text(limits.message) });

/** A hotkey in Electron's notation, as in "CommandOrControl+Shift+Space"; null = none. */
const accelerator = v.nullable(text(100));

export const settings = v.strictObject({
  theme: v.picklist(['system', 'light', 'dark']),
  /** Of all text in the window; `normal` is what the system or the browser asks for. */
  textSize: v.picklist(['normal', 'large', 'larger']),
  /** Selects a region and asks about it. */
  hotkey: accelerator,
  /** The whole display under the pointer; the last region again; the text of a region, into the clipboard. */
  hotkeyDisplay: accelerator,
  hotkeyLast: accelerator,
  hotkeyText: accelerator,
  /** `id` of a ModelChoice. */
  model: v.string(),
  /** Part of a device's name or its index; null chooses by itself. */
  device: v.nullable(text(200)),
  /** Tokens; null = as the model and the memory allow. */
  contextLength: v.nullable(v.pipe(v.number(), v.integer(), v.minValue(256), v.maxValue(131_072))),
  /**
   * Where downloads and quantised copies go; null = the usual folder.
   * Set by `models.setFolder`, which checks that it can be written to.
   */
  modelsDirectory: v.nullable(text(4096)),
  maxTokens: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(16_384)),
  /** Null = as the model's makers advise. */
  temperature: v.nullable(v.pipe(v.number(), v.minValue(0), v.maxValue(2))),
  topP: v.nullable(v.pipe(v.number(), v.gtValue(0), v.maxValue(1))),
  systemPrompt: text(limits.systemPrompt),
  /** `id` of the guard that checks every answer; null = none. */
  guard: v.nullable(text(mostPathCharacters)),
  /** Offered in the quick-ask window and the composer. */
  prompts: v.pipe(v.array(prompt), v.maxLength(20)),
  autostart: v.boolean(),
  startMinimised: v.boolean(),
  closeToTray: v.boolean(),
  sendWith: v.picklist(['enter', 'mod-enter']),
  /** The text in pictures is read in the background, so that the search finds it. */
  searchPictures: v.boolean(),
  /** Answers about pictures are compared with the text that is read in them. */
  secondReader: v.boolean(),
  /** The text that is read in a picture is quoted to the model that looks at it. */
  textHint: v.boolean(),
  /** Nothing is fetched from another machine; `services/network.ts` refuses it. */
  neverConnect: v.boolean(),
  /** What the hotkey captures is asked about in a private conversation, and kept only on request. */
  privateCaptures: v.boolean(),
  /** Minutes without use until Loupe locks itself, where a passphrase can unlock it; 0 = never. */
  lockMinutes: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1440)),
  /** It also locks when the screen is locked, or the computer sleeps. */
  lockWithScreen: v.boolean(),
  /** Other programs on this computer may ask Loupe, with a key. */
  programs: v.boolean(),
  /** Of 127.0.0.1, where they ask. */
  programsPort: v.pipe(v.number(), v.integer(), v.minValue(1024), v.maxValue(65_535)),
  /** What the person has said once and for all of what programs want to do; set by `programs.answer` and `programs.forget`. */
  programTools: v.pipe(v.array(programConsent), v.maxLength(mostConsents)),
  /** How often the hints of the capture overlay were shown. */
  captureHintsShown: count,
  /** The first-run page was left. */
  welcomed: v.boolean(),
});

/** The setting that holds the hotkey of a way to capture. */
export const hotkeySettings = {
  region: 'hotkey',
  display: 'hotkeyDisplay',
  last: 'hotkeyLast',
  text: 'hotkeyText',
} as const satisfies Record<CaptureMode, keyof Settings>;

export const defaultSettings: Settings = {
  theme: 'system',
  textSize: 'normal',
  hotkey: 'CommandOrControl+Shift+Space',
  hotkeyDisplay: null,
  hotkeyLast: null,
  hotkeyText: null,
  model: 'demo',
  device: null,
  contextLength: null,
  modelsDirectory: null,
  maxTokens: 1024,
  temperature: null,
  topP: null,
  systemPrompt: '',
  guard: null,
  prompts: [
    { label: 'Summarise', text: 'Summarise what this shows.' },
    { label: 'Read the text', text: 'Read the text in this picture.' },
    { label: 'Explain', text: 'Explain what this shows.' },
    { label: 'What’s wrong here?', text: 'What is wrong here, and how can it be fixed?' },
  ],
  autostart: false,
  startMinimised: false,
  closeToTray: true,
  sendWith: 'enter',
  searchPictures: true,
  secondReader: true,
  textHint: false,
  neverConnect: false,
  privateCaptures: false,
  lockMinutes: 15,
  lockWithScreen: true,
  programs: false,
  programsPort: 11_535,
  programTools: [],
  captureHintsShown: 0,
  welcomed: false,
};

export type Settings = v.InferOutput<typeof settings>;
