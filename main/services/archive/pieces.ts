/** A file of the data folder as it came, piece by piece: whether it is sealed or not, it is never in memory whole. */
import { closeSync, openSync } from 'node:fs';
import { openSealed, sourceOf } from '../../sealed-file.ts';

const pieceBytes = 1 << 20;

export interface StoredSource {
  path: string;
  /** Of a sealed file. */
  key?: Uint8Array | undefined;
}

/** Throws what the file system does, and an `Error` for what was changed. */
export function* piecesOf({ path, key }: StoredSource): Generator<Buffer> {
  const descriptor = openSync(path, 'r');
  try {
    const file = sourceOf(descriptor);
    const source = key ? openSealed(file, key) : file;
    for (let at = 0; at < source.length; at += pieceBytes) {
      const piece = Buffer.alloc(Math.min(pieceBytes, source.length - at));
      if (!source.read(at, piece)) throw new Error(`${path} cannot be read`);
      yield piece;
    }
  } finally {
    closeSync(descriptor);
  }
}
