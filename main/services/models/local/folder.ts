/** Where downloads and quantised copies go. */
import { open, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, normalize } from 'node:path';
import { makeFolder } from '../../../make-folder.ts';
import { LoupeError } from '../../../errors.ts';
import { withFileErrors } from '../hub/fetch-file.ts';
import { freeBytesOf } from '../hub/pull.ts';

/**
 * Creates the folder where there is none, and returns its path.
 * Rejects with `usage` for a path that cannot be a folder, and with the reason where nothing can be written.
 */
export async function usableFolder(named: string): Promise<string> {
  const path = normalize(named.trim().replace(/^~(?=[\\/]|$)/, homedir()));
  if (!isAbsolute(path))
    throw new LoupeError(
      'usage',
      named.trim() === '' ? 'The path of the folder is empty.' : `${named.trim()} is not a full path.`,
      'Give the full path of the folder, as in /media/usb/models.',
    );
  await withFileErrors(path, async () => {
    await makeFolder(path);
    await writeAndRemove(join(path, `.loupe-probe-${crypto.randomUUID()}`));
  });
  return path;
}

/** Rejects where something has the name already, be it a link: others may write to the folder, too. */
async function writeAndRemove(path: string): Promise<void> {
  const probe = await open(path, 'wx');
  try {
    await probe.close();
  } finally {
    await rm(path, { force: true });
  }
}

/** Of the disk that will hold the folder, which need not exist yet. */
export async function freeBytesAbove(directory: string, freeBytes = freeBytesOf): Promise<number | null> {
  for (let at = directory; ; at = dirname(at)) {
    const free = await freeBytes(at).catch(() => null);
    if (free !== null) return free;
    if (at === dirname(at)) return null;
  }
}
