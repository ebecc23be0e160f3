/** The DocumentReader port over a process that may die: one page a request, and a page that ends the process twice is left out. */
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { forkHost, type SpawnHost } from '../process/channel.ts';
import { usualLimits } from '../engine/limits.ts';
import { LoupeError } from '../errors.ts';
import { pageFlags, pageStates, type DocumentFile, type DocumentReader, type PageReading } from '../services/ports.ts';
import { createDocumentProcess, nameOf, type DocumentLimits, type DocumentWork } from './document-process.ts';

const workerEntry = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './document-worker.ts' : './document-worker.js', import.meta.url),
);

/** 20 s a page. */
const usual: DocumentLimits = { tickMs: usualLimits.beatMs, start: 120, page: 40, requests: 500, memory: 600_000_000 };

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const factsSchema = v.object({ kind: v.picklist(['pdf', 'picture']), name: v.string(), bytes: count, pageCount: count });
const readingSchema = v.object({
  number: count,
  label: v.string(),
  width: v.number(),
  height: v.number(),
  rotation: v.number(),
  state: v.picklist(pageStates),
  flags: v.array(v.picklist(pageFlags)),
  text: v.string(),
  words: v.array(v.object({ text: v.string(), box: v.tuple([v.number(), v.number(), v.number(), v.number()]) })),
  fields: v.array(v.object({ name: v.string(), value: v.string() })),
  hiddenWords: count,
  failure: v.null(),
});
const drawingSchema = v.object({ data: v.instance(Uint8Array), width: count, height: count });
const pictureSchema = v.object({ bytes: v.instance(Uint8Array), mediaType: v.literal('image/png') });

export function createDocumentReader({
  spawn = () => forkHost({ entry: workerEntry }),
  limits = usual,
}: { spawn?: SpawnHost; limits?: DocumentLimits } = {}): DocumentReader {
  const worker = createDocumentProcess(spawn, limits);
  /** One request at a time: one that takes the process down takes no other along. */
  let turn: Promise<unknown> = Promise.resolve();
  const closing = new AbortController();

  function inTurn<Result>(signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    const either = AbortSignal.any([closing.signal, ...(signal ? [signal] : [])]);
    const result = turn.then(() => {
      if (either.aborted) throw new LoupeError('cancelled', 'Reading was stopped.');
      return work(either);
    });
    turn = result.catch(() => {});
    return result;
  }

  function draw<Schema extends v.GenericSchema>(
    file: DocumentFile,
    work: Extract<DocumentWork, { kind: 'draw' | 'show' }>,
    schema: Schema,
    signal: AbortSignal | undefined,
  ): Promise<v.InferOutput<Schema>> {
    return inTurn(signal, async (either) => {
      const answer = await worker.ask(file, work, either);
      if ('result' in answer) return v.parse(schema, answer.result);
      throw new LoupeError(
        'document_failed',
        answer.end === 'late'
          ? `Drawing page ${work.number} took longer than ${seconds()}.`
          : `Drawing page ${work.number} crashed the reader twice.`,
      );
    });
  }

  function seconds(): string {
    return `${Math.round((limits.page * limits.tickMs) / 1000)} s`;
  }

  return {
    open: (file, { signal } = {}) =>
      inTurn(signal, async (either) => {
        const answer = await worker.ask(file, { kind: 'open' }, either);
        if ('result' in answer) return v.parse(factsSchema, answer.result);
        const name = nameOf(file);
        throw answer.end === 'late'
          ? new LoupeError('document_failed', `${name} took longer than ${seconds()} to open, so it was left out.`)
          : new LoupeError('document_failed', `${name} made the reader stop twice, so it was left out.`);
      }),
    readPage: (file, number, { signal } = {}) =>
      inTurn(signal, async (either) => {
        const answer = await worker.ask(file, { kind: 'read', number }, either).catch((error: unknown) => {
          if (error instanceof LoupeError && isOfPage(error)) return error;
          throw error;
        });
        if (answer instanceof LoupeError) return failedPage(number, answer);
        if ('result' in answer) return v.parse(readingSchema, answer.result);
        // The first reader got to the end of it; the second is why it is said to be damaged.
        if (answer.reading) {
          const reading = v.parse(readingSchema, answer.reading);
          return { ...reading, flags: [...new Set([...reading.flags, 'damaged' as const])] };
        }
        return failedPage(
          number,
          answer.end === 'late'
            ? new LoupeError('document_failed', `Page ${number} took longer than ${seconds()} and was left out.`, 'Try again.')
            : new LoupeError('document_failed', `Page ${number} crashed the reader twice and was left out.`),
        );
      }),
    drawPage: (file, number, { dpi, signal }) => draw(file, { kind: 'draw', number, dpi }, drawingSchema, signal),
    showPage: (file, number, { width, signal }) => draw(file, { kind: 'show', number, width }, pictureSchema, signal),
    async close() {
      closing.abort();
      worker.end();
    },
  };
}

/** The other pages can still be read. */
function isOfPage({ code }: LoupeError): boolean {
  return code !== 'cancelled' && code !== 'document_locked' && code !== 'document_missing' && code !== 'document_unreadable';
}

function failedPage(number: number, error: LoupeError): PageReading {
  return {
    number,
    label: String(number),
    width: 0,
    height: 0,
    rotation: 0,
    state: 'failed',
    flags: [],
    text: '',
    words: [],
    fields: [],
    hiddenWords: 0,
    failure: error.toFailure(),
  };
}
