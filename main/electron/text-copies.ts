/**
 * Text of the screen into the clipboard: the capture is over at once,
 * and a small window says how far the reading is and what came of it.
 */
import type { Copying } from '../contract.ts';
import type { CaptureServices } from '../app.ts';
import { textOf } from '../contract.ts';
import { LoupeError, toLoupeError } from '../errors.ts';
import type { Rect } from '../services/capture/geometry.ts';
import type { Notice } from './notice.ts';
import { words } from './words.ts';

export interface TextCopiesParts {
  services: Pick<CaptureServices, 'readText' | 'stopText' | 'emit'>;
  /** Into the clipboard. Rejects where the system does not take it. */
  writeText: (text: string) => Promise<void>;
  notice: Pick<Notice, 'open' | 'close'>;
}

export interface TextCopies {
  /** Reads this picture; the notice appears inside the work area. Another one takes the place of one that is being read. */
  start(png: Uint8Array, workArea: Rect): void;
  /** Null when nothing is being copied, and nothing has been that the notice still tells of. */
  state(): Copying | null;
  /** Reading stops, and nothing is said any more. */
  stop(): void;
}

/** What events and `stopText` call it. */
const name = 'capture';

export function createTextCopies({ services, writeText, notice }: TextCopiesParts): TextCopies {
  let current: Copying | null = null;
  /** Tells what comes late from the one that took its place. */
  let round = 0;

  function tell(state: Copying | null): void {
    current = state;
    services.emit({ event: 'capture.copying', payload: state });
  }

  async function read(png: Uint8Array, ours: number): Promise<void> {
    let lines = 0;
    const onLine = (): void => {
      if (ours === round) tell({ state: 'reading', lines: ++lines });
    };
    const result = await ended(png, onLine);
    if (ours === round) tell(result);
  }

  async function ended(png: Uint8Array, onLine: () => void): Promise<Copying> {
    try {
      const lines = await services.readText(png, words.capture.pictureName, name, onLine);
      if (lines.length === 0) return { state: 'none' };
      const text = textOf(lines);
      await writeText(text).catch((cause: unknown) => {
        throw new LoupeError('capture_failed', words.capture.notCopied, words.capture.notCopiedNext, { cause });
      });
      return { state: 'copied', text };
    } catch (error) {
      const { message, nextStep } = toLoupeError(error);
      return { state: 'failed', message, nextStep };
    }
  }

  return {
    start(png, workArea) {
      const ours = ++round;
      tell({ state: 'reading', lines: 0 });
      notice.open(workArea);
      void read(png, ours);
    },
    state: () => current,
    stop() {
      if (!current) return;
      round++;
      services.stopText(name);
      tell(null);
      notice.close();
    },
  };
}
