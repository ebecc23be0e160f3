/** Runs after `delay` ms without another call; `flush` runs at once what waits. */
export interface Delayed {
  (): void;
  flush(): void;
  cancel(): void;
}

export function delayed(run: () => void, delay: number): Delayed {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const cancel = () => {
    clearTimeout(timer);
    timer = undefined;
  };
  const start = () => {
    cancel();
    timer = setTimeout(() => {
      timer = undefined;
      run();
    }, delay);
  };
  const flush = () => {
    if (timer === undefined) return;
    cancel();
    run();
  };
  return Object.assign(start, { flush, cancel });
}

/** At the latest after this, ms. */
const patience = 250;

/** Runs when the browser has nothing better to do. Returns a function that cancels it. */
export function whenIdle(run: () => void): () => void {
  // Safari has no idle callbacks.
  if (!('requestIdleCallback' in globalThis)) {
    const timer = setTimeout(run, patience / 5);
    return () => clearTimeout(timer);
  }
  const handle = requestIdleCallback(run, { timeout: patience });
  return () => cancelIdleCallback(handle);
}
