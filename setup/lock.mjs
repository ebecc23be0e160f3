// One set-up at a time: two builds in one folder break each other.
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { say } from './report.mjs';

const askAgainMs = 500;

/** The process that holds the lock; undefined where it ended without releasing it. @param {string} path */
function holder(path) {
  const pid = Number(readFileSync(path, 'utf8'));
  if (!(pid > 0)) return undefined;
  try {
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    // It is there, of another user.
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM' ? pid : undefined;
  }
}

/** @param {string} path @returns {boolean} whether it is ours now */
function take(path) {
  try {
    const file = openSync(path, 'wx');
    writeSync(file, String(process.pid));
    closeSync(file);
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
    return false;
  }
}

/**
 * Runs `work` once no other process holds the lock file; says once that it waits.
 * @template Result @param {string} path @param {() => Promise<Result>} work @returns {Promise<Result>}
 */
export async function withLock(path, work) {
  mkdirSync(dirname(path), { recursive: true });
  let isAnnounced = false;
  while (!take(path)) {
    try {
      const pid = holder(path);
      if (pid === undefined) rmSync(path, { force: true });
      else if (!isAnnounced) {
        isAnnounced = true;
        say(`another set-up is running (process ${pid}); waiting for it ...`);
      }
    } catch {
      // It was released between the two looks.
    }
    await sleep(askAgainMs);
  }
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}
