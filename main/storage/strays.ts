/**
 * Files of pictures and documents that the database does not know, because it took the place of one that did, as a restored backup
 * does. They stay while the other one is kept aside, since it may come back, and for 30 days after that. How long they have been
 * without a row is written beside them, not in the database: that may be exchanged for an older one, which knows nothing of it.
 */
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import type { WriteDatabase } from './handles.ts';
import { databasesAside } from './replace.ts';
import { parseJson } from './rows.ts';

const day = 24 * 60 * 60 * 1000;
const keptDays = 30;
/** Five hundred folders are looked through: once a day, and in every database that is opened. */
const lookEveryMs = day;

/** Paths within the data folder, and since when nothing can know their files any more, in ms since 1970. */
type Strays = Record<string, number>;

const straysSchema = v.record(v.string(), v.number());
/** Folders as tables are called, and what stands there for a picture or a document. */
const folders = ['pictures', 'documents'] as const;
const namePattern = /^([0-9a-f]{64})(\.thumb|\.display)?$/;

/** Not for a database that is known to be damaged: a row that it has lost is no reason to count the days of its file. */
export type StraySweep = (database: WriteDatabase, now: number) => void;

export function createStraySweep(directory: string): StraySweep {
  let last: { database: WriteDatabase; at: number } | null = null;

  return (database, now) => {
    if (last?.database === database && now >= last.at && now - last.at < lookEveryMs) return;
    last = { database, at: now };
    const before = databasesAside(directory).length > 0 ? {} : readStrays(directory);
    const strays: Strays = {};
    for (const path of unknownFiles(database, directory)) {
      // A clock that was set back begins anew.
      const since = Math.min(before[path] ?? now, now);
      if (now - since < keptDays * day || !removed(join(directory, path))) strays[path] = since;
    }
    writeStrays(directory, strays);
  };
}

function unknownFiles(database: WriteDatabase, directory: string): string[] {
  return folders.flatMap((folder) => {
    const known = new Set(database.prepare<[], string>(`select hash from ${folder}`).pluck().all());
    const parts = namesIn(join(directory, folder)).filter((name) => /^[0-9a-f]{2}$/.test(name));
    return parts.flatMap((part) =>
      namesIn(join(directory, folder, part))
        .filter((name) => {
          const hash = namePattern.exec(name)?.[1];
          return hash?.startsWith(part) && !known.has(hash);
        })
        .map((name) => `${folder}/${part}/${name}`),
    );
  });
}

/** False where another program has it open, or the folder cannot be written to. */
function removed(path: string): boolean {
  try {
    rmSync(path, { force: true });
    return true;
  } catch {
    return false;
  }
}

function straysPath(directory: string): string {
  return join(directory, 'loupe.strays');
}

function readStrays(directory: string): Strays {
  try {
    return parseJson(straysSchema, readFileSync(straysPath(directory), 'utf8')) ?? {};
  } catch {
    return {};
  }
}

/** Where this fails, as on a full disk, the days are counted from a later look. */
function writeStrays(directory: string, strays: Strays): void {
  const path = straysPath(directory);
  try {
    if (Object.keys(strays).length === 0) return rmSync(path, { force: true });
    writeFileSync(`${path}.part`, JSON.stringify(strays), { mode: 0o600 });
    renameSync(`${path}.part`, path);
  } catch {
    removed(`${path}.part`);
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
