/** What a model that comes with the app says of itself. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** abilities.json of the folder, unread. Null without one, or with a broken one: only the suggestions are missing then. */
export async function readAbilities(directory: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(join(directory, 'abilities.json'), 'utf8'));
  } catch {
    return null;
  }
}
