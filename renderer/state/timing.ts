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
