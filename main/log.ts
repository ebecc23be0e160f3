/** A log that a user can attach to a report: what failed and when, never what was asked or answered. */
import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';

export type Log = (what: unknown) => void;

const longest = 1024 * 1024;

/** Appends to loupe.log; a long one becomes loupe.1.log when a new one begins. A log that cannot be written is silent. */
export function createLog(directory: string): Log {
  const path = join(directory, 'loupe.log');
  return (what) => {
    const text = what instanceof Error ? (what.stack ?? what.message) : String(what);
    try {
      mkdirSync(directory, { recursive: true });
      if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > longest) renameSync(path, join(directory, 'loupe.1.log'));
      appendFileSync(path, `${new Date().toISOString()} ${text}\n`);
    } catch {
      // There is nowhere left to say it.
    }
  };
}
