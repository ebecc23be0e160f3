/** One line of a picture -> its words: cut out, set upright, read by the recogniser, in pieces where it is long. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RgbPicture } from '../image/resize.ts';
import type { Quad, TextLine } from '../contract.ts';
import { lineHeight, piecesOf, type LineImage } from './crop.ts';
import { decode, wordsOf, type Decoded } from './ctc.ts';
import { openModel } from './model.ts';
import { heightOf, slice, turn, widthOf } from './quad.ts';

export type ReadLine = Pick<TextLine, 'text' | 'confidence' | 'words' | 'quad'>;

export interface LineReader {
  read(picture: RgbPicture, quad: Quad): Promise<ReadLine>;
  close(): Promise<void>;
}

/** A line so much higher than wide may be turned by a quarter. */
const tall = 1.5;

/**
 * `directory`: of the models, as in resources/ocr. Each reader takes one thread and keeps its own copy of the model (about 100 MB with
 * what it works in).
 */
export async function createLineReader(directory: string): Promise<LineReader> {
  const [model, characters] = await Promise.all([
    openModel(join(directory, 'recogniser.onnx'), { threads: 1 }),
    readFile(join(directory, 'characters.txt'), 'utf8').then((text) => [...text.trimEnd().split('\n'), ' ']),
  ]);

  async function readImage({ data, width }: LineImage): Promise<Decoded> {
    return decode(await model.run(data, [1, 3, lineHeight, width]), characters.length + 1, characters);
  }

  async function readPiecewise(picture: RgbPicture, quad: Quad): Promise<ReadLine> {
    const pieces: ReadLine[] = [];
    for (const { quad: piece, image } of piecesOf(picture, quad)) {
      const decoded = await readImage(image);
      const words = wordsOf(decoded).map(({ text, from, to }) => ({ text, quad: slice(piece, from, to) }));
      pieces.push({ text: decoded.text, confidence: decoded.confidence, words, quad });
    }
    if (pieces.length === 1) return pieces[0]!;
    const length = pieces.reduce((sum, { text }) => sum + text.length, 0);
    return {
      text: pieces.map(({ text }) => text.trim()).join(' '),
      confidence: length > 0 ? pieces.reduce((sum, { text, confidence }) => sum + confidence * text.length, 0) / length : 0,
      words: pieces.flatMap(({ words }) => words),
      quad,
    };
  }

  return {
    /** Of the ways that a line may be turned, the one that is surest. */
    async read(picture, quad) {
      const ways = heightOf(quad) < tall * widthOf(quad) ? [quad] : [quad, turn(quad, 1), turn(quad, 3)];
      const reads: ReadLine[] = [];
      for (const way of ways) reads.push(await readPiecewise(picture, way));
      return reads.reduce((best, read) => (read.confidence > best.confidence ? read : best));
    },
    close: () => model.close(),
  };
}
