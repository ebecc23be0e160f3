/** The line in which programs wait: one is answered at a time, the others in the order in which they came. */
import { LoupeError } from '../errors.ts';

export interface Queue {
  /** Rejects with `queue_full` at once, and with `cancelled` as soon as the signal is aborted before its turn. */
  run<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result>;
}

export function createQueue(mostWaiting: number): Queue {
  const waiting: (() => void)[] = [];
  let isTaken = false;

  function wait(signal: AbortSignal): Promise<void> {
    if (waiting.length >= mostWaiting) {
      throw new LoupeError('queue_full', `${mostWaiting} requests are waiting already.`);
    }
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        waiting.splice(waiting.indexOf(begin), 1);
        reject(left());
      };
      const begin = (): void => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      signal.addEventListener('abort', leave, { once: true });
      waiting.push(begin);
    });
  }

  return {
    async run(signal, work) {
      if (signal.aborted) throw left();
      if (isTaken) await wait(signal);
      isTaken = true;
      try {
        return await work();
      } finally {
        // Handed on, so that nobody comes in between.
        const next = waiting.shift();
        if (next) next();
        else isTaken = false;
      }
    },
  };
}

function left(): LoupeError {
  return new LoupeError('cancelled', 'The program left before its turn came.');
}
