/**
 * The lines of one picture, read by several threads. A run of the recogniser keeps its thread busy and gains little from a second one
 * inside it, so each thread reads lines of its own; whoever is free takes the next in the order of reading. The caller's thread is one
 * of them: what the others do not deliver, because they are still loading or have died, it reads itself.
 */
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { RgbPicture } from '../image/resize.ts';
import type { Quad } from '../contract.ts';
import type { LineReader, ReadLine } from './read-line.ts';

export interface LinesToRead {
  /** Of the picture. */
  id: number;
  /** Its pixels are in shared memory. */
  picture: RgbPicture;
  quads: readonly Quad[];
  /** How many lines are taken; shared. */
  taken: Int32Array;
}

export interface LineWasRead {
  id: number;
  index: number;
  line: ReadLine;
}

export interface SharedLines {
  /** In the order of reading. Throws the signal's reason between two lines. */
  read(picture: RgbPicture, quads: readonly Quad[], signal?: AbortSignal): AsyncGenerator<ReadLine>;
  close(): Promise<void>;
}

const threadEntry = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './line-thread.ts' : './line-thread.js', import.meta.url));

/** The next line that is nobody's yet. */
export function takeNext(taken: Int32Array, quads: readonly Quad[]): number | null {
  const index = Atomics.add(taken, 0, 1);
  return index < quads.length ? index : null;
}

/** `helpers`: threads besides the caller's. `entry`: what they run. */
export function createSharedLines(
  reader: LineReader,
  { directory, helpers, entry = threadEntry }: { directory: string; helpers: number; entry?: string | URL },
): SharedLines {
  let onLine: (line: LineWasRead) => void = () => {};
  let onGone = (): void => {};
  const threads = new Set<Worker>();
  let lastId = 0;

  function start(): void {
    const thread = new Worker(entry, { workerData: { directory } });
    threads.add(thread);
    thread.on('message', (line: LineWasRead) => onLine(line));
    // Without it the others read more.
    thread.on('error', () => {});
    thread.on('exit', () => {
      threads.delete(thread);
      onGone();
    });
  }
  for (let helper = 0; helper < helpers; helper++) start();

  return {
    async *read(picture, quads, signal) {
      const id = ++lastId;
      const lines: (ReadLine | undefined)[] = Array.from({ length: quads.length });
      const taken = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
      let changed = Promise.withResolvers<void>();
      const wake = (): void => {
        changed.resolve();
        changed = Promise.withResolvers();
      };
      onLine = (read) => {
        if (read.id !== id) return;
        lines[read.index] = read.line;
        wake();
      };
      onGone = wake;
      const helping = threads.size;
      if (helping > 0) {
        const shared = { id, picture: inSharedMemory(picture), quads, taken } satisfies LinesToRead;
        for (const thread of threads) thread.postMessage(shared);
      }
      try {
        for (let next = 0; next < quads.length;) {
          signal?.throwIfAborted();
          const line = lines[next];
          if (line) {
            next++;
            yield line;
            continue;
          }
          // A line that another thread has taken is read here only where one has died, perhaps with it.
          const own = takeNext(taken, quads) ?? (threads.size < helping ? next : null);
          if (own !== null) lines[own] = await reader.read(picture, quads[own]!);
          else await changed.promise;
        }
      } finally {
        // Whoever has stopped listening wants no more of it.
        Atomics.store(taken, 0, quads.length);
        onLine = () => {};
        onGone = () => {};
      }
    },
    async close() {
      await Promise.all([reader.close(), ...[...threads].map((thread) => thread.terminate())]);
    },
  };
}

function inSharedMemory(picture: RgbPicture): RgbPicture {
  const data = new Uint8Array(new SharedArrayBuffer(picture.data.byteLength));
  data.set(picture.data);
  return { ...picture, data };
}
