import { createHash } from 'node:crypto';
import { LoupeError } from '../errors.ts';
import type { EvalRow } from './formats/row.ts';

/**
 * In an order that depends on `seed` and the names of the rows alone, the first `count`; all where that is undefined. A smaller choice
 * is the beginning of a larger one, so a run can be widened, and what is judged first stands for the whole.
 */
export function chooseRows(rows: readonly EvalRow[], seed: number, count: number | undefined): EvalRow[] {
  const keyed = rows.map((row) => ({ row, key: createHash('sha256').update(`${seed} ${row.id}`).digest('hex') }));
  keyed.sort((one, other) => (one.key < other.key ? -1 : 1));
  return keyed.slice(0, count).map(({ row }) => row);
}

/** Results are kept by the names of rows. */
export function refuseDoubles(rows: readonly EvalRow[]): void {
  const seen = new Map<string, string>();
  for (const { id, where } of rows) {
    const first = seen.get(id);
    if (first !== undefined)
      throw new LoupeError('request_invalid', `${where}: ${id} is the name of another question, too (${first}).`, 'Take one of them out.');
    seen.set(id, where);
  }
}
