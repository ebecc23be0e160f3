/**
 * A data folder from its plain form into the sealed one, or back. The store is closed meanwhile. Each file is whole in one form or the other
 * at any moment, and tells by its first bytes in which: whatever ends this, it goes on where it was when it is called again.
 */
import Database from '../sqlite.ts';
import { closeSync, existsSync, openSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeFolderSync } from '../../make-folder.ts';
import { LoupeError } from '../../errors.ts';
import { isSealedHead, keyOfFile, openSealed, seal, sealedHeadBytes, sourceOf, type SealedSource } from '../../sealed-file.ts';
import { databasePath, exchangeBackup, flush, listBackups } from '../backups.ts';
import { examineFile } from '../check.ts';
import { incomingDocuments } from '../document-files.ts';
import { migrations } from '../migrations/index.ts';
import { incomingDirectory } from '../picture-shelf.ts';
import { removeSeal } from '../seal.ts';
import { ciphered, rawKey, withKey, type FolderKeys } from './folder-keys.ts';
import { flushFolder } from './header.ts';

export type Form = 'sealed' | 'plain';

export interface ConvertOptions {
  directory: string;
  keys: FolderKeys;
  to: Form;
  /** Called before each step; `done` of `all`. */
  onStep?: (done: number, all: number) => void;
}

export interface Converted {
  /** Files that are damaged, and stay in the form that they had. */
  left: string[];
}

const sealedSuffix = '.sealed';
const copyBytes = 1 << 20;
const plainHeader = Buffer.from('SQLite format 3\0', 'latin1');

/** Rejects with what the file system and SQLite say, and with `store_failed` for a database that is not sound. */
export async function convert({ directory, keys, to, onStep = () => {} }: ConvertOptions): Promise<Converted> {
  removeUnfinished(directory);
  const left: string[] = [];
  const files = filesOf(directory);
  const steps: (() => Promise<void> | void)[] = [
    ...files.map((path) => async () => {
      if (!(await convertFile(path, path, unfinished(directory), keys, to))) left.push(path);
    }),
    () => convertMain(directory, keys, to),
    ...listBackups(directory).map(({ name }) => async () => {
      await convertBackup(directory, name, keys, to);
    }),
    ...putAside(directory).map((path) => async () => {
      if (!(await convertAside(path, keys, to))) left.push(path);
    }),
    // They are drawn again.
    () => rmSync(join(directory, 'cache', 'pages'), { recursive: true, force: true }),
  ];
  for (const [done, step] of steps.entries()) {
    onStep(done, steps.length);
    await step();
  }
  onStep(steps.length, steps.length);
  return { left };
}

/** What has to be free besides: the largest thing is there twice for a moment, and SQLite needs some. */
export function roomToConvert(directory: string): number {
  const sizes = [databasePath(directory), `${databasePath(directory)}-wal`, ...filesOf(directory)].map(
    (path) => statSync(path, { throwIfNoEntry: false })?.size ?? 0,
  );
  const database = sizes[0]! + sizes[1]!;
  return Math.max(2 * database, ...sizes.slice(2)) + 2 * 1024 * 1024;
}

// --- files

function filesOf(directory: string): string[] {
  return ['pictures', 'documents'].flatMap((folder) =>
    namesIn(join(directory, folder))
      .filter((part) => /^[0-9a-f]{2}$/.test(part))
      .flatMap((part) => namesIn(join(directory, folder, part)).map((name) => join(directory, folder, part, name))),
  );
}

function unfinished(directory: string): string {
  return join(incomingDirectory(directory), 'converted');
}

/** Of what was cut off: of a conversion, of a backup, and of files that were arriving. */
function removeUnfinished(directory: string): void {
  for (const folder of [incomingDirectory(directory), incomingDocuments(directory)])
    for (const name of namesIn(folder)) rmSync(join(folder, name), { force: true });
  for (const folder of [directory, join(directory, 'backups')])
    for (const name of namesIn(folder))
      if (/\.part(-journal|-wal|-shm)?$/.test(name) && /^loupe/.test(name)) rmSync(join(folder, name), { force: true });
}

/** False where a sealed file is damaged: it stays. Nothing happens to one that has the form already. */
async function convertFile(path: string, target: string, part: string, keys: FolderKeys, to: Form): Promise<boolean> {
  const source = openSource(path);
  try {
    const head = Buffer.alloc(Math.min(sealedHeadBytes, source.length));
    source.read(0, head);
    const isSealed = isSealedHead(head);
    if (isSealed === (to === 'sealed')) return true;
    makeFolderSync(dirname(part), 0o700);
    const written = await open(part, 'w', 0o600);
    const write = async (bytes: Uint8Array): Promise<void> => {
      for (let done = 0; done < bytes.length;) done += (await written.write(bytes, done, bytes.length - done)).bytesWritten;
    };
    try {
      const inside: SealedSource = isSealed ? openSealed(source, keyOfFile(keys.files, head)) : source;
      const sealing = isSealed ? null : seal(keys.files);
      for (let at = 0; at < inside.length; at += copyBytes) {
        const piece = Buffer.alloc(Math.min(copyBytes, inside.length - at));
        if (!inside.read(at, piece)) {
          if (isSealed) return false;
          throw new LoupeError('store_failed', `${path} cannot be read.`, 'Check the disk, then try again.');
        }
        await write(sealing ? sealing.add(piece) : piece);
      }
      if (sealing) await write(sealing.end());
      await written.sync();
    } finally {
      await written.close();
    }
    renameSync(part, target);
    flushFolder(dirname(target));
    return true;
  } finally {
    source.close();
    rmSync(part, { force: true });
  }
}

