/** A function that is called no more often than a person can read, as for progress. */
export interface Throttled<Arguments extends unknown[]> {
  /** Calls at once, or, where the last call was too recent, as soon as it may with the latest arguments. */
  (...latest: Arguments): void;
  /** Calls at once in any case. What was waiting is dropped. */
  now(...latest: Arguments): void;
  /** Drops what is waiting. */
  cancel(): void;
}

/** `call` at most once in `everyMs`. */
export function throttle<Arguments extends unknown[]>(everyMs: number, call: (...latest: Arguments) => void): Throttled<Arguments> {
  let last = -Infinity;
  let timer: NodeJS.Timeout | null = null;
  let waiting: Arguments;

  function cancel(): void {
    if (timer) clearTimeout(timer);
    timer = null;
  }

  function now(...latest: Arguments): void {
    cancel();
    last = performance.now();
    call(...latest);
  }

  function soon(...latest: Arguments): void {
    waiting = latest;
    if (timer) return;
    const wait = everyMs - (performance.now() - last);
    if (wait <= 0) now(...latest);
    else timer = setTimeout(() => now(...waiting), wait);
  }

  return Object.assign(soon, { now, cancel });
}
