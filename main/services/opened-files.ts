/** Files that the person opened with Loupe from outside, until a window takes them: they wait for as long as Loupe is locked. */
import { basename } from 'node:path';
import { mostPieceBytes, mostUploads, type OpenedFile, type Output } from '../contract.ts';
import { LoupeError, toLoupeError } from '../errors.ts';
import { openRegularFile } from '../regular-file.ts';

export interface OpenedFiles {
  /** Absolute paths; `leftOut`: how many more were named. */
  add(paths: readonly string[], leftOut: number): void;
  /** All that wait, once. */
  take(): Promise<Output<'windows.opened'>>;
  /** From this byte on; empty at the end. Once the last was read, the file can be read no more. Rejects with `file_missing`. */
  piece(id: number, from: number): Promise<Uint8Array<ArrayBuffer>>;
}

export function createOpenedFiles(): OpenedFiles {
  let waiting: string[] = [];
  let leftOut = 0;
  let nextId = 1;
  const taken = new Map<number, string>();

  async function look(path: string): Promise<OpenedFile> {
    const name = basename(path).slice(0, 255);
    try {
      const handle = await openRegularFile(path);
      const { size } = await handle.stat().finally(() => handle.close());
      const id = nextId++;
      taken.set(id, path);
      return { id, name, bytes: size, failure: null };
    } catch (error) {
      return { id: null, name, bytes: 0, failure: toLoupeError(error).toFailure() };
    }
  }

  return {
    add(paths, more) {
      const all = [...new Set([...waiting, ...paths])];
      waiting = all.slice(0, mostUploads);
      leftOut += more + all.length - waiting.length;
    },

    async take() {
      const answer = { paths: waiting, leftOut };
      waiting = [];
      leftOut = 0;
      return { files: await Promise.all(answer.paths.map(look)), leftOut: answer.leftOut };
    },

    async piece(id, from) {
      const path = taken.get(id);
      if (path === undefined) throw new LoupeError('file_missing', 'This file was read already.', 'Open it with Loupe again.');
      const handle = await openRegularFile(path);
      try {
        const bytes = new Uint8Array(mostPieceBytes);
        const { bytesRead } = await handle.read(bytes, 0, bytes.length, from);
        if (from + bytesRead >= (await handle.stat()).size) taken.delete(id);
        return bytes.slice(0, bytesRead);
      } finally {
        await handle.close();
      }
    },
  };
}