function openSource(path: string): SealedSource & { close(): void } {
  const descriptor = openSync(path, 'r');
  return { ...sourceOf(descriptor), close: () => closeSync(descriptor) };
}

// --- databases

/** Null where there is none. */
function formOf(path: string): Form | null {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) === 0) return null;
  const source = openSource(path);
  try {
    const head = Buffer.alloc(Math.min(plainHeader.length, source.length));
    source.read(0, head);
    return head.equals(plainHeader) ? 'plain' : 'sealed';
  } finally {
    source.close();
  }
}

function convertMain(directory: string, keys: FolderKeys, to: Form): void {
  const path = databasePath(directory);
  const form = formOf(path);
  if (form !== null && form !== to) {
    const part = `${path}.part`;
    copyInForm(path, part, keys, to);
    const { state, problem } = examineFile(part, { migrations, key: to === 'sealed' ? keys.database : null });
    if (state !== 'sound') {
      rmSync(part, { force: true });
      throw new LoupeError(
        'store_failed',
        `The database in ${directory} is damaged (${problem}). It is as it was.`,
        'Restore a backup first.',
      );
    }
    // Of the old bytes.
    removeSeal(directory);
    renameSync(part, path);
    flushFolder(directory);
  }
  for (const suffix of ['-wal', '-shm']) if (existsSync(path + suffix) && sizeOfLog(path + suffix) === 0) rmSync(path + suffix);
}

function sizeOfLog(path: string): number {
  return path.endsWith('-shm') ? 0 : statSync(path).size;
}

/** A copy of a closed database in the other form, flushed. Its log is written into it first: one in the old form beside a new file would spoil it. */
function copyInForm(path: string, part: string, keys: FolderKeys, to: Form): void {
  rmSync(part, { force: true });
  const database = withKey(new Database(path), to === 'plain' ? keys.database : null);
  try {
    database.pragma('journal_mode = delete');
    database.prepare('vacuum into ?').run(part);
  } finally {
    database.close();
  }
  const copy = ciphered(withKey(new Database(part), to === 'plain' ? keys.database : null));
  try {
    // A journal on the disk would hold the old pages.
    copy.pragma('journal_mode = memory');
    copy.rekey(to === 'sealed' ? rawKey(keys.database) : Buffer.alloc(0));
  } finally {
    copy.close();
  }
  flush(part);
}

/** A damaged one goes with what is put aside. */
async function convertBackup(directory: string, name: string, keys: FolderKeys, to: Form): Promise<void> {
  const all = listBackups(directory);
  const backup = all.find((one) => one.name === name);
  if (!backup || formOf(backup.path) === to) return;
  const same = all.find((one) => one.name !== name && one.sequence !== null && one.sequence === backup.sequence);
  // It was converted when the process died.
  if (same && formOf(same.path) === to) return rmSync(backup.path, { force: true });
  const part = join(dirname(backup.path), 'loupe-new.db.part');
  const finding = copied();
  if (finding) return exchangeBackup(backup, part, finding);
  rmSync(part, { force: true });
  if (to === 'sealed')
    await convertFile(backup.path, backup.path + sealedSuffix, part, keys, to).then(() => rmSync(backup.path, { force: true }));

  /** The copy's SHA-256; null where it cannot be made. */
  function copied(): string | null {
    try {
      copyInForm(backup!.path, part, keys, to);
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === 'SQLITE_NOTADB' || code?.startsWith('SQLITE_CORRUPT')) return null;
      throw error;
    }
    const { state, sha256 } = examineFile(part, { migrations, key: to === 'sealed' ? keys.database : null });
    return state === 'sound' ? sha256 : null;
  }
}

// --- what was put aside: damaged databases, and their logs

function putAside(directory: string): string[] {
  const pattern = /^loupe-(replaced|damaged-log)-.*\.db(-wal)?(\.sealed)?$/;
  const backups = join(directory, 'backups');
  return [
    ...namesIn(directory)
      .filter((name) => pattern.test(name))
      .map((name) => join(directory, name)),
    ...namesIn(backups)
      .filter((name) => name.endsWith(sealedSuffix))
      .map((name) => join(backups, name)),
  ];
}

/** False where it stays encrypted: a damaged database that was encrypted when it was put aside. */
async function convertAside(path: string, keys: FolderKeys, to: Form): Promise<boolean> {
  const isWrapped = path.endsWith(sealedSuffix);
  if (to === 'sealed') {
    if (isWrapped) return true;
    await convertFile(path, path + sealedSuffix, `${path}.part`, keys, to);
    rmSync(path, { force: true });
    return true;
  }
  if (isWrapped) {
    if (!(await convertFile(path, path.slice(0, -sealedSuffix.length), `${path}.part`, keys, to))) return false;
    rmSync(path, { force: true });
    return true;
  }
  if (path.endsWith('-wal')) return true;
  if (!existsSync(path) || formOf(path) !== 'sealed') return true;
  try {
    copyInForm(path, `${path}.part`, keys, to);
  } catch {
    rmSync(`${path}.part`, { force: true });
    return false;
  }
  renameSync(`${path}.part`, path);
  return true;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
