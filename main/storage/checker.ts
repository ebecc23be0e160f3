/** Who examines files: a process of its own in the app, so that nothing waits for it; this one in tests and commands. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { flush } from './backups.ts';
import { examineFile, type Finding } from './check.ts';
import { migrations } from './migrations/index.ts';

export interface CheckRequest {
  path: string;
  /** What its SHA-256 has to begin with, where somebody knows. */
  expected: string | null;
  /** A copy that was just made: it is flushed to the disk, and made independent of a log. */
  fresh: boolean;
}

export interface Checker {
  /** Rejects where there is no result, as after `close`. */
  check(request: CheckRequest): Promise<Finding>;
  close(): void;
}

export function checkNow({ path, expected, fresh }: CheckRequest): Finding {
  if (fresh) finishCopy(path);
  return examineFile(path, { migrations, expected });
}

export const checkHere: Checker = {
  check: async (request) => checkNow(request),
  close: () => {},
};

/** SQLite copies the header's note that a log belongs to the file. None does. */
function finishCopy(path: string): void {
  const file = openSync(path, 'r+');
  try {
    writeSync(file, Buffer.from([1, 1]), 0, 2, 18);
  } finally {
    closeSync(file);
  }
  flush(path);
}
