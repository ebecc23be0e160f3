/** What went wrong lately, and what a person may pass on of it. */
import * as v from 'valibot';
import { time } from './common.ts';

export const problem = v.strictObject({
  at: time,
  /** Of an error of ours; null where a process ended. */
  code: v.nullable(v.string()),
  /** A sentence without names or content. */
  what: v.string(),
  nextStep: v.string(),
});

export type Problem = v.InferOutput<typeof problem>;
