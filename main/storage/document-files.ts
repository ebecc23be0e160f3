/**
 * Files of documents: `documents/ab/<hash>`, copied piece by piece beside them and renamed into place. The row is stored before
 * the file; where the folder is encrypted, each piece is sealed before it is written. A row whose file is missing belongs to an `add` that did not return, and the next one completes it.
 */
import { createHash, randomUUID } from 'node:crypto';
import { closeSync, openSync, readSync, renameSync, rmSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { makeFolderSync } from '../make-folder.ts';
import { LoupeError } from '../errors.ts';
import { readWithoutWaiting } from '../regular-file.ts';
import { keyOfFile, seal, sealedHeadBytes } from '../sealed-file.ts';
import type { DocumentFiles, IncomingFile } from '../services/ports.ts';
import { storeError } from './errors.ts';
import type { WriteDatabase } from './handles.ts';
import { keysOf } from './vault/folder-keys.ts';
import { keysToWrite } from './vault/refuse.ts';

const pieceBytes = 1 << 20;

function folder(directory: string): string {
  return join(directory, 'documents');
}

export function documentPath(directory: string, hash: string): string {
  return join(folder(directory), hash.slice(0, 2), hash);
}

export function documentFiles(directory: string): DocumentFiles {
  return {
    path: (hash) => documentPath(directory, hash),
    key: (hash) => fileKey(directory, documentPath(directory, hash)),
    receive: () => receive(directory),
    async bring(path, { signal } = {}) {
      const source = await openSource(path);
      try {
        const incoming = await receive(directory);
        try {
          await copy(source, path, incoming, signal);
          return await incoming.finish();
        } catch (error) {
          await incoming.drop();
          throw error;
        }
      } finally {
        await source.close().catch(() => {});
      }
    },
  };
}

async function receive(directory: string): Promise<IncomingFile> {
  const path = join(incomingDocuments(directory), randomUUID());
  const digest = createHash('sha256');
  let bytes = 0;
  const keys = keysToWrite(directory);
  const sealing = keys && seal(keys.files);
  const remove = (): void => rmSync(path, { force: true });
  const orStoreError = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    try {
      return await work();
    } catch (error) {
      throw storeError(directory, error);
    }
  };
  const file = await orStoreError(() => {
    makeFolderSync(dirname(path), 0o700);
    return open(path, 'wx', 0o600);
  });
  let ended = false;
  /** All of it can be read, although more may not come any more. */
  const end = async (): Promise<void> => {
    if (sealing && !ended) await write(file, sealing.end());
    ended = true;
  };
  return {
    path,
    arrived: () => orStoreError(end),
    ...(sealing ? { key: sealing.fileKey } : {}),
    append: (piece) =>
      orStoreError(async () => {
        await write(file, sealing ? sealing.add(piece) : piece);
        digest.update(piece);
        bytes += piece.length;
      }),
    finish: () =>
      orStoreError(async () => {
        await end();
        await file.sync();
        await file.close();
        const hash = digest.digest('hex');
        return { hash, bytes, drop: remove, keep: () => keep(path, documentPath(directory, hash)) };
      }),
    async drop() {
      await file.close().catch(() => {});
      remove();
    },
  };
}

async function write(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += (await file.write(bytes, done, bytes.length - done)).bytesWritten;
}

/** Of one sealed file, for the process that reads it; absent where the folder is not encrypted, or the file is not there. */
function fileKey(directory: string, path: string): Uint8Array | undefined {
  const keys = keysOf(directory);
  if (!keys) return undefined;
  const head = Buffer.alloc(sealedHeadBytes);
  try {
    const file = openSync(path, 'r');
    try {
      readSync(file, head);
    } finally {
      closeSync(file);
    }
  } catch {
    return undefined;
  }
  return keyOfFile(keys.files, head);
}

async function openSource(path: string): Promise<FileHandle> {
  try {
    return await open(path, readWithoutWaiting);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new LoupeError('document_missing', `${path} does not exist.`);
    throw new LoupeError('document_missing', `${path} cannot be opened (${code ?? message}).`, 'Check that you may read it.');
  }
}

async function copy(source: FileHandle, path: string, target: IncomingFile, signal: AbortSignal | undefined): Promise<void> {
  const piece = Buffer.allocUnsafe(pieceBytes);
  for (;;) {
    if (signal?.aborted) throw new LoupeError('cancelled', `Adding ${basename(path)} was stopped.`);
    const count = await readPiece(source, piece, path);
    if (count === 0) return;
    await target.append(piece.subarray(0, count));
  }
}

async function readPiece(source: FileHandle, piece: Buffer, path: string): Promise<number> {
  try {
    return (await source.read(piece, 0, piece.length, null)).bytesRead;
  } catch (error) {
    throw new LoupeError(
      'document_missing',
      `${basename(path)} cannot be read any more.`,
      'Check that its drive is still connected, then add it again.',
      { cause: error },
    );
  }
}

function keep(incoming: string, path: string): void {
  makeFolderSync(dirname(path), 0o700);
  renameSync(incoming, path);
}

/**
 * Removes the files of documents that were removed, then their rows:
 * if the process dies in between, the row is found again. Returns how many there were.
 */
export function removeFilesOfRemoved(database: WriteDatabase, directory: string): number {
  const hashes = database.prepare<[], string>('select hash from documents where removed = 1').pluck().all();
  const remove = database.prepare<[string]>('delete from documents where hash = ?');
  for (const hash of hashes) {
    rmSync(documentPath(directory, hash), { force: true });
    remove.run(hash);
  }
  return hashes.length;
}

/** Copies that are not whole yet; the sweep removes what a dying process left. */
export function incomingDocuments(directory: string): string {
  return join(folder(directory), 'incoming');
}
