/**
 * Folders, with those above them. Node's `recursive` option never returns where a file system answers "no such
 * folder" although the parent is there, as an unmounted network drive and /proc do (Node 24; substack/node-mkdirp#126).
 */
import { mkdirSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Nothing happens where it is already. `mode` holds for every folder that is made. Throws what the file system says. */
export function makeFolderSync(path: string, mode?: number): void {
  if (isFolder(path)) return;
  const parent = dirname(path);
  if (parent !== path) makeFolderSync(parent, mode);
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    // Somebody else was quicker.
    if (!isFolder(path)) throw error;
  }
}

/** As `makeFolderSync`; the making itself does not hold anybody up. */
export async function makeFolder(path: string, mode?: number): Promise<void> {
  if (isFolder(path)) return;
  const parent = dirname(path);
  if (parent !== path) await makeFolder(parent, mode);
  await mkdir(path, { mode }).catch((error: unknown) => {
    if (!isFolder(path)) throw error;
  });
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
