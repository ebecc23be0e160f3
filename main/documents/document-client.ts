/** The DocumentReader port over a process that may die: one page a request, and a page that ends the process twice is left out. */
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { forkHost, type HostProcess, type SpawnHost } from '../process/channel.ts';
import { usualLimits } from '../engine/watch.ts';
import { fromFailure, LoupeError, type Failure } from '../errors.ts';
import { pageFlags, pageStates, type DocumentFile, type DocumentReader, type PageReading } from '../services/ports.ts';

type Work =
  | { kind: 'open' }
  | { kind: 'read'; number: number }
  | { kind: 'draw'; number: number; dpi: number }
  | { kind: 'show'; number: number; width: number };

export type DocumentRequest = Work & { id: number; file: DocumentFile };
/** `read`: the page, before the audit. `memory` in bytes. */
export type DocumentReply = { id: number } & (
  | { kind: 'read'; reading: PageReading }
  | { kind: 'done'; result: unknown; memory: number }
  | { kind: 'failed'; failure: Failure; broken: boolean; memory: number }
);

const workerEntry = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './document-worker.ts' : './document-worker.js', import.meta.url),
);

export interface DocumentLimits {
  /** The other two are counted in ticks of this length: a computer that slept has not waited. */
  tickMs: number;
  /** From the fork to the first sign of life. */
  start: number;
  /** For a page, or for opening the file. */
  page: number;
  /** After so many requests, or at so many bytes, the next gets a process of its own. */
  requests: number;
  memory: number;
}

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

/** How a request ended where its process did not answer. */
type End = 'died' | 'late';

interface Running {
  host: HostProcess;
  heard: boolean;
  served: number;
  onReply: (reply: DocumentReply) => void;
  onEnd: () => void;
}

export function createDocumentReader({
  spawn = () => forkHost({ entry: workerEntry }),
  limits = usual,
}: { spawn?: SpawnHost; limits?: DocumentLimits } = {}): DocumentReader {
  let running: Running | null = null;
  let nextId = 1;
  /** One request at a time: one that takes the process down takes no other along. */
  let turn: Promise<unknown> = Promise.resolve();
  const closing = new AbortController();

  function start(): Running {
    const started: Running = { host: spawn(), heard: false, served: 0, onReply: () => {}, onEnd: () => {} };
    started.host.onBeat(() => (started.heard = true));
    started.host.onMessage((message) => {
      started.heard = true;
      started.onReply(message as DocumentReply);
    });
    started.host.onExit(() => {
      if (running === started) running = null;
      started.onEnd();
    });
    return started;
  }

  function end(): void {
    running?.host.kill();
    running = null;
  }

  /** What `done` carries; or how the process ended, with what it had said of the page. */
  async function ask(
    file: DocumentFile,
    work: Work,
    signal: AbortSignal,
  ): Promise<{ result: unknown } | { end: End; reading: PageReading | null }> {
    const current = (running ??= start());
    const id = nextId++;
    let reading: PageReading | null = null;
    let ticks = 0;
    const { promise, resolve, reject } = Promise.withResolvers<{ result: unknown } | { end: End; reading: PageReading | null }>();
    const timer = setInterval(() => {
      if (++ticks <= limits.page + (current.heard ? 0 : limits.start)) return;
      end();
      resolve({ end: 'late', reading });
    }, limits.tickMs);
    const stop = (): void => {
      end();
      reject(new LoupeError('cancelled', `Reading ${nameOf(file)} was stopped.`));
    };
    signal.addEventListener('abort', stop, { once: true });
    current.onEnd = () => resolve({ end: 'died', reading });
    current.onReply = (reply) => {
      if (reply.id !== id) return;
      if (reply.kind === 'read') {
        reading = reply.reading;
        return;
      }
      if (++current.served >= limits.requests || reply.memory > limits.memory) end();
      if (reply.kind === 'done') return resolve({ result: reply.result });
      if (!reply.broken) return reject(fromFailure(reply.failure));
      end();
      resolve({ end: 'died', reading });
    };
    current.host.send({ ...work, id, file } satisfies DocumentRequest);
    return promise.finally(() => {
      clearInterval(timer);
      signal.removeEventListener('abort', stop);
      current.onReply = () => {};
      current.onEnd = () => {};
    });
  }

  /** A process that died is replaced once; one that is late is not waited for again. */
  async function askTwice(file: DocumentFile, work: Work, signal: AbortSignal): ReturnType<typeof ask> {
    const first = await ask(file, work, signal);
    if ('result' in first || first.reading || first.end === 'late') return first;
    end();
    return ask(file, work, signal);
  }

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
    work: Extract<Work, { kind: 'draw' | 'show' }>,
    schema: Schema,
    signal: AbortSignal | undefined,
  ): Promise<v.InferOutput<Schema>> {
    return inTurn(signal, async (either) => {
      const answer = await askTwice(file, work, either);
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
        const answer = await askTwice(file, { kind: 'open' }, either);
        if ('result' in answer) return v.parse(factsSchema, answer.result);
        const name = nameOf(file);
        throw answer.end === 'late'
          ? new LoupeError('document_failed', `${name} took longer than ${seconds()} to open, so it was left out.`)
          : new LoupeError('document_failed', `${name} made the reader stop twice, so it was left out.`);
      }),
    readPage: (file, number, { signal } = {}) =>
      inTurn(signal, async (either) => {
        const answer = await askTwice(file, { kind: 'read', number }, either).catch((error: unknown) => {
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
      end();
    },
  };
}

function nameOf({ path, name }: DocumentFile): string {
  return name ?? basename(path);
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
