/** The text in pictures of pages, as a second reader of what their files say. */
import { textOf } from '../../contract.ts';
import { toLoupeError } from '../../errors.ts';
import type { DocumentFile, DocumentReader, KeptLook, TextRecogniser } from '../ports.ts';

export interface PictureReaderOptions {
  reader: Pick<DocumentReader, 'drawPage'>;
  recogniser: TextRecogniser;
  /** Throws `not_found`. */
  fileOf: (documentId: number) => DocumentFile;
}

export type PictureReader = (page: Pick<KeptLook, 'documentId' | 'number'>, signal: AbortSignal) => Promise<string | null>;

/** Dots an inch: more than those at which a scan is read, so that it is read anew and not only again. */
const dpi = 200;
/** The fields of a document are mostly on the same pages. */
const kept = 16;

/** Null for a page whose picture cannot be read. Rejects with `cancelled`. */
export function createPictureReader({ reader, recogniser, fileOf }: PictureReaderOptions): PictureReader {
  const known = new Map<string, string>();

  async function read(documentId: number, number: number, signal: AbortSignal): Promise<string | null> {
    try {
      const drawing = await reader.drawPage(fileOf(documentId), number, { dpi, signal });
      return textOf(await recogniser.recognise(drawing, { background: true, signal }));
    } catch (thrown) {
      if (signal.aborted || toLoupeError(thrown).code === 'cancelled') throw thrown;
      return null;
    }
  }

  return async ({ documentId, number }, signal) => {
    const key = `${documentId}.${number}`;
    const text = known.get(key) ?? (await read(documentId, number, signal));
    // A page that could not be read may be readable the next time.
    if (text === null) return null;
    known.delete(key);
    known.set(key, text);
    const [oldest] = known.keys();
    if (known.size > kept && oldest !== undefined) known.delete(oldest);
    return text;
  };
}
