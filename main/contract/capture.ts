/** Taking the screen. */
import * as v from 'valibot';
import { count, id, size, region } from './common.ts';
import { picture } from './pictures.ts';

/** `region` and `text`: a person chooses a region, to ask about it or to copy its text. `last`: the last region again, at once. */
export const captureModes = ['region', 'display', 'last', 'text'] as const;
export const captureMode = v.picklist(captureModes);
export type CaptureMode = v.InferOutput<typeof captureMode>;

export const display = v.strictObject({
  id: v.string(),
  name: v.string(),
  /** Of the frozen frame, in its own pixels. */
  size,
  /** Of the frozen frame, rows from the top: blue, green, red and a byte without meaning for each pixel, as systems hand them over. */
  pixels: v.instance(Uint8Array),
  /** Tells one capture from the next. */
  capture: count,
  /** Where windows are in it, from the front to the back, as far as the system tells. */
  windows: v.array(region),
  /** The region captured last on this display. */
  last: v.nullable(region),
  /** That asks for the picture, as it calls itself; null: the person captures. */
  program: v.nullable(v.string()),
  /** What becomes of the region where nothing else is chosen. */
  purpose: v.picklist(['ask', 'text']),
});

const hotkeyState = v.strictObject({
  accelerator: v.nullable(v.string()),
  /** `unsure`: the system says yes, but may never deliver it (Wayland). */
  status: v.picklist(['registered', 'unsure', 'taken', 'off', 'unsupported']),
  /** What to do, in words; empty when there is nothing to do. */
  advice: v.string(),
});
export type HotkeyState = v.InferOutput<typeof hotkeyState>;

export const captureState = v.strictObject({
  /** `app`: the app freezes the screen. `browser`: the window asks the browser. `none`: see `reason`. */
  by: v.picklist(['app', 'browser', 'none']),
  reason: v.nullable(v.string()),
  hotkeys: v.strictObject({ region: hotkeyState, display: hotkeyState, last: hotkeyState, text: hotkeyState }),
  permission: v.picklist(['granted', 'missing', 'not-needed']),
});

/** How far copying the text of a region is, or its result. */
export const copying = v.variant('state', [
  v.strictObject({ state: v.literal('reading'), /** So far. */ lines: count }),
  v.strictObject({ state: v.literal('copied'), text: v.string() }),
  v.strictObject({ state: v.literal('none') }),
  v.strictObject({ state: v.literal('failed'), message: v.string(), nextStep: v.string() }),
]);

export type Copying = v.InferOutput<typeof copying>;
export type Display = v.InferOutput<typeof display>;
/** What is asked about beside it. `conversationId`: a private one that the picture lies with; null: it is kept. */
export const captured = v.strictObject({ picture, conversationId: v.nullable(id) });

export type Captured = v.InferOutput<typeof captured>;
export type CaptureState = v.InferOutput<typeof captureState>;
