/** Pictures that stay on top of everything. They are in memory alone: closed, they are gone. */
import * as v from 'valibot';
import { id, size } from './common.ts';

const opacity = v.pipe(v.number(), v.minValue(0), v.maxValue(1));

/** What the window of a pin shows. */
export const pin = v.strictObject({
  /** PNG. */
  bytes: v.instance(Uint8Array),
  /** Of the picture, in its pixels. */
  size,
  opacity,
});

export const pinFaded = v.strictObject({ pinId: id, opacity });
/** In DIP; a pin does not leave the displays. */
export const pinMove = v.strictObject({ x: v.pipe(v.number(), v.safeInteger()), y: v.pipe(v.number(), v.safeInteger()) });
/** `actual`: as large as it was on the screen. */
export const pinResize = v.picklist(['larger', 'smaller', 'actual']);
export const pinFade = v.picklist(['stronger', 'fainter']);

export type Pin = v.InferOutput<typeof pin>;
export type PinMove = v.InferOutput<typeof pinMove>;
export type PinResize = v.InferOutput<typeof pinResize>;
export type PinFade = v.InferOutput<typeof pinFade>;
