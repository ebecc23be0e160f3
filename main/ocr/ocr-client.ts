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
}

/** Any number of lines, then how it ended. */
export type OcrReply = { id: number } & ({ kind: 'line'; line: TextLine } | { kind: 'done' } | { kind: 'failed'; failure: Failure });

const workerEntry = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './ocr-worker.ts' : './ocr-worker.js', import.meta.url));

export interface OcrLimits {
  /** The other two are counted in ticks of this length: a computer that slept has not waited. */
  tickMs: number;
  /** Without a line. The first takes longest: models are loaded and the whole picture is searched. */
  still: number;
  /** A picture in all. The process has the lowest priority and may have to wait for others. */
  picture: number;
  /** After the last picture; models take 150 MB, milliseconds. */
  idleMs: number;
}

const usual: OcrLimits = { tickMs: usualBeatMs, still: 120, picture: 1200, idleMs: 60_000 };

interface Running {
  host: HostProcess;
  onReply: (reply: OcrReply) => void;
  onEnd: (lastWords: string) => void;
}

export function createTextRecogniser({
  spawn = () => forkHost({ entry: workerEntry }),
  limits = usual,
}: { spawn?: SpawnHost; limits?: OcrLimits } = {}): TextRecogniser {
  let running: Running | null = null;
  let idle: NodeJS.Timeout | undefined;
  let nextId = 1;
  /** One picture at a time: one that takes the process down takes no other along. */
  let turn: Promise<unknown> = Promise.resolve();
  const closing = new AbortController();

  function start(): Running {
    const started: Running = { host: spawn(), onReply: () => {}, onEnd: () => {} };
    started.host.onMessage((message) => started.onReply(message as OcrReply));
    started.host.onExit(({ lastWords }) => {
      if (running === started) running = null;
      started.onEnd(lastWords);
    });
    return started;
  }

  /** The next picture gets a process of its own. */
  function end(): void {
    clearTimeout(idle);
    running?.host.kill();
    running = null;
  }

  function readNow(picture: OcrPicture, onLine: ((line: TextLine) => void) | undefined, signal: AbortSignal): Promise<TextLine[]> {
    clearTimeout(idle);
    const current = (running ??= start());
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
    current.onEnd = (lastWords) =>
      reject(
        new LoupeError(
          'ocr_failed',
          `The process that reads text crashed on ${nameOf(picture)}. The rest of Loupe is not affected.`,
          undefined,
          { cause: lastWords },
        ),
      );
    current.onReply = (reply) => {
      if (reply.id !== id) return;
      if (reply.kind === 'line') {
        still = 0;
        lines.push(reply.line);
        onLine?.(reply.line);
      } else if (reply.kind === 'failed') reject(fromFailure(reply.failure));
      else resolve(lines);
    };
    current.host.send({ id, picture } satisfies OcrRequest);
    return promise.finally(() => {
      clearInterval(timer);
      signal.removeEventListener('abort', stop);
      current.onReply = () => {};
      current.onEnd = () => {};
      if (running === current) idle = setTimeout(end, limits.idleMs).unref();
    });
  }

  return {
    recognise(picture, { signal, onLine } = {}) {
      const either = AbortSignal.any([closing.signal, ...(signal ? [signal] : [])]);
      const result = turn.then(() => {
        if (either.aborted) throw cancelled(picture);
        return readNow(picture, onLine, either);
      });
      turn = result.catch(() => {});
      // Whoever waits for another's picture need not wait for it to be told.
      const stopped = new Promise<never>((_, reject) => either.addEventListener('abort', () => reject(cancelled(picture)), { once: true }));
      return Promise.race([result, stopped]);
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
