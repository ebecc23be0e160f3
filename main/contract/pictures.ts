/** Pictures, what is read in them, and what a model sees of them. */
import * as v from 'valibot';
import { box, count, hash, side, size, region, shownAt } from './common.ts';

/** Which page, frame or size it is of a file that holds several; numbers from 1 on. */
export const pagePart = v.strictObject({ unit: v.picklist(['page', 'frame', 'size']), number: side, count: side });

/** What a reader should know about how a file was read. */
const reading = {
  /** What lies under its transparent parts. */
  ground: v.optional(v.picklist(['white', 'black', 'grey'])),
  /** The file ends before its picture does. */
  cutOff: v.optional(v.literal(true)),
};

/** Where a picture came from; `of` are the pictures that it was made of. */
export const origin = v.variant('kind', [
  v.strictObject({ kind: v.picklist(['paste', 'drop', 'file', 'capture']), ...reading }),
  /** A picture of its own; `of` is the whole file. */
  v.strictObject({ kind: v.literal('page'), of: hash, ...pagePart.entries, ...reading }),
  v.strictObject({ kind: v.literal('crop'), of: hash, region, ...reading }),
  v.strictObject({
    kind: v.literal('compose'),
    of: v.array(hash),
    layout: v.picklist(['row', 'column', 'grid']),
    labels: v.boolean(),
    ...reading,
  }),
]);

export const picture = v.strictObject({
  hash,
  /** The file's name, or "Pasted picture". */
  name: v.string(),
  /** Upright. */
  width: side,
  height: side,
  bytes: count,
  origin,
});

/** Pages of a file, six at most at a time. */
export const pages = v.strictObject({
  unit: pagePart.entries.unit,
  count: side,
  /** That can be chosen, from the first on: long animations are not followed to their end. */
  offered: side,
  /** WebP in base64; null where that page cannot be read. */
  previews: v.array(v.strictObject({ number: side, width: count, height: count, preview: v.nullable(v.string()) })),
});

const point = v.tuple([v.number(), v.number()]);
/** Corners of a rectangle that may be turned, from its upper left clockwise as one reads; pixels of the picture. */
const quad = v.tuple([point, point, point, point]);

/** A piece of text in a picture: a line, or a cell of a table. In the order of reading. */
export const textLine = v.strictObject({
  /** What separates it from the one before: "", " ", tabs, one or two line ends. Joined one after another they are the text. */
  before: v.string(),
  text: v.string(),
  /** Mean probability of its characters, from 0 to 1. */
  confidence: v.number(),
  quad,
  words: v.array(v.strictObject({ text: v.string(), quad })),
});

/** Words of an answer, and where the picture has them. */
export const foundWords = v.strictObject({
  /** As the answer has them. */
  words: v.string(),
  /** Each of them one box, or one for each part that stands by itself, as in another line: left, top, right, bottom in pixels of the picture. */
  places: v.array(v.array(box)),
});

/**
 * What the model sees of a picture. It lies, scaled to `resized`, in the upper left corner of
 * `canvas`, which is cut into `grid` tiles of `tileSize`.
 */
export const modelView = v.strictObject({
  picture: size,
  resized: size,
  canvas: size,
  /** Columns and rows of tiles. */
  grid: v.strictObject({ columns: side, rows: side }),
  tileSize: side,
  /** resized / picture; below 1 detail is lost. */
  scale: v.number(),
  /** The smallest text that stays legible, in pixels of the picture. */
  smallestText: v.number(),
  sharpness: v.picklist(['sharp', 'soft', 'blurred']),
});

export type Picture = v.InferOutput<typeof picture>;
export type PictureOrigin = v.InferOutput<typeof origin>;
export type PagePart = v.InferOutput<typeof pagePart>;
export type Pages = v.InferOutput<typeof pages>;
export type Quad = v.InferOutput<typeof quad>;
export type TextLine = v.InferOutput<typeof textLine>;
export type FoundWords = v.InferOutput<typeof foundWords>;
export type ModelView = v.InferOutput<typeof modelView>;

/** All the text that was read in a picture, as it is copied: tables separated by tabs, paragraphs by empty lines. */
export function textOf(lines: readonly Pick<TextLine, 'before' | 'text'>[]): string {
  return lines.map(({ before, text }) => before + text).join('');
}

/** "page 2 of 3". */
export function partLabel({ unit, number, count: all }: PagePart): string {
  return `${unit} ${number} of ${all}`;
}

/** Where a host serves a picture: as it is, or at most 320 pixels wide and high. Displayable in any browser either way. */
export function pictureUrl(picture: string, scale: 'full' | 'thumb'): string {
  return shownAt(scale === 'full' ? `/pictures/${picture}` : `/pictures/${picture}/thumb`);
}

/** Takes the picture's hash, and whether the thumbnail is meant, from the path of `pictureUrl`. */
export const pictureAddress = /^\/pictures\/([0-9a-f]{64})(\/thumb)?$/;
