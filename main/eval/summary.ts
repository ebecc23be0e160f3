import type { EvalRow } from './formats/row.ts';
import type { ResultsFile } from './results.ts';
import type { EvalSet, Published } from './sets.ts';

export interface EvalSummary {
  ok: true;
  set: string;
  title: string;
  metric: string;
  split: string;
  model: string;
  /** Null where nothing has been judged. */
  device: string | null;
  seed: number;
  rows: { all: number; chosen: number; judged: number; failed: number; cut: number };
  /** The mean score, to two decimals; null where nothing has been judged. */
  percent: number | null;
  /** One standard error of the mean, in points; null below two rows. */
  error: number | null;
  published: (Published & { split: string })[];
  differs: string[];
  seconds: number;
  out: string;
}

interface Judged {
  set: EvalSet;
  name: string;
  model: string;
  seed: number;
  out: string;
  notes: readonly string[];
  chosen: readonly EvalRow[];
  /** Rows of the set. */
  all: number;
  file: ResultsFile;
}

export function summarise({ set, name, model, seed, out, notes, chosen, all, file }: Judged): EvalSummary {
  const wanted = new Set(chosen.map(({ id }) => id));
  const judged = file.results.filter(({ id }) => wanted.has(id));
  const scores = judged.map(({ score }) => score);
  return {
    ok: true,
    set: name,
    title: set.title,
    metric: set.metric,
    split: set.split,
    model,
    device: file.header?.device ?? null,
    seed,
    rows: {
      all,
      chosen: chosen.length,
      judged: judged.length,
      failed: judged.filter(({ failure }) => failure !== undefined).length,
      cut: judged.filter(({ cut }) => cut).length,
    },
    percent: scores.length === 0 ? null : inHundredths(100 * mean(scores)),
    error: scores.length < 2 ? null : inHundredths(100 * standardError(scores)),
    published: set.published.map((one) => ({ split: set.split, ...one })),
    differs: [...set.differs, ...notes, ...(judged.length < all ? ['Not all rows of the set were judged.'] : [])],
    seconds: Math.round(judged.reduce((sum, { seconds }) => sum + seconds, 0)),
    out,
  };
}

function inHundredths(value: number): number {
  return Math.round(100 * value) / 100;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Of the mean of a sample: s / sqrt(n), with s over n - 1. */
export function standardError(values: readonly number[]): number {
  const middle = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1) / values.length);
}
