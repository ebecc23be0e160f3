/** Pictures: decoding them, reading their text, taking them of the screen. */
import type {
  Captured,
  CaptureMode,
  CaptureState,
  Copying,
  Display,
  Mark,
  PagePart,
  Pages,
  Pin,
  PinFade,
  PinMove,
  PinResize,
  Region,
  TextLine,
} from '../../contract.ts';
import type { PreparedPicture } from '../../protocol.ts';
import type { ImageSource, Abortable } from './common.ts';

export interface PictureFacts {
  width: number;
  height: number;
  thumbnail: Uint8Array;
  /** PNG, where a browser would not show what the model gets: always of a page of several. */
  display: Uint8Array | null;
  /** Which of several pictures in the file; null where it holds one. */
  part: PagePart | null;
  /** Null where nothing is transparent. */
  ground: 'white' | 'black' | 'grey' | null;
  cutOff: boolean;
}

/** Decodes pictures, which are hostile until decoded, in a process of its own. Rejects with the `image_*` codes. */
export interface PictureWorker {
  /** `page`: of a file that holds several; from 1 on. */
  inspect(source: ImageSource, page?: number): Promise<PictureFacts>;
  /** Null for a file of one picture. */
  pages(source: ImageSource, from: number): Promise<Pages | null>;
  /** PNG of a part. */
  crop(source: ImageSource, region: Region): Promise<Uint8Array>;
  /** As it is seen and nothing else: upright JPEG or PNG, without what a camera or a program has put beside it. Rejects as `inspect`. */
  bare(source: ImageSource): Promise<Uint8Array>;
  /** PNG of several, beside each other, below each other, or as a grid; labels are A, B, C ... */
  compose(sources: ImageSource[], layout: 'row' | 'column' | 'grid', labels: boolean): Promise<Uint8Array>;
  /** The tiles that a model sees. `tileSize` in pixels. */
  prepare(source: ImageSource, vision: { tileSize: number; maxTiles: number }): Promise<PreparedPicture>;
  close(): Promise<void>;
}

/** A picture file (`page`: of one that holds several, from 1 on), or pixels: [height, width, 3]. */
export type OcrPicture = { source: ImageSource; page?: number | undefined } | { data: Uint8Array; width: number; height: number };

/**
 * Reads the text in pictures, one after the other, in a process of its own. Needs no model of the engine. Rejects with the
 * `image_*` codes, with `ocr_missing` and `ocr_failed`, and with `cancelled` for an aborted signal.
 */
export interface TextRecogniser {
  /**
   * In the order of reading; `onLine` gets each as soon as it is read. No text is no lines. `background`: nobody waits for it. It is
   * read when nobody has waited for a while, at the lowest priority, and begun again where somebody came in between.
   */
  recognise(
    picture: OcrPicture,
    options?: Abortable & ({ onLine?: (line: TextLine) => void; background?: false } | { background: true; onLine?: never }),
  ): Promise<TextLine[]>;
  close(): Promise<void>;
}

/** What the windows of pinned pictures ask. All throw `not_found` for a pin that is closed. */
export interface PinHost {
  picture(pinId: number): Pin;
  move(pinId: number, by: PinMove): void;
  resize(pinId: number, to: PinResize): void;
  fade(pinId: number, to: PinFade): void;
  next(pinId: number): void;
  close(pinId: number): void;
}

/** How a host takes pictures of the screen. */
export interface CaptureHost {
  state(): Promise<CaptureState>;
  /** `madeFor`: a conversation whose composer gets the picture. Absent or null: the quick-ask window does. */
  start(mode: CaptureMode, madeFor?: number | null): Promise<void>;
  /**
   * PNG of what the person chooses for a program of this name; it is not kept. Rejects with `request_refused` where the person leaves the
   * capture or is in another one, and with `cancelled` for an aborted signal.
   */
  take(program: string, signal: AbortSignal): Promise<Uint8Array>;
  /** Null while nothing is frozen there. */
  display(displayId: string): Promise<Display | null>;
  /** The page of this display's overlay shows it. */
  drawn(displayId: string): Promise<void>;
  /** Esc is for that page first, as long as it holds something: it gets `capture.back`. */
  hold(displayId: string, holds: boolean): Promise<void>;
  /** `marks` are drawn into the picture first: nobody gets it without them. */
  finish(displayId: string, region: Region, marks: readonly Mark[]): Promise<void>;
  /** Ends the capture; the text in the region goes to the clipboard once it is read. */
  text(displayId: string, region: Region, marks: readonly Mark[]): Promise<void>;
  /** Ends the capture; the person says where the region is saved, as PNG. */
  save(displayId: string, region: Region, marks: readonly Mark[]): Promise<void>;
  /** Ends the capture; the region stays on the screen, on top of everything, and is kept nowhere else. */
  pin(displayId: string, region: Region, marks: readonly Mark[]): Promise<void>;
  pins: PinHost;
  copying(): Copying | null;
  stopCopying(): void;
  cancel(): Promise<void>;
  current(): Promise<Captured | null>;
  /** True when the hotkey came within ten seconds. */
  testHotkey(mode: CaptureMode): Promise<boolean>;
  /** For a minute at most. */
  pauseHotkey(paused: boolean): Promise<void>;
}
