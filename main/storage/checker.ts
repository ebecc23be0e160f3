/** Who examines files: a process of its own in the app, so that nothing waits for it; this one in tests and commands. */
import Database from './sqlite.ts';
import { closeSync, openSync, writeSync } from 'node:fs';
import { flush } from './backups.ts';
import { examineFile, type Finding } from './check.ts';
import { migrations } from './migrations/index.ts';
import { withKey } from './vault/folder-keys.ts';

export interface CheckRequest {
  path: string;
  /** What its SHA-256 has to begin with, where somebody knows. */
  expected: string | null;
  /** A copy that was just made: it is flushed to the disk, and made independent of a log. */
  fresh: boolean;
  /** Of an encrypted one; null of another. */
  key: Uint8Array | null;
}

export interface Checker {
  /** Rejects where there is no result, as after `close`. */
  check(request: CheckRequest): Promise<Finding>;
  close(): void;
}

export function checkNow({ path, expected, fresh, key: given }: CheckRequest): Finding {
  const key = given && Buffer.from(given);
  if (fresh) finishCopy(path, key);
  return examineFile(path, { migrations, expected, key });
}

export const checkHere: Checker = {
  check: async (request) => checkNow(request),
  close: () => {},
};

/** SQLite copies the header's note that a log belongs to the file. None does. */
function finishCopy(path: string, key: Buffer | null): void {
  // Its pages are signed, the first as well.
  if (key) {
    const database = withKey(new Database(path), key);
    try {
      database.pragma('journal_mode = delete');
    } finally {
      database.close();
    }
    return flush(path);
  }
  const file = openSync(path, 'r+');
  try {
    writeSync(file, Buffer.from([1, 1]), 0, 2, 18);
  } finally {
    closeSync(file);
  }
  flush(path);
}
