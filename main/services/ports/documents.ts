/** Documents, page by page. */
import type { Failure } from '../../errors.ts';
import type { Abortable } from './common.ts';

/** A file on this machine; the password is handed on and kept nowhere. */
export interface DocumentFile {
  path: string;
  password?: string | undefined;
}

export interface DocumentFacts {
  kind: 'pdf' | 'picture';
  name: string;
  bytes: number;
  pageCount: number;
}

/** `text`: the file's own; `ocr`: read from the picture; `picture`: only to be looked at, so far; `failed`: see `failure`. */
export const pageStates = ['text', 'ocr', 'picture', 'blank', 'failed'] as const;
export type PageState = (typeof pageStates)[number];

/**
 * `garbled`: the file does not say which characters its text has. `damaged`: part of the page may be missing. `hidden-text`: words
 * that nobody can see, which are left out of the text. `font-missing`: words that cannot be drawn, for want of a font.
 * `too-large`: drawn at less than a pixel a point.
 */
export const pageFlags = ['garbled', 'damaged', 'hidden-text', 'form', 'font-missing', 'picture-not-drawn', 'too-large'] as const;
export type PageFlag = (typeof pageFlags)[number];

/** Left, top, right, bottom in points from the left and the top of the page as it is shown. */
export interface PageWord {
  text: string;
  box: [number, number, number, number];
}

/** Checkboxes are yes or no. */
export interface FormField {
  name: string;
  value: string;
}

export interface PageReading {
  /** From 1 on. */
  number: number;
  /** The number that is printed on it. */
  label: string;
  /** Points as it is shown; pixels of a picture. 0 of a page that failed. */
  width: number;
  height: number;
  /** Degrees clockwise. */
  rotation: number;
  state: PageState;
  flags: PageFlag[];
  /** What a person sees, in the order of reading, then what is filled in. */
  text: string;
  words: PageWord[];
  fields: FormField[];
  hiddenWords: number;
  failure: Failure | null;
}

/** [height, width, 3]. */
export interface PageDrawing {
  data: Uint8Array;
  width: number;
  height: number;
}

/**
 * Reads documents (PDF, TIFF, pictures), one page after the other, in a process of its own. Rejects with the `document_*` and
 * `image_*` codes and with `cancelled`.
 */
export interface DocumentReader {
  open(file: DocumentFile, options?: Abortable): Promise<DocumentFacts>;
  /** Resolves with a `failed` page where the page is at fault; rejects where the whole file is. */
  readPage(file: DocumentFile, number: number, options?: Abortable): Promise<PageReading>;
  /** At most 16 megapixels and 4,096 a side, whatever the resolution. Pictures come as they are. */
  drawPage(file: DocumentFile, number: number, options: Abortable & { dpi: number }): Promise<PageDrawing>;
  close(): Promise<void>;
}
