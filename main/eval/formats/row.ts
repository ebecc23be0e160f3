import type { MathAnswer } from '../metrics/math-answer.ts';

/** A picture of a row: a file, in the first of these places where there is one, or a cell of a parquet file. */
export type RowPicture = { places: string[] } | { parquet: string; column: string; index: number };

/** One question of a set, as its authors publish it. */
export interface EvalRow {
  /** Of the question, by which results are kept. No two of a set are the same. */
  id: string;
  /** File, row: for messages. */
  where: string;
  question: string;
  pictures: RowPicture[];
  /** Right ones; of VQA and TextVQA what each of the people said. */
  answers: string[];
  /** Null where there is nothing to choose from; else `answers` holds the text of the right one. */
  options: string[] | null;
  /** How MathVista compares. */
  math?: Pick<MathAnswer, 'type' | 'precision'>;
}

export interface ReadSet {
  rows: EvalRow[];
  /** What differs from the whole set, in sentences. */
  notes: string[];
}
