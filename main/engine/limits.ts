/** How long a process may be silent, or stand still, in its own ticks and beats: `watch.ts` counts them, `rates.ts` adapts them. */
import { usualBeatMs, usualSilence, type BusyStage } from '../process/lifeline.ts';
import type { WorkStage } from '../protocol.ts';

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
    kernels: onDevice,
    // Between two steps there may be a large file that a slow disk takes in.
    quantise: { first: 240, floor: 120 },
  },
  perStep: 4,
  software: { first: 5, floor: 3 },
  cancelled: 60,
};
