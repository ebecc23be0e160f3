/** One page as it is kept: the file's own text, or what is read from its picture. */
import { textOf, type TextLine } from '../../contract.ts';
import { LoupeError, toLoupeError } from '../../errors.ts';
import type { DocumentFile, DocumentReader, PageDrawing, PageReading, PageWord, TextRecogniser } from '../ports.ts';

/** Dots an inch at which a page is read from its picture. */
const ocrDpi = 150;

export interface PageReader {
  reader: DocumentReader;
  /** Null: pages without text stay pictures. */
  recogniser: TextRecogniser | null;
}

/** Rejects as the reader does. A picture whose text cannot be read stays one, and says why. */
export async function readPage(
  { reader, recogniser }: PageReader,
  file: DocumentFile,
  number: number,
  signal: AbortSignal | undefined,
): Promise<PageReading> {
  const page = await reader.readPage(file, number, { signal });
  if (!recogniser || page.state !== 'picture') return page;
  try {
    const drawing = await reader.drawPage(file, number, { dpi: ocrDpi, signal });
    const lines = await recogniser.recognise(drawing, { signal });
    return lines.length === 0 ? page : { ...page, state: 'ocr', text: textOf(lines), words: wordsOf(lines, drawing, page) };
  } catch (thrown) {
    const error = toLoupeError(thrown);
    if (error.code !== 'ocr_failed' && error.code !== 'document_failed') throw thrown;
    const message = `The text on page ${number} could not be read from its picture: ${error.message}`;
    return { ...page, failure: new LoupeError(error.code, message, error.nextStep).toFailure() };
  }
}

/** From pixels of the drawing to units of the page, upright around words that are turned. */
function wordsOf(lines: readonly TextLine[], drawing: PageDrawing, page: PageReading): PageWord[] {
  const across = page.width / drawing.width;
  const down = page.height / drawing.height;
  return lines.flatMap(({ words }) =>
    words.map(({ text, quad }): PageWord => {
      const xs = quad.map(([x]) => x * across);
      const ys = quad.map(([, y]) => y * down);
      return { text, box: [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)] };
    }),
  );
}
