/**
 * Whether a process still lives. Nothing here looks at a clock: silence of the process is counted in our own ticks, silence
 * of its main thread in the beats of its other thread, and work that stands still in beats of its main thread. So a computer
 * that slept, and a parent that stood still itself, have counted nothing, and a machine that is short of time counts slowly.
 */
import type { WorkStage } from '../protocol.ts';
import type { Beat, BusyStage } from '../process/lifeline.ts';
import type { Limits } from './limits.ts';
import type { Rates } from './rates.ts';

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
