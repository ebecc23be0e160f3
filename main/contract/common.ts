/** What several areas of the contract are made of. */
import * as v from 'valibot';

export const id = v.pipe(v.number(), v.integer(), v.minValue(1));
export const count = v.pipe(v.number(), v.integer(), v.minValue(0));
export const time = count;
export const hash = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
export const text = (most: number) => v.pipe(v.string(), v.maxLength(most));
export const side = v.pipe(v.number(), v.integer(), v.minValue(1));
export const size = v.strictObject({ width: side, height: side });
/** Whole pixels, inside the picture or display that it is part of. */
export const region = v.strictObject({ x: count, y: count, width: side, height: side });

/** Left, top, right, bottom. */
export const box = v.tuple([v.number(), v.number(), v.number(), v.number()]);

/** Longest texts, in UTF-16 units. A pasted book is a document, not a message. */
export const limits = {
  message: 200_000,
  title: 200,
  systemPrompt: 20_000,
  tag: 40,
  tagsPerConversation: 20,
  search: 200,
  pictureBytes: 64_000_000,
  picturesPerMessage: 6,
} as const;

export const failure = v.strictObject({ ok: v.literal(false), code: v.string(), message: v.string(), nextStep: v.string() });

export type Region = v.InferOutput<typeof region>;
export type Failure = v.InferOutput<typeof failure>;

let pictureKey = '';

/** In a browser, which sends nothing but the address for a picture: what the web host wants to see in it. */
export function usePictureKey(key: string): void {
  pictureKey = key;
}

/** The address of something that is shown, with the key where there is one. */
export function shownAt(path: string): string {
  return pictureKey === '' ? path : `${path}?key=${pictureKey}`;
}
