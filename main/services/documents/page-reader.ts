/** One page as it is kept: the file's own text, or what is read from its picture. */
import { textOf } from '../../contract.ts';
import { LoupeError, toLoupeError } from '../../errors.ts';
import type { DocumentFile, DocumentReader, PageReading, TextRecogniser } from '../ports.ts';
import { wordBoxes } from '../word-boxes.ts';

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
    const words = wordBoxes(lines, { across: page.width / drawing.width, down: page.height / drawing.height });
    return lines.length === 0 ? page : { ...page, state: 'ocr', text: textOf(lines), words };
  } catch (thrown) {
    const error = toLoupeError(thrown);
    if (error.code !== 'ocr_failed' && error.code !== 'document_failed') throw thrown;
    const message = `The text on page ${number} could not be read from its picture: ${error.message}`;
    return { ...page, failure: new LoupeError(error.code, message, error.nextStep).toFailure() };
  }
}
