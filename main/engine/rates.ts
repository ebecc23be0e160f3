/** What this device has been measured to need, so that a limit is neither too short for it nor longer than it has to be. */
import type { WorkStage } from '../protocol.ts';
import type { Limits } from './limits.ts';

/** What takes as long as the model is large. */
const ofModel: readonly WorkStage[] = ['load', 'encode', 'prefill', 'decode', 'score', 'trace'];
/** Steps after which a stage counts as measured, unless it ends before. */
const stepsToMeasure = 8;

/** What this device has been measured to need. Outlives the process that it was measured in. */
export class Rates {
  readonly #limits: Limits;
  readonly #known = new Map<WorkStage, Known>();
  /** How long processes took lately to be born, ticks, and then held their main thread, beats. */
  #start: { birth: number; start: number } | null = null;
  /** In a row. */
  #silences = 0;
  software = false;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Another one is loaded. */
  forgetModel(): void {
    for (const stage of ofModel) this.#known.delete(stage);
  }

  #of(stage: WorkStage): Known {
    const known = this.#known.get(stage) ?? { steps: 0, ended: false, longest: 0, longestNow: 0, hangs: 0 };
    this.#known.set(stage, known);
    return known;
  }

  /** Beats that a request may stand still. What nobody wants any more is not waited for as long as the first of its kind. */
  limit(stage: WorkStage, wanted: boolean): number {
    const { steps, ended, longest, longestNow, hangs } = this.#of(stage);
    const { first, floor } = this.#limits.work[stage];
    const { software, perStep } = this.#limits;
    const measured = steps >= stepsToMeasure || ended || !wanted;
    const beats = measured
      ? floor * (this.software ? software.floor : 1) + perStep * Math.max(longest, longestNow)
      : first * (this.software ? software.first : 1);
    // It may have been slow, not stuck: the next attempt is given longer, if anybody waits for it.
    return wanted ? beats * 2 ** Math.min(hangs, 3) : beats;
  }

  startLimit(part: 'birth' | 'start', attempt: number): number {
    const { first, floor } = this.#limits[part];
    return (this.#start ? floor + this.#limits.perStart * this.#start[part] : first) * 2 ** attempt;
  }

  started(birth: number, start: number): void {
    this.#start = { birth: lately(birth, this.#start?.birth), start: lately(start, this.#start?.start) };
  }

  stepped(stage: WorkStage, still: number): void {
    const known = this.#of(stage);
    known.steps++;
    known.longestNow = Math.max(known.longestNow, still);
  }

  ended(stage: WorkStage, still: number): void {
    const known = this.#of(stage);
    known.longest = lately(Math.max(known.longestNow, still), known.longest);
    known.longestNow = 0;
    known.ended = true;
    known.hangs = 0;
  }

  hung(stage: WorkStage): void {
    this.#of(stage).hangs++;
  }

  /** In ticks. Whoever fell silent may have waited for a disk: the next attempt is given longer, until something is answered. */
  silentLimit(): number {
    return this.#limits.silent * 2 ** Math.min(this.#silences, 3);
  }

  fellSilent(): void {
    this.#silences++;
  }

  answered(): void {
    this.#silences = 0;
  }
}

interface Known {
  steps: number;
  ended: boolean;
  /** Beats without a step. */
  longest: number;
  /** Since the stage ended last. */
  longestNow: number;
  hangs: number;
}

/** A computer that was busy once is not given so long for ever. */
function lately(now: number, before = 0): number {
  return Math.max(now, Math.floor(before / 2));
}
