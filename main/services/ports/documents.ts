/** Documents, page by page. */
import type { Coverage, Look } from '../../contract.ts';
import type { Failure } from '../../errors.ts';
import type { Abortable } from './common.ts';

/** A file on this machine; the password is handed on and kept nowhere. */
export interface DocumentFile {
  path: string;
  /** What people call it. Absent: as the file is called. */
  name?: string | undefined;
  password?: string | undefined;
  /** Of a sealed file (`sealed-file.ts`): its own, which opens no other. */
  key?: Uint8Array | undefined;
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

/** A file that a browser shows. */
export interface PagePicture {
  bytes: Uint8Array;
  mediaType: 'image/png';
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
  /** For a window: at most `width` pixels wide. */
  showPage(file: DocumentFile, number: number, options: Abortable & { width: number }): Promise<PagePicture>;
  close(): Promise<void>;
}

/** `waiting`: not read yet. */
export type StoredPageState = PageState | 'waiting';

export interface StoredDocument {
  id: number;
  /** SHA-256 of its file. */
  hash: string;
  name: string;
  kind: DocumentFacts['kind'];
  bytes: number;
  /** The file's; of a very long one fewer pages may have been asked for. */
  pageCount: number;
  /** Why reading it ended before its last page; null where it did not. */
  failure: Failure | null;
  addedAt: number;
  /** False: a person unlocked it for as long as Loupe runs; then its pages are forgotten. */
  keepsText: boolean;
  /** How many pages there are of each state. */
  states: Record<StoredPageState, number>;
}

export interface StoredPage extends Pick<
  PageReading,
  'number' | 'label' | 'width' | 'height' | 'rotation' | 'flags' | 'text' | 'hiddenWords'
> {
  state: StoredPageState;
  failure: Failure | null;
}

export type PageLabel = Pick<StoredPage, 'number' | 'label'>;

export interface NewDocument extends DocumentFacts {
  hash: string;
  /** The pages that are to be read. */
  from: number;
  to: number;
  /** Default: true. */
  keepsText?: boolean | undefined;
}

/** What the model gets of a page for an answer: so many UTF-16 units of its text, or its picture with them. */
export interface KeptLook extends Omit<Look, 'removed'> {
  length: number;
  /** What the model noted of it when it looked at it by itself: '' for nothing. */
  note: string | null;
}

export interface NewCoverage extends Omit<Coverage, 'looks'> {
  looks: KeptLook[];
}

/** What is looked for: any of the words, in any form that their stem has. */
export interface PageQuery {
  words: string[];
  /** Absent: in all of them. */
  documentId?: number | undefined;
  /** Of each document. Absent: all pages. */
  pages?: { from: number; to: number } | undefined;
  limit: number;
}

export interface PageHit {
  documentId: number;
  name: string;
  number: number;
  label: string;
  snippet: { text: string; hit: boolean }[];
}

export interface RankedHit extends PageHit {
  /** How well it matches; to be compared among the hits of one query. */
  score: number;
}

/** Words that mean much the same have vectors that are alike. */
export interface WordVectors {
  /** Numbers of a vector. */
  dimensions: number;
  /** Adds the vector of a word, or those of its parts, to `sum`. Says whether it is known as a whole. */
  add(word: string, sum: Float32Array): boolean;
}

/** What is kept of documents. Throws `not_found` for what is not (or no longer) there. */
export interface DocumentStore {
  /** The last added first. */
  list(): StoredDocument[];
  get(id: number): StoredDocument;
  find(hash: string): StoredDocument | null;
  /** With a row for each of its pages, before the first is read. */
  add(document: NewDocument): StoredDocument;
  pages(id: number): StoredPage[];
  /** What its pages are called, in order. */
  labels(id: number): PageLabel[];
  page(id: number, number: number): StoredPage;
  /** Where the words are of a page that was read from its picture. Empty for others, and where their places are not known. */
  words(id: number, number: number): PageWord[];
  /** The state of each page, in order: the first letter of its name, a capital where a part of the page is missing or left out. */
  marks(id: number): string;
  /** Of the pages in this state. */
  numbers(id: number, state: StoredPageState): number[];
  /**
   * Once: a page that is not waiting stays as it is, but for a picture whose text was read since.
   * Places of words are kept where they were read from the picture; of other pages the file itself tells them again.
   */
  savePage(id: number, page: PageReading): void;
  saveFailure(id: number, failure: Failure | null): void;
  setKeepsText(id: number, keeps: boolean): void;
  /** Pages that failed wait again. Returns how many. */
  retry(id: number): number;
  /** Best first. */
  search(query: PageQuery): RankedHit[];
  /** With its pages and their words; the sweep takes its file, and what the log still holds. */
  remove(id: number): void;
}

/** Files of documents, by their hash. */
export interface DocumentFiles {
  /**
   * Copies the file into the data folder. The caller must then keep or drop the copy.
   * Rejects with `document_missing`, `cancelled` and the `store_*` codes.
   */
  bring(path: string, options?: Abortable): Promise<BroughtFile>;
  /**
   * A file whose bytes come from elsewhere. The caller must drop it,
   * or finish it and then keep or drop it. Rejects with the `store_*` codes.
   */
  receive(): Promise<IncomingFile>;
  path(hash: string): string;
  /** What opens that file, where the data folder is encrypted. */
  key(hash: string): Uint8Array | undefined;
}

export interface IncomingFile {
  /** What has arrived. */
  readonly path: string;
  /** What opens it, where it is sealed. */
  readonly key?: Uint8Array;
  /** Nothing more will be added: from now on it can be read. */
  arrived(): Promise<void>;
  /** Adds a piece to the end. */
  append(bytes: Uint8Array): Promise<void>;
  /** All of it is there. */
  finish(): Promise<BroughtFile>;
  drop(): Promise<void>;
}

export interface BroughtFile {
  hash: string;
  bytes: number;
  keep(): void;
  drop(): void;
}
