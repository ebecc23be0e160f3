/** One use of the engine at a time, in the order in which they were asked for; what gives way comes after everything that does not. */
import { LoupeError } from '../errors.ts';

export interface Turns {
  /**
   * Runs `work` after everything that was asked for before. Idle work is aborted for it. What gives way lets everything
   * pass that does not, whenever that was asked for, and is never interrupted once it runs.
   */
  take<Result>(work: () => Promise<Result>, givesWay?: boolean): Promise<Result>;
  /** Runs `work` at once, until somebody takes a turn. Null where somebody has one, or waits for one. */
  whileIdle<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result> | null;
}

export function createTurns(): Turns {
  const waiting: { givesWay: boolean; begin: () => void }[] = [];
  let isTaken = false;
  let idle: AbortController | null = null;

  function beginNext(): void {
    if (isTaken) return;
    const first = waiting.findIndex(({ givesWay }) => !givesWay);
    const [turn] = waiting.splice(Math.max(first, 0), 1);
    if (!turn) return;
    isTaken = true;
    turn.begin();
  }

  /** Whoever waits for the result hears of it before the next begins. */
  function freeAfter<Result>(work: Promise<Result>): Promise<Result> {
    const result = work.finally(() => (isTaken = false));
    result.then(beginNext, beginNext);
    return result;
  }

  return {
    take(work, givesWay = false) {
      idle?.abort(new LoupeError('cancelled', 'Something else needs the engine.'));
      const turn = Promise.withResolvers<void>();
      waiting.push({ givesWay, begin: turn.resolve });
      queueMicrotask(beginNext);
      return freeAfter(turn.promise.then(work));
    },
    whileIdle(work) {
      if (isTaken || waiting.length > 0) return null;
      const stop = new AbortController();
      idle = stop;
      isTaken = true;
      return freeAfter(work(stop.signal).finally(() => (idle = null)));
    },
  };
}
