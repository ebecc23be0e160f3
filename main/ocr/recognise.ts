/**
 * A picture -> its lines of text, in the order of reading (PP-OCR: Du et al., "PP-OCR: a practical ultra lightweight OCR
 * system", 2020): a detector finds the lines, each is cut out and set upright, a recogniser reads it.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type * as ort from 'onnxruntime-node';
import type { RgbPicture } from '../image/resize.ts';
import { LoupeError } from '../errors.ts';
import type { Quad, TextLine } from '../contract.ts';
import { lineHeight, piecesOf, type LineImage } from './crop.ts';
import { decode, wordsOf, type Decoded } from './ctc.ts';
import { detectLines, type RunDetector } from './detect.ts';
import { joinGaps, layOut } from './layout.ts';
import { heightOf, slice, toTenths, turn, widthOf } from './quad.ts';

export interface Recogniser {
  /**
   * Hands on each line as soon as it is read. `picture` has no size limit of its own; memory stays below 1.2 GB. Throws the
   * signal's reason between two runs of a model.
   */
  recognise(picture: RgbPicture, options?: { onLine?: (line: TextLine) => void; signal?: AbortSignal | undefined }): Promise<TextLine[]>;
  close(): Promise<void>;
}

/** What is less likely is as a rule no text. */
const leastConfidence = 0.5;
/** A line so much higher than wide may be turned by a quarter. */
const tall = 1.5;

/**
 * The arena keeps what a run took for the next: a tenth faster, and 700 MB at most for a screen of 8 megapixels. Threads that spin
 * while they wait for work would take the processor from everybody else.
 */
const sessionOptions = (threads: number): ort.InferenceSession.SessionOptions => ({
  executionProviders: ['cpu'],
  executionMode: 'sequential',
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  enableCpuMemArena: true,
  enableMemPattern: false,
  logSeverityLevel: 4,
  extra: { session: { intra_op: { allow_spinning: '0' } } },
});

/** `directory`: of the models, as in resources/ocr. Throws `ocr_missing`. */
export async function createRecogniser(directory: string, { threads = 1 } = {}): Promise<Recogniser> {
  const { runtime, detector, reader, characters } = await open(directory, sessionOptions(threads));

  /** A model with one input and one output. */
  async function run(session: ort.InferenceSession, input: Float32Array, shape: number[]): Promise<Float32Array> {
    const outputs = await session.run({ [session.inputNames[0]!]: new runtime.Tensor('float32', input, shape) });
    return outputs[session.outputNames[0]!]!.data as Float32Array;
  }

  const runDetector: RunDetector = (input, width, height) => run(detector, input, [1, 3, height, width]);

  async function readImage({ data, width }: LineImage): Promise<Decoded> {
    const probabilities = await run(reader, data, [1, 3, lineHeight, width]);
    return decode(probabilities, characters.length + 1, characters);
  }

  async function readPiecewise(picture: RgbPicture, quad: Quad): Promise<Read> {
    const pieces: Read[] = [];
    for (const { quad: piece, image } of piecesOf(picture, quad)) {
      const decoded = await readImage(image);
      const words = wordsOf(decoded).map(({ text, from, to }) => ({ text, quad: slice(piece, from, to) }));
      pieces.push({ text: decoded.text, confidence: decoded.confidence, words });
    }
    if (pieces.length === 1) return pieces[0]!;
    const length = pieces.reduce((sum, { text }) => sum + text.length, 0);
    return {
      text: pieces.map(({ text }) => text.trim()).join(' '),
      confidence: length > 0 ? pieces.reduce((sum, { text, confidence }) => sum + confidence * text.length, 0) / length : 0,
      words: pieces.flatMap(({ words }) => words),
    };
  }

  /** Of the ways that a line may be turned, the one that is surest. */
  async function readLine(picture: RgbPicture, quad: Quad): Promise<Read & { quad: Quad }> {
    const ways = heightOf(quad) < tall * widthOf(quad) ? [quad] : [quad, turn(quad, 1), turn(quad, 3)];
    const reads: (Read & { quad: Quad })[] = [];
    for (const way of ways) reads.push({ ...(await readPiecewise(picture, way)), quad: way });
    return reads.reduce((best, read) => (read.confidence > best.confidence ? read : best));
  }

  return {
    async recognise(picture, { onLine, signal } = {}) {
      const lines: TextLine[] = [];
      let left = '';
      for (const { quad, before } of layOut(await detectLines(picture, runDetector, signal))) {
        signal?.throwIfAborted();
        const read = await readLine(picture, quad);
        const gap = joinGaps(left, before);
        left = gap;
        if (read.text.trim() === '' || read.confidence < leastConfidence) continue;
        left = '';
        const line: TextLine = {
          before: lines.length === 0 ? '' : gap,
          text: read.text.trim(),
          confidence: Math.round(read.confidence * 10_000) / 10_000,
          quad: toTenths(read.quad),
          words: read.words.map(({ text, quad: place }) => ({ text, quad: toTenths(place) })),
        };
        lines.push(line);
        onLine?.(line);
      }
      return lines;
    },
    close: async () => void (await Promise.all([detector.release(), reader.release()])),
  };
}

type Read = Pick<TextLine, 'text' | 'confidence' | 'words'>;

/** The library is native, and a part of the installation that can be missing: loaded here, so that its absence is said. */
async function open(
  directory: string,
  options: ort.InferenceSession.SessionOptions,
): Promise<{ runtime: typeof ort; detector: ort.InferenceSession; reader: ort.InferenceSession; characters: string[] }> {
  try {
    const runtime = await import('onnxruntime-node');
    const [detector, reader, characters] = await Promise.all([
      runtime.InferenceSession.create(join(directory, 'detector.onnx'), options),
      runtime.InferenceSession.create(join(directory, 'recogniser.onnx'), options),
      readFile(join(directory, 'characters.txt'), 'utf8').then((text) => [...text.trimEnd().split('\n'), ' ']),
    ]);
    return { runtime, detector, reader, characters };
  } catch (error) {
    throw new LoupeError('ocr_missing', `The text reader cannot be loaded from ${directory}.`, undefined, { cause: error });
  }
}
