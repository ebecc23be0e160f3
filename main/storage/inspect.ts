/** Checks the stored data for `loupe doctor`. Nothing is changed. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { LoupeError } from '../errors.ts';
import { databasePath, listBackups } from './backups.ts';
import { examineBytes } from './check.ts';
import { logBytes, openSnapshot, wholeBytes } from './database.ts';
import { damaged, storeError } from './errors.ts';
import { changedMeanwhile } from './keeper.ts';
import { lockDirectory } from './lock.ts';
import { migrations } from './migrations/index.ts';
import { canBeWritten, createRoom, usualRoom } from './room.ts';
import { isSealed, readSeal } from './seal.ts';
import { refuseLocked } from './vault/refuse.ts';
import { isLogDamaged } from './wal.ts';

export interface DataReport {
  directory: string;
  /** `none`: nothing was stored yet. `used`: another Loupe has it open, so it was not checked. `locked`: encrypted, and nobody unlocked it. */
  state: 'none' | 'used' | 'locked' | 'sound' | 'wrong';
  conversations: number | null;
  backups: number;
  problem: LoupeError | null;
}

export function inspectData(directory: string): DataReport {
  const report: DataReport = { directory, state: 'none', conversations: null, backups: listBackups(directory).length, problem: null };
  const writable = canBeWritten(directory);
  if (!existsSync(databasePath(directory)) && report.backups === 0 && !existsSync(join(directory, 'pictures'))) return report;
  let unlock = (): void => {};
  try {
    refuseLocked(directory);
    if (writable) unlock = lockDirectory(directory);
    const conversations = examine(directory);
    const problem = writable ? fullProblem(directory) : new LoupeError('store_read_only', `The folder ${directory} cannot be written to.`);
    return { ...report, state: problem ? 'wrong' : 'sound', conversations, problem };
  } catch (thrown) {
    const error = storeError(directory, thrown);
    if (!(error instanceof LoupeError)) throw thrown;
    if (error.code === 'vault_locked') return { ...report, state: 'locked' };
    return error.code === 'store_locked' ? { ...report, state: 'used' } : { ...report, state: 'wrong', problem: error };
  } finally {
    unlock();
  }
}

/** Returns how many conversations there are; throws what is wrong. */
function examine(directory: string): number | null {
  const seal = readSeal(directory);
  openSnapshot(directory, migrations, Date.now()).close();
  const { problem, conversations } = examineBytes(wholeBytes(directory), migrations);
  if (problem) throw damaged(directory, `The database in ${directory} is damaged (${problem})`);
  if (isLogDamaged(directory)) throw damaged(directory, `The log of the last changes in ${directory} is damaged`);
  if (seal !== null && logBytes(directory) === 0 && !isSealed(directory, seal)) throw damaged(directory, changedMeanwhile(directory));
  return conversations;
}

function fullProblem(directory: string): LoupeError | null {
  return createRoom(directory, usualRoom).isFull() ? new LoupeError('store_full', `The disk that holds ${directory} is full.`) : null;
}
