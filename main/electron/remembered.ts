/** What the shell remembers between starts: where its window was and at what, and what was captured last. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import * as v from 'valibot';

const whole = v.pipe(v.number(), v.safeInteger());
const side = v.pipe(whole, v.minValue(1));
const number = v.pipe(whole, v.minValue(1));
const size = v.strictObject({ width: side, height: side });
const rect = v.strictObject({ x: whole, y: whole, width: side, height: side });
const region = v.strictObject({ x: v.pipe(whole, v.minValue(0)), y: v.pipe(whole, v.minValue(0)), width: side, height: side });

const schema = v.strictObject({
  /** DIP; null before the window was ever closed. */
  window: v.nullable(v.strictObject({ bounds: rect, maximized: v.boolean() })),
  /** That it showed then; it may be gone since. */
  conversationId: v.optional(v.nullable(number), null),
  /** The display that was captured last. */
  lastDisplay: v.nullable(v.string()),
  /** By display, in pixels of a frame of this size. */
  lastRegions: v.record(v.string(), v.strictObject({ region, frame: size })),
  /** The person knows that Loupe goes on in the tray. */
  toldOfTray: v.optional(v.boolean(), false),
});

export type RememberedState = v.InferOutput<typeof schema>;

export interface Remembered {
  get(): RememberedState;
  set(change: Partial<RememberedState>): void;
}

const nothing: RememberedState = { window: null, conversationId: null, lastDisplay: null, lastRegions: {}, toldOfTray: false };

/** A file that is missing or broken is as good as none. `onFault` hears when it cannot be written; work goes on without. */
export function createRemembered(path: string, onFault: (error: unknown) => void): Remembered {
  let state = read(path);
  return {
    get: () => state,
    set(change) {
      state = { ...state, ...change };
      try {
        writeFileSync(`${path}.new`, JSON.stringify(state));
        renameSync(`${path}.new`, path);
      } catch (error) {
        onFault(error);
      }
    },
  };
}

function read(path: string): RememberedState {
  try {
    return v.parse(schema, JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return nothing;
  }
}
