/** A process that reads documents: one request at a time, and whoever dies or is late is replaced. */
import { basename } from 'node:path';
import type { HostProcess, SpawnHost } from '../process/channel.ts';
import { fromFailure, LoupeError, type Failure } from '../errors.ts';
import type { DocumentFile, PageReading } from '../services/ports.ts';
import { shownName } from './shown-name.ts';

export type DocumentWork =
  | { kind: 'open' }
  | { kind: 'read'; number: number }
  | { kind: 'draw'; number: number; dpi: number }
  | { kind: 'show'; number: number; width: number };

export type DocumentRequest = DocumentWork & { id: number; file: DocumentFile };
/** `read`: the page, before the audit. `memory` in bytes. */
export type DocumentReply = { id: number } & (
  | { kind: 'read'; reading: PageReading }
  | { kind: 'done'; result: unknown; memory: number }
  | { kind: 'failed'; failure: Failure; broken: boolean; memory: number }
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

/** What was asked for; or how a process that did not answer ended, with what it had said of the page. Its parts are not parsed yet. */
export type DocumentAnswer = { result: unknown } | { end: 'died' | 'late'; reading: PageReading | null };

export interface DocumentProcess {
  /** Rejects with what the process says, and with `cancelled` once `signal` is aborted. One at a time. */
  ask(file: DocumentFile, work: DocumentWork, signal: AbortSignal): Promise<DocumentAnswer>;
  /** The next request gets a process of its own. */
  end(): void;
}

interface Running {
  host: HostProcess;
  heard: boolean;
  served: number;
  onReply: (reply: DocumentReply) => void;
  onEnd: () => void;
}

export function createDocumentProcess(spawn: SpawnHost, limits: DocumentLimits): DocumentProcess {
  let running: Running | null = null;
  let nextId = 1;

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

  function askOnce(file: DocumentFile, work: DocumentWork, signal: AbortSignal): Promise<DocumentAnswer> {
    const current = (running ??= start());
    const id = nextId++;
    let reading: PageReading | null = null;
    let ticks = 0;
    const { promise, resolve, reject } = Promise.withResolvers<DocumentAnswer>();
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

  return {
    /** A process that died is replaced once; one that is late is not waited for again. */
    async ask(file, work, signal) {
      const first = await askOnce(file, work, signal);
      if ('result' in first || first.reading || first.end === 'late') return first;
      end();
      return askOnce(file, work, signal);
    },
    end,
  };
}

export function nameOf({ path, name }: DocumentFile): string {
  return shownName(name ?? basename(path));
}
