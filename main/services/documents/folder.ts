/** What a person names to be added: a file, or the files in a folder and the folders in it. */
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { LoupeError } from '../../errors.ts';

const mostFiles = 2000;
const byName = new Intl.Collator('en', { numeric: true });

/**
 * In the order of their names, numbers by their value; hidden ones, and links to folders, are left out.
 * `onUnread` gets the folders in it that cannot be read. Rejects with `document_missing` and `document_too_large`.
 */
export async function filesAt(path: string, onUnread: (folder: string, error: LoupeError) => void): Promise<string[]> {
  // Whoever opens it says why it cannot be opened.
  if (!(await isFolder(path))) return [path];
  const files: string[] = [];
  const unread: [string, LoupeError][] = [];
  await collect(path, { whole: path, files, unread });
  for (const [folder, error] of unread) onUnread(folder, error);
  if (files.length === 0 && unread.length === 0)
    throw new LoupeError('document_missing', `The folder ${path} has no files in it.`, 'Name another folder, or files.');
  return files;
}

interface Collected {
  whole: string;
  files: string[];
  unread: [string, LoupeError][];
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (facts) => facts.isDirectory(),
    () => false,
  );
}

/** What cannot be read costs none of the others. */
async function collect(folder: string, collected: Collected): Promise<void> {
  const { whole, files, unread } = collected;
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'ENOENT' ? 'is gone' : `cannot be read (${error.code ?? error.message})`;
    const step = 'Check that it is still there and that you may read it.';
    unread.push([folder, new LoupeError('document_missing', `The folder ${folder} ${why}.`, step)]);
    return [];
  });
  for (const entry of entries.sort((one, other) => byName.compare(one.name, other.name))) {
    if (entry.name.startsWith('.')) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await collect(path, collected);
    else if (entry.isFile() || (entry.isSymbolicLink() && !(await isFolder(path)))) files.push(path);
    if (files.length > mostFiles) {
      throw new LoupeError(
        'document_too_large',
        `The folder ${basename(whole)} has more than ${mostFiles.toLocaleString('en')} files.`,
        'Add a part of them: name the folders in it one by one.',
      );
    }
  }
}
