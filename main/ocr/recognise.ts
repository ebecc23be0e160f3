/**
 * A picture -> its lines of text, in the order of reading (PP-OCR: Du et al., "PP-OCR: a practical ultra lightweight OCR
 * system", 2020): a detector finds the lines, each is cut out and set upright, a recogniser reads it.
 */
import { join } from 'node:path';
import type { RgbPicture } from '../image/resize.ts';
import { LoupeError } from '../errors.ts';
import type { TextLine } from '../contract.ts';
import { detectLines, type RunDetector } from './detect.ts';
import { joinGaps, layOut } from './layout.ts';
import { openModel, type Model } from './model.ts';
import { toTenths } from './quad.ts';
import { createLineReader, type LineReader } from './read-line.ts';
import { createSharedLines } from './shared-lines.ts';

export interface Recogniser {
  /**
   * Hands on each line as soon as it and those before it are read. `picture` has no size limit of its own; memory stays below 1.2 GB.
   * Throws the signal's reason between two runs of a model.
   */
  recognise(picture: RgbPicture, options?: { onLine?: (line: TextLine) => void; signal?: AbortSignal | undefined }): Promise<TextLine[]>;
  close(): Promise<void>;
}

/** What is less likely is as a rule no text. */
const leastConfidence = 0.5;

/** `directory`: of the models, as in resources/ocr. `threads`: of the detector, and that read lines. Throws `ocr_missing`. */
export async function createRecogniser(directory: string, { threads = 1 } = {}): Promise<Recogniser> {
  const { detector, reader } = await open(directory, threads);
  const shared = createSharedLines(reader, { directory, helpers: threads - 1 });
  const runDetector: RunDetector = (input, width, height) => detector.run(input, [1, 3, height, width]);

  return {
    async recognise(picture, { onLine, signal } = {}) {
      const lines: TextLine[] = [];
      let left = '';
      const placed = layOut(await detectLines(picture, runDetector, signal));
      let place = 0;
      const quads = placed.map(({ quad }) => quad);
      for await (const read of shared.read(picture, quads, signal)) {
        const { before } = placed[place++]!;
        const gap = joinGaps(left, before);
        left = gap;
        if (read.text.trim() === '' || read.confidence < leastConfidence) continue;
        left = '';
        const line: TextLine = {
          before: lines.length === 0 ? '' : gap,
          text: read.text.trim(),
          confidence: Math.round(read.confidence * 10_000) / 10_000,
          quad: toTenths(read.quad),
          words: read.words.map(({ text, quad }) => ({ text, quad: toTenths(quad) })),
        };
        lines.push(line);
        onLine?.(line);
      }
      return lines;
    },
    close: async () => void (await Promise.all([detector.close(), shared.close()])),
  };
}

async function open(directory: string, threads: number): Promise<{ detector: Model; reader: LineReader }> {
  try {
    const [detector, reader] = await Promise.all([openModel(join(directory, 'detector.onnx'), { threads }), createLineReader(directory)]);
    return { detector, reader };
  } catch (error) {
    throw new LoupeError('ocr_missing', `The text reader cannot be loaded from ${directory}.`, undefined, { cause: error });
  }
}
