/**
 * Room on the disk. A file of a few megabytes is reserved for the day on which the disk is full: deleting
 * writes, too, and only deleting helps then.
 */
import { accessSync, closeSync, constants, existsSync, fsyncSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { databasePath } from './backups.ts';

export interface RoomSizes {
  /** Of the reserve. */
  reserveBytes: number;
  /** With less than this the disk counts as full. */
  leastBytes: number;
}

export const usualRoom: RoomSizes = { reserveBytes: 4 * 1024 * 1024, leastBytes: 1024 * 1024 };

/** What other writers of the same moment may need while a reserve is written. */
const apart = 64 * 1024;
const piece = Buffer.alloc(64 * 1024);

export interface Room {
  /** Bytes; null where the system does not say. */
  free(): number | null;
  isFull(): boolean;
  /** For anything large this has to be free besides. */
  readonly needed: number;
  /** There is room again for more than the next sentence. */
  hasRecovered(): boolean;
  /** As much of the reserve as there is room for. Never throws. */
  keepReserve(): void;
  releaseReserve(): void;
}

export function createRoom(directory: string, { reserveBytes, leastBytes }: RoomSizes): Room {
  const path = join(directory, 'loupe.reserve');
  const held = (): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

  function free(): number | null {
    try {
      const { bavail, bsize } = statfsSync(directory);
      return bavail * bsize;
    } catch {
      return null;
    }
  }

  return {
    needed: 2 * leastBytes,
    free,
    isFull: () => (free() ?? leastBytes) < leastBytes,
    hasRecovered: () => (free() ?? Infinity) >= 2 * leastBytes + Math.max(0, reserveBytes - held()),
    keepReserve() {
      const wanted = Math.min(reserveBytes, held() + Math.max(0, (free() ?? 0) - apart));
      if (held() >= wanted) return;
      try {
        const file = openSync(path, 'a', 0o600);
        try {
          // Written, not only sized: a sparse file would reserve nothing.
          for (let size = held(); size < wanted;) size += writeSync(file, piece, 0, Math.min(piece.length, wanted - size));
          fsyncSync(file);
        } finally {
          closeSync(file);
        }
      } catch {
        // There is no room left to reserve.
      }
    },
    releaseReserve() {
      rmSync(path, { force: true });
    },
  };
}

/** Neither the folder nor the database in it forbids to write. */
export function canBeWritten(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK);
    if (existsSync(databasePath(directory))) accessSync(databasePath(directory), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
