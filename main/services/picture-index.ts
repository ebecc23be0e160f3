/**
 * Reads the pictures of conversations while nobody waits, so that the search finds the words in them. What was read is in the
 * store, picture by picture: after a restart it continues with the next.
 */
import { textOf } from '../contract.ts';
import { toLoupeError } from '../errors.ts';
import type { ImageSource, Store, TextRecogniser } from './ports.ts';

export interface PictureIndexOptions {
  store: Pick<Store, 'pictures' | 'settings' | 'care'>;
  recogniser: Pick<TextRecogniser, 'recognise'>;
  /** The file as it came. */
  original: (hash: string) => ImageSource;
  /** Somebody waits for words. */
  isBusy: () => boolean;
  onFault?: ((error: unknown) => void) | undefined;
  /** Before it looks what there is to do, ms. */
  restMs?: number;
}

export interface PictureIndex {
  /** There may be something to read, or the setting has changed. */
  look(): void;
  close(): void;
}

/** Whoever has just started the app, or got an answer, has the computer for themselves. */
const usualRestMs = 20_000;

export function startPictureIndex({
  store,
  recogniser,
  original,
  isBusy,
  onFault = () => {},
  restMs = usualRestMs,
}: PictureIndexOptions): PictureIndex {
  const closing = new AbortController();
  let timer: NodeJS.Timeout | null = null;
  let reading: AbortController | null = null;
  /** The reader is missing or does not work: it is not tried again for every picture. */
  let isGivenUp = false;
  /** Nothing is known that would have to be forgotten. */
  let isForgotten = false;

  const isWanted = (): boolean => store.settings().searchPictures;

  function later(): void {
    if (timer || reading || isGivenUp || closing.signal.aborted) return;
    timer = setTimeout(() => {
      timer = null;
      if (isBusy()) later();
      else void readAll().catch(onFault);
    }, restMs).unref();
  }

  async function readAll(): Promise<void> {
    const abort = (reading = new AbortController());
    const signal = AbortSignal.any([closing.signal, abort.signal]);
    try {
      for (let hash = next(); hash !== null; hash = next()) {
        const text = await read(hash, signal);
        if (text === null || signal.aborted) return;
        isForgotten = false;
        store.pictures.saveText(hash, text);
        if (isBusy()) return;
      }
    } finally {
      reading = null;
      if (isBusy()) later();
    }
  }

  function next(): string | null {
    const isPossible = isWanted() && !isGivenUp && store.care.state().access === 'writable';
    return isPossible ? store.pictures.nextUnread() : null;
  }

  /** Empty for a picture that cannot be read: it would fail again. Null where the picture is not at fault. */
  async function read(hash: string, signal: AbortSignal): Promise<string | null> {
    try {
      return textOf(await recogniser.recognise({ source: original(hash) }, { background: true, signal }));
    } catch (error) {
      const { code } = toLoupeError(error);
      if (code === 'cancelled') return null;
      onFault(error);
      if (code !== 'ocr_missing') return '';
      isGivenUp = true;
      return null;
    }
  }

  later();
  return {
    look() {
      if (isWanted()) return later();
      reading?.abort();
      if (isForgotten || store.care.state().access !== 'writable') return;
      store.pictures.forgetTexts();
      isForgotten = true;
    },
    close() {
      closing.abort();
      if (timer) clearTimeout(timer);
    },
  };
}
