/**
 * The far end of a process's lifeline. A thread of its own sends a beat at regular intervals, whatever the main thread is
 * doing, and says whether that thread has moved since the beat before; and it ends the process when the parent has ended.
 *
 * Beats are single bytes on standard output, which the bytes of text never are; what drivers print there is skipped.
 */
import { Worker, type MessagePort } from 'node:worker_threads';
import { loadAddon } from './addon.ts';

/** What may keep the main thread busy for longer than a moment, the shorter first. */
export const busyStages = ['none', 'start', 'prompt', 'language', 'result'] as const;
export type BusyStage = (typeof busyStages)[number];

export interface Beat {
  /** The main thread's loop has turned since the last beat. */
  moved: boolean;
  stage: BusyStage;
}

/** How both ends agree on them. */
export const beatEnvironment = { parent: 'LOUPE_PARENT', beatMs: 'LOUPE_BEAT_MS' } as const;
export const usualBeatMs = 500;
/** How long a process may give no sign of life, in beats: from the fork to the first one, and afterwards. */
export const usualSilence = { first: 60, later: 8 } as const;

const mark = 0x80;

export function readBeats(bytes: Uint8Array): Beat[] {
  return Array.from(bytes).flatMap((byte) => {
    const stage = busyStages[(byte & ~mark) >> 1];
    return byte & mark && stage ? [{ moved: (byte & 1) === 1, stage }] : [];
  });
}

export interface Lifeline {
  /** The process is ready to work. Resolves when its beats reach the parent, or when it is known that they never will. */
  started(): Promise<void>;
  /** The main thread may be silent for longer until `work` is done, also where that is a promise. */
  during<Result>(stage: BusyStage, work: () => Result): Result;
  /** With every beat of the main thread. */
  onBeat(listener: () => void): void;
}

/** To be called before anything that takes time. */
export function holdLifeline(): Lifeline {
  const beatMs = Number(process.env[beatEnvironment.beatMs] ?? usualBeatMs);
  const parent = Number(process.env[beatEnvironment.parent] ?? process.ppid);
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const listeners: (() => void)[] = [];
  const active: BusyStage[] = ['start'];
  const publish = (): void => void Atomics.store(shared, 1, Math.max(0, ...active.map((stage) => busyStages.indexOf(stage))));
  const leave = (stage: BusyStage): void => {
    active.splice(active.indexOf(stage), 1);
    publish();
  };
  publish();
  // As text: a packaged process has no file to start a thread from.
  const thread = new Worker(`(${beatAndWatch.toString()})(require)`, { eval: true, workerData: { shared, parent, beatMs, mark } });
  const beating = new Promise<void>((resolve) => {
    thread.once('message', () => resolve());
    // Without it the parent counts messages instead.
    thread.on('error', () => resolve());
  });
  thread.unref();
  wakeWithoutParent();
  setInterval(() => {
    Atomics.add(shared, 0, 1);
    for (const listener of listeners) listener();
  }, beatMs).unref();
  return {
    started() {
      leave('start');
      return beating;
    },
    during(stage, work) {
      active.push(stage);
      publish();
      let result: ReturnType<typeof work> | undefined;
      try {
        return (result = work());
      } finally {
        if (result instanceof Promise)
          void result.then(
            () => leave(stage),
            () => leave(stage),
          );
        else leave(stage);
      }
    },
    onBeat: (listener) => void listeners.push(listener),
  };
}

/** A stopped process notices nothing; where the system can wake it for this, the thread does the rest. */
function wakeWithoutParent(): void {
  try {
    loadAddon().wakeWithoutParent();
  } catch {
    // Reported where the engine is needed.
  }
}

/** Runs in the thread, from its text alone. */
function beatAndWatch(require: NodeJS.Require): void {
  const { workerData, parentPort } = require('node:worker_threads') as {
    workerData: { shared: Int32Array; parent: number; beatMs: number; mark: number };
    parentPort: MessagePort;
  };
  const { writeSync } = require('node:fs') as { writeSync: (descriptor: number, bytes: Uint8Array) => void };
  const { shared, parent, beatMs, mark } = workerData;
  const firstParent = process.ppid;
  let seen = Atomics.load(shared, 0);

  function isParentGone(): boolean {
    if (process.ppid !== firstParent) return true;
    try {
      process.kill(parent, 0);
      return false;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ESRCH';
    }
  }

  function beat(): void {
    // Nobody waits for it, and an orderly exit might wait for a driver that hangs.
    if (isParentGone()) process.kill(process.pid, 'SIGKILL');
    const count = Atomics.load(shared, 0);
    const moved = count === seen ? 0 : 1;
    seen = count;
    try {
      writeSync(1, Uint8Array.of(mark | (Atomics.load(shared, 1) << 1) | moved));
    } catch {
      // Nobody reads it.
    }
  }

  beat();
  parentPort.postMessage('beating');
  setInterval(beat, beatMs);
}
