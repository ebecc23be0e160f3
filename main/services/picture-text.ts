/** The text in pictures, for windows: read once, reported line by line, kept for as long as it is likely to be wanted again. */
import type { EventMessage, TextLine } from '../contract.ts';
import type { OcrPicture, TextRecogniser } from './ports.ts';

export interface PictureText {
  /** The picture of this hash. Rejects as `TextRecogniser` does. */
  read(hash: string, picture: OcrPicture): Promise<TextLine[]>;
  /** What was read of it lately; null where that is not known. Reads nothing. */
  known(hash: string): TextLine[] | null;
  /** As `read`, without events; in the background while nobody waits for it, at the lowest priority. */
  readSilently(hash: string, picture: OcrPicture, options: { background: boolean; signal: AbortSignal }): Promise<TextLine[]>;
  /** Of a picture that is read once, without events; `stop` knows it as `of`. */
  readOnce(of: string, picture: OcrPicture, onLine: (line: TextLine) => void): Promise<TextLine[]>;
  /** Its readers are rejected with `cancelled`. */
  stop(of: string): void;
  /** As `stop`, and what was read of it is not known any more. */
  forget(hash: string): void;
}

/** Pictures whose text is kept. A page of small print takes about 1 MB. */
const kept = 16;

export function createPictureText({ recogniser, emit }: { recogniser: TextRecogniser; emit: (event: EventMessage) => void }): PictureText {
  /** By the picture's name, the one that was wanted last at the end. */
  const known = new Map<string, TextLine[]>();
  const running = new Map<string, { result: Promise<TextLine[]>; abort: AbortController }>();

  function remember(of: string, lines: TextLine[]): TextLine[] {
    known.delete(of);
    known.set(of, lines);
    const [oldest] = known.keys();
    if (known.size > kept && oldest !== undefined) known.delete(oldest);
    return lines;
  }

  function begin(of: string, picture: OcrPicture, onLine: (line: TextLine) => void): Promise<TextLine[]> {
    const abort = new AbortController();
    const result = recogniser.recognise(picture, { signal: abort.signal, onLine }).finally(() => {
      if (running.get(of)?.abort === abort) running.delete(of);
    });
    running.set(of, { result, abort });
    return result;
  }

  function stop(of: string): void {
    running.get(of)?.abort.abort();
    running.delete(of);
  }

  return {
    known: (hash) => known.get(hash) ?? null,
    async read(hash, picture) {
      const onLine = (line: TextLine): void => emit({ event: 'text.line', payload: { of: hash, line } });
      return remember(hash, known.get(hash) ?? (await (running.get(hash)?.result ?? begin(hash, picture, onLine))));
    },
    async readSilently(hash, picture, options) {
      const begun = known.get(hash) ?? running.get(hash)?.result;
      return remember(hash, await (begun ?? recogniser.recognise(picture, options)));
    },
    readOnce(of, picture, onLine) {
      stop(of);
      return begin(of, picture, onLine);
    },
    stop,
    forget(hash) {
      stop(hash);
      known.delete(hash);
    },
  };
}
