/** The TextRecogniser port over a process that may die: started when needed, ended when nobody has needed it for a while. */
import { fileURLToPath } from 'node:url';
import type { TextLine } from '../contract.ts';
import { forkHost, type HostProcess, type SpawnHost } from '../process/channel.ts';
import { usualBeatMs } from '../process/lifeline.ts';
import { fromFailure, LoupeError, type Failure } from '../errors.ts';
import type { OcrPicture, TextRecogniser } from '../services/ports.ts';

export interface OcrRequest {
  id: number;
  picture: OcrPicture;
  /** The same for every request to one process: a process that has given way cannot get its priority back. */
  background: boolean;
}

/** Any number of lines, then how it ended. */
export type OcrReply = { id: number } & ({ kind: 'line'; line: TextLine } | { kind: 'done' } | { kind: 'failed'; failure: Failure });

const workerEntry = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './ocr-worker.ts' : './ocr-worker.js', import.meta.url));

export interface OcrLimits {
  /** The other two are counted in ticks of this length: a computer that slept has not waited. */
  tickMs: number;
  /** Without a line. The first takes longest: models are loaded and the whole picture is searched. */
  still: number;
  /** A picture in all. Read in the background it may have to wait for everything else. */
  picture: number;
  /** After the last picture; models take 150 MB, milliseconds. */
  idleMs: number;
}

const usual: OcrLimits = { tickMs: usualBeatMs, still: 120, picture: 1200, idleMs: 60_000 };

interface Running {
  host: HostProcess;
  background: boolean;
  onReply: (reply: OcrReply) => void;
  onEnd: (lastWords: string) => void;
}

interface Job {
  picture: OcrPicture;
  onLine: ((line: TextLine) => void) | undefined;
  signal: AbortSignal;
  background: boolean;
  resolve: (lines: TextLine[]) => void;
  reject: (error: unknown) => void;
}

export function createTextRecogniser({
  spawn = () => forkHost({ entry: workerEntry }),
  limits = usual,
}: { spawn?: SpawnHost; limits?: OcrLimits } = {}): TextRecogniser {
  let running: Running | null = null;
  let idle: NodeJS.Timeout | undefined;
  let nextId = 1;
  /** One picture at a time: one that takes the process down takes no other along. */
  const queue: Job[] = [];
  let current: { job: Job; giveWay: AbortController } | null = null;
  const closing = new AbortController();

  function start(background: boolean): Running {
    const started: Running = { host: spawn(), background, onReply: () => {}, onEnd: () => {} };
    started.host.onMessage((message) => started.onReply(message as OcrReply));
    started.host.onExit(({ lastWords }) => {
      if (running === started) running = null;
      started.onEnd(lastWords);
      next();
    });
    return started;
  }

  /** The next picture gets a process of its own. */
  function end(): void {
    clearTimeout(idle);
    running?.host.kill();
    running = null;
  }

  /** Who waits comes first. What nobody waits for is read when nobody has waited for a while, so that the process is there for them. */
  function next(): void {
    if (current || closing.signal.aborted) return;
    const waiting = queue.findIndex(({ background }) => !background);
    const [job] = waiting >= 0 ? queue.splice(waiting, 1) : running && !running.background ? [] : queue.splice(0, 1);
    if (job) void read(job);
  }

  async function read(job: Job): Promise<void> {
    const giveWay = new AbortController();
    current = { job, giveWay };
    if (running && running.background !== job.background) end();
    try {
      job.resolve(await readNow(job, AbortSignal.any([job.signal, giveWay.signal])));
    } catch (error) {
      if (giveWay.signal.aborted && !job.signal.aborted) queue.unshift(job);
      else job.reject(error);
    }
    current = null;
    next();
  }

  function readNow({ picture, onLine, background }: Job, signal: AbortSignal): Promise<TextLine[]> {
    clearTimeout(idle);
    const reader = (running ??= start(background));
    const id = nextId++;
    const lines: TextLine[] = [];
    const { promise, resolve, reject } = Promise.withResolvers<TextLine[]>();
    let age = 0;
    let still = 0;
    const timer = setInterval(() => {
      if (++age <= limits.picture && ++still <= limits.still) return;
      end();
      reject(new LoupeError('ocr_failed', `Reading the text in ${nameOf(picture)} took too long, so it was stopped.`));
    }, limits.tickMs);
    const stop = (): void => {
      // A run of a model cannot be interrupted; a new process costs less than waiting for it.
      end();
      reject(cancelled(picture));
    };
    signal.addEventListener('abort', stop, { once: true });
    reader.onEnd = (lastWords) =>
      reject(
        new LoupeError(
          'ocr_failed',
          `The process that reads text crashed on ${nameOf(picture)}. The rest of Loupe is not affected.`,
          undefined,
          { cause: lastWords },
        ),
      );
    reader.onReply = (reply) => {
      if (reply.id !== id) return;
      if (reply.kind === 'line') {
        still = 0;
        lines.push(reply.line);
        onLine?.(reply.line);
      } else if (reply.kind === 'failed') reject(fromFailure(reply.failure));
      else resolve(lines);
    };
    reader.host.send({ id, picture, background } satisfies OcrRequest);
    return promise.finally(() => {
      clearInterval(timer);
      signal.removeEventListener('abort', stop);
      reader.onReply = () => {};
      reader.onEnd = () => {};
      if (running === reader) idle = setTimeout(endIdle, limits.idleMs).unref();
    });
  }

  function endIdle(): void {
    end();
    next();
  }

  return {
    recognise(picture, { signal, onLine, background = false } = {}) {
      const either = AbortSignal.any([closing.signal, ...(signal ? [signal] : [])]);
      if (either.aborted) return Promise.reject(cancelled(picture));
      const { promise, resolve, reject } = Promise.withResolvers<TextLine[]>();
      const job: Job = { picture, onLine, signal: either, background, resolve, reject };
      queue.push(job);
      either.addEventListener(
        'abort',
        () => {
          const place = queue.indexOf(job);
          if (place >= 0) queue.splice(place, 1);
          // Whoever waits for another's picture need not wait for it to end.
          reject(cancelled(picture));
        },
        { once: true },
      );
      if (!background && current?.job.background) current.giveWay.abort();
      next();
      return promise;
    },
    async close() {
      closing.abort();
      end();
    },
  };
}

function cancelled(picture: OcrPicture): LoupeError {
  return new LoupeError('cancelled', `Reading the text in ${nameOf(picture)} was stopped.`);
}

function nameOf(picture: OcrPicture): string {
  if ('data' in picture) return 'the picture';
  return 'path' in picture.source ? picture.source.path : picture.source.name;
}
