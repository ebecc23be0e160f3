/** All that is kept, in one file and back. */
import { isAbsolute } from 'node:path';
import type { AppPorts } from '../app-ports.ts';
import { LoupeError } from '../errors.ts';
import type { Archives } from '../services/archive/archive.ts';
import { done, type AreaHandlers } from './area.ts';

export function archiveHandlers(archives: Archives, { chooseArchive }: AppPorts['host']): AreaHandlers<'archive'> {
  /** Null where the person chose none. A window names a file only where nobody can be asked: no page of ours chooses where to write. */
  async function pathFor(work: 'export' | 'import', path: string | null): Promise<string | null> {
    if (chooseArchive) {
      if (path !== null) throw new LoupeError('request_refused', 'Loupe asks for the file itself.', 'Choose it in the dialog.');
      return chooseArchive(work);
    }
    if (path === null || !isAbsolute(path))
      throw new LoupeError('usage', 'The file is not named in full.', 'Enter the whole path of the file, from the root on.');
    return path;
  }

  return {
    'archive.state': () => archives.state(),
    'archive.export': async ({ path }) => {
      const chosen = await pathFor('export', path);
      // The system's dialog has asked whether one that is there may be replaced.
      if (chosen !== null) archives.export(chosen, { replaces: chooseArchive !== undefined });
      return { begun: chosen !== null };
    },
    'archive.import': async ({ path }) => {
      const chosen = await pathFor('import', path);
      if (chosen !== null) archives.import(chosen);
      return { begun: chosen !== null };
    },
    'archive.stop': done(() => archives.stop()),
  };
}
