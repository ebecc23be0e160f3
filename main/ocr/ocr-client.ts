/** The TextRecogniser port over a process that may die: one picture after the other, those that somebody waits for first. */
import { fileURLToPath } from 'node:url';
import type { TextLine } from '../contract.ts';
import { forkHost, type SpawnHost } from '../process/channel.ts';
import type { OcrPicture, TextRecogniser } from '../services/ports.ts';
import { cancelled, createOcrProcess, usualOcrLimits, type OcrLimits } from './ocr-process.ts';

const workerEntry = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './ocr-worker.ts' : './ocr-worker.js', import.meta.url));

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
  limits = usualOcrLimits,
}: { spawn?: SpawnHost; limits?: OcrLimits } = {}): TextRecogniser {
  /** One picture at a time: one that takes the process down takes no other along. */
  const queue: Job[] = [];
  let current: { job: Job; giveWay: AbortController } | null = null;
  const closing = new AbortController();
  const reader = createOcrProcess({ spawn, limits, onGone: next });

  /** Who waits comes first. What nobody waits for is read when nobody has waited for a while, so that the process is there for them. */
  function next(): void {
    if (current || closing.signal.aborted) return;
    const waiting = queue.findIndex(({ background }) => !background);
    const [job] = waiting >= 0 ? queue.splice(waiting, 1) : reader.state() === 'foreground' ? [] : queue.splice(0, 1);
    if (job) void read(job);
  }

  async function read(job: Job): Promise<void> {
    const giveWay = new AbortController();
    current = { job, giveWay };
    const { picture, onLine, background } = job;
    try {
      job.resolve(await reader.read(picture, { onLine, background, signal: AbortSignal.any([job.signal, giveWay.signal]) }));
    } catch (error) {
      if (giveWay.signal.aborted && !job.signal.aborted) queue.unshift(job);
      else job.reject(error);
    }
    current = null;
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
      reader.end();
    },
  };
}
