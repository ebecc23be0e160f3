/** How long each step of a capture took, from the key to the picture on the screen: for the log, and for `npm run bench:hotkey`. */
import type { Log } from '../host/log.ts';

/** In order. `aside`: our own windows are out of the way; `frozen`: the system has handed over the pictures. */
export type CaptureStep = 'aside' | 'frozen' | 'drawn' | 'shown';

export interface CaptureTimes {
  begin(): void;
  /** The last one writes the line. */
  step(step: CaptureStep): void;
}

export function createCaptureTimes(log: Log, now: () => number = () => performance.now()): CaptureTimes {
  let began = 0;
  let last = 0;
  let steps: string[] = [];
  return {
    begin() {
      began = last = now();
      steps = [];
    },
    step(step) {
      const time = now();
      steps.push(`${step} ${Math.round(time - last)}`);
      last = time;
      if (step === 'shown') log(`frozen screen shown after ${Math.round(time - began)} ms: ${steps.join(', ')}`);
    },
  };
}
