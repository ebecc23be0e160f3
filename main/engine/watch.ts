/**
 * Whether a process still lives. Nothing here looks at a clock: silence of the process is counted in our own ticks, silence
 * of its main thread in the beats of its other thread, and work that stands still in beats of its main thread. So a computer
 * that slept, and a parent that stood still itself, have counted nothing, and a machine that is short of time counts slowly.
 */
import type { WorkStage } from '../protocol.ts';
import { usualBeatMs, usualSilence, type Beat, type BusyStage } from '../process/lifeline.ts';

/** In ticks or beats. */
export interface Limit {
  /** Until this computer has been measured. */
  first: number;
  /** Afterwards, and some times the longest that was measured. */
  floor: number;
}

export interface Limits {
  beatMs: number;
  /** Ticks from the fork to the first beat; twice as many for each attempt that failed. A busy computer takes long over it. */
  birth: Limit;
  /** Then beats without one of the main thread, until it is ready; likewise. */
  start: Limit;
  perStart: number;
  /** Beats until it says that it is ready, whatever its main thread does; likewise. */
  ready: number;
  /** Ticks without any beat. */
  silent: number;
  /** The same where a process can only be heard by its messages. */
  silentByMessages: number;
  /** Beats without one of the main thread. */
  busy: Record<Exclude<BusyStage, 'start'>, number>;
  work: Record<WorkStage, Limit>;
  perStep: number;
  /** Software Vulkan: limits that were not measured are so many times as long. */
  software: { first: number; floor: number };
  /** How long a request that was cancelled may go on making steps, beats. */
  cancelled: number;
}

const onDevice: Limit = { first: 120, floor: 12 };

export const usualLimits: Limits = {
  beatMs: usualBeatMs,
  birth: { first: usualSilence.first, floor: 10 },
  start: { first: 40, floor: 8 },
  perStart: 3,
  ready: 60,
  silent: usualSilence.later,
  silentByMessages: 120,
  busy: { none: 10, prompt: 60, language: 60, result: 120 },
  work: {
    sent: { first: 12, floor: 12 },
    devices: onDevice,
    open: onDevice,
    language: { first: 120, floor: 120 },
    estimate: onDevice,
    load: onDevice,
    prompt: { first: 60, floor: 60 },
    encode: onDevice,
    prefill: onDevice,
    decode: onDevice,
    score: onDevice,
    trace: onDevice,
    'self-test': onDevice,
    // Between two steps there may be a large file that a slow disk takes in.
    quantise: { first: 240, floor: 120 },
  },
  perStep: 4,
  software: { first: 5, floor: 3 },
  cancelled: 60,
};

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

export interface Work {
  id: number;
  stage: WorkStage;
  steps: number;
}

export type Hang =
  | { kind: 'start' }
  | { kind: 'silent' }
  | { kind: 'stuck'; stage: BusyStage }
  /** `waiting`: for a device that does not answer. */
  | { kind: 'still'; id: number; stage: WorkStage; waiting: boolean };

interface Watched {
  stage: WorkStage;
  steps: number;
  still: number;
  wanted: boolean;
  /** Beats since it was cancelled. */
  unwanted: number;
}

export class Watch {
  readonly #limits: Limits;
  readonly #rates: Rates;
  readonly #onHang: (hang: Hang) => void;
  /** Attempts to start that failed before this one. */
  readonly #attempt: number;
  readonly #watched = new Map<number, Watched>();
  #timer: NodeJS.Timeout | null = null;
  #heard: 'nothing' | 'messages' | 'beats' = 'nothing';
  #isReady = false;
  #silent = 0;
  #stuck = 0;
  /** What the start took, for the next. */
  #birth = 0;
  #longestStuck = 0;
  #beats = 0;

  constructor({ limits, rates, attempt, onHang }: { limits: Limits; rates: Rates; attempt: number; onHang: (hang: Hang) => void }) {
    this.#limits = limits;
    this.#rates = rates;
    this.#attempt = attempt;
    this.#onHang = onHang;
  }

  begin(): void {
    this.#timer = setInterval(() => this.tick(), this.#limits.beatMs).unref();
  }

  end(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
    this.#watched.clear();
  }

  tick(): void {
    this.#silent++;
    if (this.#heard === 'nothing') {
      if (this.#silent > this.#rates.startLimit('birth', this.#attempt)) this.#onHang({ kind: 'start' });
      return;
    }
    const byBeats = this.#heard === 'beats';
    if (this.#silent <= (byBeats ? this.#rates.silentLimit() : this.#limits.silentByMessages)) return;
    if (!byBeats && this.#watched.size === 0) return;
    this.#rates.fellSilent();
    this.#onHang({ kind: 'silent' });
  }

  /** Of the thread that does nothing else. */
  beat({ moved, stage }: Beat): void {
    if (this.#heard === 'nothing') this.#birth = this.#silent;
    this.#heard = 'beats';
    this.#silent = 0;
    this.#beats++;
    this.#stuck = moved ? 0 : this.#stuck + 1;
    this.#longestStuck = Math.max(this.#longestStuck, this.#stuck);
    if (this.#stuck > (stage === 'start' ? this.#rates.startLimit('start', this.#attempt) : this.#limits.busy[stage]))
      this.#onHang({ kind: 'stuck', stage });
    else if (!this.#isReady && this.#beats > this.#limits.ready * 2 ** this.#attempt) this.#onHang({ kind: 'start' });
  }

  /** Any message. */
  message(): void {
    if (this.#heard === 'beats') return;
    if (this.#heard === 'nothing') this.#birth = this.#silent;
    this.#heard = 'messages';
    this.#silent = 0;
  }

  ready(): void {
    this.#isReady = true;
    this.#rates.started(this.#birth, this.#longestStuck);
  }

  add(id: number): void {
    // Silence before it was asked anything is nobody's loss where only messages can be heard.
    if (this.#heard === 'messages' && this.#watched.size === 0) this.#silent = 0;
    this.#watched.set(id, { stage: 'sent', steps: 0, still: 0, wanted: true, unwanted: 0 });
  }

  cancel(id: number): void {
    const watched = this.#watched.get(id);
    if (watched) watched.wanted = false;
  }

  /** `through`: the stages that it has come through, where it ended with a result. Short ones may have come and gone between two beats. */
  remove(id: number, through: readonly WorkStage[] = []): void {
    const watched = this.#watched.get(id);
    this.#watched.delete(id);
    if (through.length > 0) this.#rates.answered();
    for (const stage of through) this.#rates.ended(stage, watched?.stage === stage ? watched.still : 0);
  }

  /** A beat of the main thread: where its requests are. */
  work(list: readonly Work[], waiting: boolean): void {
    for (const [id, watched] of this.#watched) {
      const { stage, steps } = list.find((work) => work.id === id) ?? { stage: 'sent' as const, steps: 0 };
      if (stage === watched.stage && steps === watched.steps) watched.still++;
      else {
        if (stage !== watched.stage) this.#rates.ended(watched.stage, watched.still);
        else this.#rates.stepped(stage, watched.still);
        Object.assign(watched, { stage, steps, still: 0 });
      }
      if (!watched.wanted) watched.unwanted++;
      const tooLong = watched.unwanted > this.#limits.cancelled * (this.#rates.software ? this.#limits.software.first : 1);
      if (!tooLong && watched.still <= this.#rates.limit(stage, watched.wanted)) continue;
      // Stopped by the person, it is not tried again: nothing is to be given longer.
      if (watched.wanted) this.#rates.hung(stage);
      return this.#onHang({ kind: 'still', id, stage, waiting });
    }
  }
}
