/** Documents of the library, and their pages. */
import * as v from 'valibot';
import { box, count, failure, id, shownAt, side, time } from './common.ts';

/** `text`: the file's own; `ocr`: read from the picture; `picture`: only to be looked at, so far; `waiting`: not read yet. */
export const pageState = v.picklist(['waiting', 'text', 'ocr', 'picture', 'blank', 'failed']);
export const pageFlag = v.picklist(['garbled', 'damaged', 'hidden-text', 'form', 'font-missing', 'picture-not-drawn', 'too-large']);

/** Of a file that a window sends: larger ones are refused before their first piece. */
export const mostDocumentBytes = 1_000_000_000;
export const mostPieceBytes = 4 * 1024 * 1024;
/** A folder, or a scan of one page a file. */
export const mostUploads = 32;

export const libraryDocument = v.strictObject({
  id,
  name: v.string(),
  kind: v.picklist(['pdf', 'picture']),
  bytes: count,
  /** The file's; of a very long one fewer pages may have been asked for. */
  pageCount: count,
  /** How many pages there are of each state. */
  states: v.strictObject({ waiting: count, text: count, ocr: count, picture: count, blank: count, failed: count }),
  /** The state of each page, in order: the first letter of its name, a capital where a part of the page is missing or left out. */
  marks: v.pipe(v.string(), v.regex(/^[wtopbf]*$/i)),
  /** Why reading it ended before its last page; null where it did not. */
  failure: v.nullable(failure),
  addedAt: time,
  /** False: it is locked, and its text goes when Loupe closes. */
  keepsText: v.boolean(),
  /** Its turn has come, or will: how many pages are left, and whether the text in pictures is read, too. Null: nobody reads it. */
  reading: v.nullable(v.strictObject({ left: count, ocr: v.boolean() })),
});

export const documentPage = v.strictObject({
  number: side,
  /** The number that is printed on it. */
  label: v.string(),
  /** Points as it is shown; pixels of a picture. 0 of a page that is not read. */
  width: v.number(),
  height: v.number(),
  /** Degrees clockwise. */
  rotation: count,
  state: pageState,
  flags: v.array(pageFlag),
  hiddenWords: count,
  failure: v.nullable(failure),
});

/** In the units of the page. */
export const pageWord = v.strictObject({ text: v.string(), box });

export const documentHit = v.strictObject({
  documentId: id,
  name: v.string(),
  number: side,
  label: v.string(),
  /** Around what was found, which is marked. */
  snippet: v.array(v.strictObject({ text: v.string(), hit: v.boolean() })),
});

export type LibraryDocument = v.InferOutput<typeof libraryDocument>;
export type DocumentPage = v.InferOutput<typeof documentPage>;
export type PageWord = v.InferOutput<typeof pageWord>;
export type DocumentHit = v.InferOutput<typeof documentHit>;

/** The widths in which pages are drawn for a window, in pixels. */
export const pageWidths = [160, 640, 1280, 2048, 4096] as const;

/** Where a page is shown; `width` in pixels of the screen is rounded up to one of `pageWidths`. */
export function pageUrl(id: number, page: number, width: number): string {
  return shownAt(`/documents/${id}/${page}/${pageWidths.find((drawn) => drawn >= width) ?? pageWidths.at(-1)!}`);
}

/** What `pageUrl` makes: the document, the page, the width. */
export const pageAddress = /^\/documents\/(\d{1,15})\/(\d{1,7})\/(\d{1,5})$/;
