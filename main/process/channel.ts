/**
 * Two ends of a message channel, and the process at the far one: a forked Node, or in the Electron
 * shell a utility process (`electron/utility-host.ts`), which finds its parent another way.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { childEnvironment } from './environment.ts';
import { beatEnvironment, readBeats, type Beat } from './lifeline.ts';
import { sendInPieces } from './pieces.ts';

export interface Channel {
  /** Structured-cloneable data. Does nothing once the other end has closed. */
  send(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
}

export interface ParentChannel extends Channel {
  /** The parent closed the channel or died. */
  onClose(listener: () => void): void;
}

export interface HostExit {
  code: number | null;
  signal: string | null;
  /** The end of what the process wrote to stderr. */
  lastWords: string;
}

export interface HostProcess extends Channel {
  /** Of the system; undefined until it has started. */
  readonly pid: number | undefined;
  onExit(listener: (exit: HostExit) => void): void;
  /** Signs of life of a thread that does nothing else. */
  onBeat(listener: (beat: Beat) => void): void;
  /** At once, also when it is stopped. */
  kill(): void;
}

export type SpawnHost = () => HostProcess;

/** The engine's host: TypeScript in the sources, JavaScript beside this file when bundled. */
const hostEntry = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '../engine/host.ts' : './host.js', import.meta.url));

const lastWordsLength = 2000;

export function forkHost(options: { entry?: string; env?: NodeJS.ProcessEnv } = {}): HostProcess {
  const child = fork(options.entry ?? hostEntry, [], {
    serialization: 'advanced',
    execArgv: [],
    env: { ...childEnvironment(process.env, { packaged: false }), [beatEnvironment.parent]: String(process.pid), ...options.env },
    // Standard output carries beats; what drivers print there goes no further.
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const listeners: ((beat: Beat) => void)[] = [];
  child.stdout!.on('data', (bytes: Uint8Array) => {
    for (const beat of readBeats(bytes)) for (const listener of listeners) listener(beat);
  });
  let lastWords = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    lastWords = (lastWords + text).slice(-lastWordsLength);
  });
  return {
    pid: child.pid,
    send: (message) => {
      if (child.connected) child.send(message as object, () => {});
    },
    onMessage: (listener) => void child.on('message', listener),
    onExit: (listener) => {
      let reported = false;
      const notify = (code: number | null, signal: string | null): void => {
        if (reported) return;
        reported = true;
        listener({ code, signal, lastWords: lastWords.trim() });
      };
      // `close` comes after stderr has ended; `error` instead when the process could not start.
      child.on('close', notify);
      child.on('error', (error) => {
        lastWords ||= error.message;
        if (child.pid === undefined) notify(null, null);
      });
    },
    onBeat: (listener) => void listeners.push(listener),
    kill: () => void child.kill('SIGKILL'),
  };
}

/** The parent of an Electron utility process. */
interface ParentPort {
  postMessage(message: unknown): void;
  on(event: 'message', listener: (event: { data: unknown }) => void): void;
}

/** The channel of a process that `forkHost` or the Electron shell started; `confined`: it may make no file, also not for what it sends. */
export function parentChannel({ confined = false }: { confined?: boolean } = {}): ParentChannel {
  const { parentPort } = process as { parentPort?: ParentPort };
  if (parentPort) {
    return {
      send: (message) => (confined ? sendInPieces(message, (piece) => parentPort.postMessage(piece)) : parentPort.postMessage(message)),
      onMessage: (listener) => parentPort.on('message', ({ data }) => listener(data)),
      // Electron ends its utility processes itself.
      onClose: () => {},
    };
  }
  return {
    send: (message) => {
      if (process.connected) process.send!(message, undefined, undefined, () => {});
    },
    onMessage: (listener) => void process.on('message', listener),
    onClose: (listener) => void process.on('disconnect', listener),
  };
}
