import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { withLock } from './lock.mjs';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-lock-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test('one after the other, and let go when it is over or has failed', async () => {
  const path = join(folder, 'deep', 'lock');
  let inside = 0;
  const work = async (): Promise<number> => {
    inside++;
    await sleep(20);
    return inside--;
  };
  expect(await Promise.all([withLock(path, work), withLock(path, work), withLock(path, work)])).toEqual([1, 1, 1]);
  await expect(withLock(path, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(existsSync(path)).toBe(false);
});

test('a lock whose holder was killed is taken over', async () => {
  const path = join(folder, 'stale');
  // No process has this number: it lies above the largest one.
  writeFileSync(path, String(2 ** 22 + 1));
  expect(await withLock(path, async () => 'mine')).toBe('mine');
});
