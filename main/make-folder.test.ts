import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeFolder, makeFolderSync } from './make-folder.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loupe-folder-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe.each([
  ['makeFolderSync', async (path: string, mode?: number) => makeFolderSync(path, mode)],
  ['makeFolder', makeFolder],
])('%s', (_, make) => {
  it('makes what is missing, and nothing where all is there', async () => {
    const path = join(directory, 'a', 'b');
    await make(path);
    await make(path);
    expect(statSync(path).isDirectory()).toBe(true);
  });

  it('holds the mode for every folder that it makes', async () => {
    await make(join(directory, 'private', 'inner'), 0o700);
    expect(['private', 'private/inner'].map((name) => statSync(join(directory, name)).mode & 0o777)).toEqual([0o700, 0o700]);
  });

  it('names the file that is in the way', async () => {
    writeFileSync(join(directory, 'file'), '');
    await expect(make(join(directory, 'file', 'a', 'b'))).rejects.toMatchObject({ code: 'EEXIST', path: join(directory, 'file') });
  });

  it.runIf(process.platform === 'linux')('ends where a file system denies a folder below one that is there', async () => {
    await expect(make('/proc/loupe/data')).rejects.toMatchObject({ code: 'ENOENT', path: '/proc/loupe' });
  });
});
