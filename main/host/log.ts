/**
 * The log file that a person can attach to a report. It says what happened and when, never what
 * was asked, answered or seen: of errors the kind, the code and the place in our code, but not
 * the message, which may quote.
 */
import { appendFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolderSync } from '../make-folder.ts';

/** A sentence of ours, or what was thrown. */
export type Log = (what: unknown) => void;

export interface LogOptions {
  now?: () => Date;
  /** A file that has grown past this is renamed, and a new one begun. */
  maxBytes?: number;
  /** How many renamed files are kept; loupe.1.log is the newest. */
  keep?: number;
}

/** Appends to loupe.log. A log that cannot be written is silent: a full disk has other symptoms. */
export function createLog(directory: string, { now = () => new Date(), maxBytes = 512 * 1024, keep = 3 }: LogOptions = {}): Log {
  const path = join(directory, 'loupe.log');
  const rotated = (number: number): string => join(directory, `loupe.${number}.log`);

  function rotate(): void {
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) < maxBytes) return;
    for (let number = keep - 1; number >= 1; number--) {
      if (statSync(rotated(number), { throwIfNoEntry: false })) renameSync(rotated(number), rotated(number + 1));
    }
    renameSync(path, rotated(1));
  }

  return (what) => {
    try {
      makeFolderSync(directory);
      rotate();
      appendFileSync(path, `${now().toISOString()} ${typeof what === 'string' ? what : describeFault(what)}\n`);
    } catch {
      // There is nowhere left to say it.
    }
  };
}

export function describeFault(thrown: unknown): string {
  if (!(thrown instanceof Error)) return `something thrown: ${typeof thrown}`;
  const { code } = thrown as { code?: unknown };
  const kind = `${thrown.name}${typeof code === 'string' ? ` (${code})` : ''}`;
  const stack = thrown.stack ?? '';
  // The message comes first, and may itself look like a stack.
  const end = stack.indexOf(thrown.message) + thrown.message.length;
  const frames = stack
    .slice(Math.max(0, end))
    .split('\n')
    .filter((line) => /^\s+at /.test(line));
  const cause = thrown.cause === undefined ? [] : [`because of ${describeFault(thrown.cause)}`];
  return [kind, ...frames, ...cause].join('\n');
}
