/** One use of the engine at a time, in the order in which they were asked for. */
import { LoupeError } from '../errors.ts';

export interface Turns {
  /** Runs `work` after everything that was asked for before. Idle work is aborted for it. */
  take<Result>(work: () => Promise<Result>): Promise<Result>;
  /** Runs `work` at once, until somebody takes a turn. Null where somebody has one, or waits for one. */
  whileIdle<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result> | null;
}

export function createTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  /** Uses that have or wait for their turn. */
  let taken = 0;
  let idle: AbortController | null = null;

  return {
    take(work) {
      idle?.abort(new LoupeError('cancelled', 'Something else needs the engine.'));
      taken++;
      const result = last.then(work).finally(() => taken--);
      last = result.catch(() => {});
      return result;
    },
    whileIdle(work) {
      if (taken > 0 || idle) return null;
      const stop = new AbortController();
      idle = stop;
      const result = work(stop.signal).finally(() => (idle = null));
      last = result.catch(() => {});
      return result;
    },
  };
}
