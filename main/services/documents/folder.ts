/** What a person names to be added: a file, or the files in a folder and the folders in it. */
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { LoupeError } from '../../errors.ts';

const mostFiles = 2000;
const byName = new Intl.Collator('en', { numeric: true });

/**
 * In the order of their names, numbers by their value; hidden ones, and links to folders, are left out.
 * Rejects with `document_missing` and `document_too_large`.
 */
export async function filesAt(path: string): Promise<string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
  } catch {
    // Whoever opens it says why it cannot be opened.
    return [path];
  }
  const files: string[] = [];
  await collect(path, path, files);
  if (files.length === 0)
    throw new LoupeError('document_missing', `The folder ${path} has no files in it.`, 'Name another folder, or files.');
  return files;
}

async function collect(folder: string, whole: string, files: string[]): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'ENOENT' ? 'is gone' : `cannot be read (${error.code ?? error.message})`;
    throw new LoupeError('document_missing', `The folder ${folder} ${why}.`, 'Check that it is still there and that you may read it.');
  });
  for (const entry of entries.sort((one, other) => byName.compare(one.name, other.name))) {
    if (entry.name.startsWith('.')) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await collect(path, whole, files);
    else if (entry.isFile() || entry.isSymbolicLink()) files.push(path);
    if (files.length > mostFiles) {
      throw new LoupeError(
        'document_too_large',
        `The folder ${basename(whole)} has more than ${mostFiles.toLocaleString('en')} files.`,
        'Add a part of them: name the folders in it one by one.',
      );
    }
  }
}
