/** Waiting for a network that may never answer. */
import { setTimeout as sleep } from 'node:timers/promises';
import { LoupeError } from '../../../errors.ts';

export interface Timing {
  /** A connection that brings less than `leastBytes` in this time is given up. */
  stallMs: number;
  leastBytes: number;
  /** First pause before another try; doubles, up to `longestPauseMs`, and a random part of it is waited. */
  pauseMs: number;
  longestPauseMs: number;
  /** Tries in a row that bring less than `progressBytes`. */
  tries: number;
  progressBytes: number;
  /** 0 to 1. */
  random: () => number;
}

export const usualTiming: Timing = {
  stallMs: 30_000,
  leastBytes: 16 * 1024,
  pauseMs: 1_000,
  longestPauseMs: 60_000,
  tries: 8,
  progressBytes: 1024 * 1024,
  random: Math.random,
};

/**
 * Runs `work`, which reports with `alive` how many bytes came, and gives it up with
 * `network_failed` when too few do. Rejects with what aborted `signal`, if it did.
 */
export async function inTime<Result>(
  signal: AbortSignal,
  { stallMs, leastBytes }: Timing,
  work: (signal: AbortSignal, alive: (bytes: number) => void) => Promise<Result>,
): Promise<Result> {
  signal.throwIfAborted();
  const giveUp = new AbortController();
  const forward = (): void => giveUp.abort(signal.reason);
  signal.addEventListener('abort', forward);
  let bytes = 0;
  const watch = setInterval(() => {
    if (bytes < leastBytes)
      giveUp.abort(new LoupeError('network_failed', `Almost nothing arrived for ${Math.round(stallMs / 1000)} seconds.`));
    bytes = 0;
  }, stallMs);
  try {
    return await work(giveUp.signal, (more) => {
      bytes += more;
    });
  } finally {
    clearInterval(watch);
    signal.removeEventListener('abort', forward);
  }
}

/** What the tries of a download have met so far. */
export interface Trouble {
  error: LoupeError;
  /** In a row, and after how many of them it is given up. */
  tries: number;
  mostTries: number;
}

/** The pauses between the tries of one download: somebody hears of each, and may end them. */
export class Pauses {
  readonly #running = new Set<AbortController>();
  readonly #onTrouble: (trouble: Trouble) => void;

  constructor(onTrouble: (trouble: Trouble) => void) {
    this.#onTrouble = onTrouble;
  }

  /** The next tries begin now. */
  end(): void {
    for (const pause of this.#running) pause.abort();
  }

  /** Throws what aborted `signal`. */
  async pause(trouble: Trouble, milliseconds: number, signal: AbortSignal): Promise<void> {
    const early = new AbortController();
    this.#running.add(early);
    this.#onTrouble(trouble);
    try {
      await sleep(milliseconds, undefined, { signal: AbortSignal.any([signal, early.signal]) });
    } catch {
      signal.throwIfAborted();
    } finally {
      this.#running.delete(early);
    }
  }
}

/**
 * Runs `attempt` again after `network_failed`, with growing pauses. It returns how far it came
 * and throws what no second try will change.
 */
export async function withRetries<Result>(
  { signal, timing, pauses }: { signal: AbortSignal; timing: Timing; pauses: Pauses },
  attempt: (progress: () => void) => Promise<Result>,
): Promise<Result> {
  for (let tries = 0; ;) {
    try {
      return await attempt(() => {
        tries = 0;
      });
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (!(error instanceof LoupeError) || error.code !== 'network_failed') throw error;
      tries++;
      if (tries >= timing.tries) throw error;
      await pauses.pause({ error, tries, mostTries: timing.tries }, pauseAfter(tries, error, timing), signal);
    }
  }
}

/** Milliseconds. */
function pauseAfter(tries: number, error: LoupeError, { pauseMs, longestPauseMs, random }: Timing): number {
  const longest = Math.min(longestPauseMs, pauseMs * 2 ** (tries - 1));
  const asked = error instanceof Busy ? Math.min(longestPauseMs, error.retryAfterMs) : 0;
  return Math.max(asked, longest * (0.5 + random() / 2));
}

/** The server asks for patience. */
export class Busy extends LoupeError {
  readonly retryAfterMs: number;

  constructor(message: string, nextStep: string, retryAfter: string | undefined) {
    super('network_failed', message, nextStep);
    const seconds = Number(retryAfter);
    this.retryAfterMs = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 0;
  }
}
