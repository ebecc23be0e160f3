/** The process that reads text, from its parent's end: started when it is needed, ended when nobody has needed it for a while. */
import type { TextLine } from '../contract.ts';
import { fromFailure, LoupeError, type Failure } from '../errors.ts';
import type { HostProcess, SpawnHost } from '../process/channel.ts';
import { usualBeatMs } from '../process/lifeline.ts';
import type { OcrPicture } from '../services/ports.ts';

export interface OcrRequest {
  id: number;
  picture: OcrPicture;
  /** The same for every request to one process: a process that has given way cannot get its priority back. */
  background: boolean;
}

/** Any number of lines, then how it ended. */
export type OcrReply = { id: number } & ({ kind: 'line'; line: TextLine } | { kind: 'done' } | { kind: 'failed'; failure: Failure });

export interface OcrLimits {
  /** The next three are counted in ticks of this length: a computer that slept has not waited. */
  tickMs: number;
  /** Without a line. The first takes longest: models are loaded and the whole picture is searched. */
  still: number;
  /** The same in the background, where it has to wait for everything else. */
  stillBehind: number;
  /** A picture in all. */
  picture: number;
  /** After the last picture; models take 150 MB, milliseconds. */
  idleMs: number;
}

export const usualOcrLimits: OcrLimits = { tickMs: usualBeatMs, still: 120, stillBehind: 600, picture: 1200, idleMs: 60_000 };

export interface ReadOptions {
  onLine: ((line: TextLine) => void) | undefined;
  background: boolean;
  signal: AbortSignal;
}

export interface OcrProcess {
  /** Whether there is one, and whether it reads in the background. */
  state(): 'none' | 'background' | 'foreground';
  /** One picture at a time. A process that has the other priority is replaced. Rejects with `ocr_failed`, `cancelled`, `image_*`. */
  read(picture: OcrPicture, options: ReadOptions): Promise<TextLine[]>;
  /** The next picture gets a process of its own. */
  end(): void;
}

interface Running {
  host: HostProcess;
  background: boolean;
  onReply: (reply: OcrReply) => void;
  onEnd: (lastWords: string) => void;
}

/** `onGone`: it ended, for whatever reason but `end`. */
export function createOcrProcess({ spawn, limits, onGone }: { spawn: SpawnHost; limits: OcrLimits; onGone: () => void }): OcrProcess {
  let running: Running | null = null;
  let idle: NodeJS.Timeout | undefined;
  let nextId = 1;

  function start(background: boolean): Running {
    const started: Running = { host: spawn(), background, onReply: () => {}, onEnd: () => {} };
    started.host.onMessage((message) => started.onReply(message as OcrReply));
    started.host.onExit(({ lastWords }) => {
      if (running === started) running = null;
      started.onEnd(lastWords);
      onGone();
    });
    return started;
  }

  function end(): void {
    clearTimeout(idle);
    running?.host.kill();
    running = null;
  }

  function endIdle(): void {
    end();
    onGone();
  }

  /** Counts while nothing comes; returns functions that start over, and that stop. */
  function watch(longestStill: number, onLate: () => void): { heard: () => void; stop: () => void } {
    let age = 0;
    let still = 0;
    const timer = setInterval(() => {
      if (++age > limits.picture || ++still > longestStill) onLate();
    }, limits.tickMs);
    return { heard: () => (still = 0), stop: () => clearInterval(timer) };
  }

  return {
    state: () => (running ? (running.background ? 'background' : 'foreground') : 'none'),
    end,
    read(picture, { onLine, background, signal }) {
      if (running && running.background !== background) end();
      clearTimeout(idle);
      const reader = (running ??= start(background));
      const id = nextId++;
      const lines: TextLine[] = [];
      const { promise, resolve, reject } = Promise.withResolvers<TextLine[]>();
      const { heard, stop: stopWatching } = watch(background ? limits.stillBehind : limits.still, () => {
        end();
        reject(new LoupeError('ocr_failed', `Reading the text in ${nameOf(picture)} took too long, so it was stopped.`));
      });
      const stop = (): void => {
        // A run of a model cannot be interrupted; a new process costs less than waiting for it.
        end();
        reject(cancelled(picture));
      };
      signal.addEventListener('abort', stop, { once: true });
      reader.onEnd = (lastWords) => reject(crashed(picture, lastWords));
      reader.onReply = (reply) => {
        if (reply.id !== id) return;
        if (reply.kind === 'line') {
          heard();
          lines.push(reply.line);
          onLine?.(reply.line);
        } else if (reply.kind === 'failed') reject(fromFailure(reply.failure));
        else resolve(lines);
      };
      reader.host.send({ id, picture, background } satisfies OcrRequest);
      return promise.finally(() => {
        stopWatching();
        signal.removeEventListener('abort', stop);
        reader.onReply = () => {};
        reader.onEnd = () => {};
        if (running === reader) idle = setTimeout(endIdle, limits.idleMs).unref();
      });
    },
  };
}

export function cancelled(picture: OcrPicture): LoupeError {
  return new LoupeError('cancelled', `Reading the text in ${nameOf(picture)} was stopped.`);
}

function crashed(picture: OcrPicture, lastWords: string): LoupeError {
  const message = `The process that reads text crashed on ${nameOf(picture)}. The rest of Loupe is not affected.`;
  return new LoupeError('ocr_failed', message, undefined, { cause: lastWords });
}

function nameOf(picture: OcrPicture): string {
  if ('data' in picture) return 'the picture';
  return 'path' in picture.source ? picture.source.path : picture.source.name;
}
