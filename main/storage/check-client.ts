/** The checker over a process that is started when it is needed and ends when there is nothing left to examine. */
import { fileURLToPath } from 'node:url';
import { forkHost, type HostProcess, type SpawnHost } from '../process/channel.ts';
import type { Finding } from './check.ts';
import type { Checker, CheckRequest } from './checker.ts';

export interface CheckQuestion {
  id: number;
  request: CheckRequest;
}

export type CheckAnswer = { id: number; finding: Finding } | { id: number; error: string };

const workerEntry = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './check-worker.ts' : './check-worker.js', import.meta.url));

interface Pending {
  resolve: (finding: Finding) => void;
  reject: (error: Error) => void;
}

export function createChecker({ spawn = () => forkHost({ entry: workerEntry }) }: { spawn?: SpawnHost } = {}): Checker {
  const pending = new Map<number, Pending>();
  let running: HostProcess | null = null;
  let nextId = 1;
  let closed = false;

  function start(): HostProcess {
    const host = spawn();
    host.onMessage((message) => {
      const answer = message as CheckAnswer;
      const waiting = pending.get(answer.id);
      pending.delete(answer.id);
      if ('finding' in answer) waiting?.resolve(answer.finding);
      else waiting?.reject(new Error(answer.error));
      // It holds a whole database in memory, which should not stay there for hours.
      if (pending.size === 0) end(host);
    });
    host.onExit(({ lastWords }) => {
      if (running !== host) return;
      running = null;
      for (const { reject } of pending.values()) reject(new Error(`The process that checks the database ended. ${lastWords}`));
      pending.clear();
    });
    return host;
  }

  function end(host: HostProcess): void {
    if (running === host) running = null;
    host.kill();
  }

  return {
    check: (request) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(new Error('The app is being closed.'));
        const id = nextId++;
        pending.set(id, { resolve, reject });
        running ??= start();
        running.send({ id, request } satisfies CheckQuestion);
      }),
    close() {
      closed = true;
      if (running) end(running);
      for (const { reject } of pending.values()) reject(new Error('The app is being closed.'));
      pending.clear();
    },
  };
}
