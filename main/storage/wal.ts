/**
 * SQLite reads its log (loupe.db-wal) up to the first frame that is not whole, and drops the rest
 * without a word: https://sqlite.org/fileformat2.html#the_write_ahead_log. That is right for what a
 * dying process was writing; for frames that were once whole it must be reported.
 */
import { readFileSync } from 'node:fs';
import { databasePath } from './backups.ts';

const headerBytes = 32;
const frameHeaderBytes = 24;
const magic = 0x377f0682;

/** Changes were written to the log that SQLite will not find there any more. */
export function isLogDamaged(directory: string): boolean {
  let log: Buffer;
  try {
    log = readFileSync(`${databasePath(directory)}-wal`);
  } catch {
    return false;
  }
  if (log.length <= headerBytes) return false;
  const pageBytes = log.readUInt32BE(8);
  const little = log.readUInt32BE(0) === magic;
  let sum: Sum = add([0, 0], log, 0, 24, little);
  const sound = (little || log.readUInt32BE(0) === magic + 1) && sum[0] === log.readUInt32BE(24) && sum[1] === log.readUInt32BE(28);
  if (!sound || pageBytes < 512 || pageBytes > 65536) return true;
  const frameBytes = frameHeaderBytes + pageBytes;
  const salts = log.subarray(16, 24);
  let whole = true;
  for (let at = headerBytes; at + frameBytes <= log.length; at += frameBytes) {
    const ours = log.compare(salts, 0, 8, at + 8, at + 16) === 0;
    if (whole && ours) {
      sum = add(add(sum, log, at, 8, little), log, at + frameHeaderBytes, pageBytes, little);
      whole = sum[0] === log.readUInt32BE(at + 16) && sum[1] === log.readUInt32BE(at + 20);
    } else whole = false;
    // A frame of this log (those of the one before it have other salts) that will not be read.
    if (!whole && ours) return true;
  }
  return false;
}

type Sum = [number, number];

function add([first, second]: Sum, bytes: Buffer, at: number, length: number, little: boolean): Sum {
  const end = at + length;
  for (let word = at; word < end; word += 8) {
    first = (first + (little ? bytes.readUInt32LE(word) : bytes.readUInt32BE(word)) + second) >>> 0;
    second = (second + (little ? bytes.readUInt32LE(word + 4) : bytes.readUInt32BE(word + 4)) + first) >>> 0;
  }
  return [first, second];
}
