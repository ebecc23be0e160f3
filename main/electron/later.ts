/** Work that begins in a while, once: asked for again, the time begins anew. */
import { entry } from './entries.ts';

export interface Later {
  start(): void;
  cancel(): void;
}

export function createLater(run: () => void, delayMs: number): Later {
  let timer: NodeJS.Timeout | undefined;
  const cancel = (): void => clearTimeout(timer);
  return {
    start() {
      cancel();
      timer = setTimeout(entry(run), delayMs);
    },
    cancel,
  };
}
