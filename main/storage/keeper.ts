/**
 * Which database stands behind the store, and in what state it is: open and writable, on a disk that
 * is full or cannot be written to, or not to be opened at all.
 */
import { existsSync } from 'node:fs';
import type { StorageState } from '../contract.ts';
import { LoupeError, toLoupeError, type ErrorCode } from '../errors.ts';
import type { Clock } from '../services/ports.ts';
import { keepLog } from './aside.ts';
import { databasePath } from './backups.ts';
import { allowCheckpoints, createDatabase, sizeOf } from './database.ts';
import { damaged, storeError } from './errors.ts';
import type { WriteDatabase } from './handles.ts';
import { lockDirectory } from './lock.ts';
import { migrations } from './migrations/index.ts';
import { openInMemory, openNothing, openOnDisk, type Opened } from './opened.ts';
import { canBeWritten, type Room } from './room.ts';
import { hasLogMode, isSealed, readSeal, removeSeal, writeSeal } from './seal.ts';
import { isLogDamaged } from './wal.ts';

export interface KeeperOptions {
  directory: string;
  clock: Clock;
  room: Room;
  /** Stays closed, with a reason, where the database cannot be opened. */
  tolerant: boolean;
  /** The seal is looked at while the app runs; else before it opens. */
  checksLater: boolean;
}

/** What a window can do something about; for anything else there is no host to show it in. */
const closing: readonly ErrorCode[] = ['store_damaged', 'store_newer', 'store_failed'];

interface Damage {
  error: LoupeError;
  /** It can be read whole, and be used as it is. */
  usable: boolean;
}

export type Keeper = ReturnType<typeof createKeeper>;

/** Throws `store_locked`, `store_full`, `store_read_only`, `store_failed` and, unless it is tolerant, `store_damaged` and `store_newer`. */
export function createKeeper({ directory, clock, room, tolerant, checksLater }: KeeperOptions) {
  const listeners = new Set<(state: StorageState) => void>();
  let unlock: (() => void) | null = null;
  let opened: Opened;
  let access: StorageState['access'] = 'writable';
  let problem: LoupeError | null = null;
  let damage: Damage | null = null;
  /** Of the log: what is open is sound, and a little is missing. */
  let loss: Damage | null = null;
  let generation = 0;
  /** What the file on the disk has to be until the first checkpoint. */
  let seal: string | null = null;
  /** It was looked through in this session, and is sound. */
  let verified = false;
  /** It was looked through, and is not. */
  let unsound = false;
  let told = '';

  const state = (): StorageState => ({
    access,
    problem: problem?.toFailure() ?? null,
    damage: damage && { ...damage.error.toFailure(), usable: damage.usable },
    generation,
  });

  function tell(): void {
    const now = state();
    const text = JSON.stringify(now);
    if (text === told) return;
    told = text;
    for (const listener of listeners) listener(now);
  }

  // --- opening

  function open(): void {
    damage = loss = null;
    unsound = verified = false;
    seal = null;
    if (!canBeWritten(directory)) return openReadOnly();
    try {
      unlock ??= lockDirectory(directory);
    } catch (error) {
      // What the folder forbids is not always to be seen before it is tried.
      if (error instanceof LoupeError || !existsSync(databasePath(directory))) throw error;
      return openReadOnly();
    }
    openWritable();
  }

  function openWritable(): void {
    const lost = isLogDamaged(directory);
    const kept = lost ? keepLog(directory, clock.now()) : null;
    seal = readSeal(directory);
    // Opening one that somebody put there changes its header, so that it could not be told from damage afterwards.
    const looks = seal !== null && (!checksLater || !hasLogMode(directory));
    const broken = looks && !isSealed(directory, seal!);
    if (looks && !broken) {
      removeSeal(directory);
      seal = null;
    }
    try {
      opened = openOnDisk(directory, clock);
      if (broken) distrust(changedMeanwhile(directory), true);
      else if (!checksLater) trust();
      else if (seal === null) allowCheckpoints(opened.database);
      become(room.isFull() ? 'full' : 'writable');
    } catch (error) {
      if (codeOf(error) !== 'store_full' || sizeOf(databasePath(directory)) === 0) throw error;
      // No room even for what a new version of Loupe has to change.
      opened = openInMemory(directory, clock);
      become('full');
    }
    if (lost) damage = loss = { error: logLost(kept), usable: true };
  }

  function openReadOnly(): void {
    if (!existsSync(databasePath(directory))) throw readOnly();
    opened = openInMemory(directory, clock);
    become('readOnly');
  }

  function start(): void {
    try {
      open();
    } catch (thrown) {
      const error = storeError(directory, thrown);
      if (tolerant && error instanceof LoupeError && closing.includes(error.code)) return stayClosed(error);
      unlock?.();
      throw error;
    }
  }

  function openAgain(): void {
    try {
      open();
    } catch (thrown) {
      stayClosed(toLoupeError(storeError(directory, thrown)));
    }
    tell();
  }

  function stayClosed(error: LoupeError): void {
    opened = openNothing(directory, clock);
    access = 'closed';
    problem = error;
  }

  function close(): void {
    if (opened.on !== 'disk') {
      opened.close();
      return;
    }
    // A file that is not what it was must not be sealed as if it were.
    const trusted = verified || (!unsound && (seal === null || isSealed(directory, seal)));
    opened.close();
    if (trusted) writeSeal(directory);
    else if (seal === null) removeSeal(directory);
  }

  // --- whether it can be written to

  function become(next: StorageState['access']): void {
    access = next;
    problem = next === 'full' ? full() : next === 'readOnly' ? readOnly() : null;
  }

  function full(): LoupeError {
    return new LoupeError('store_full', `The disk that holds ${directory} is full, so nothing new can be kept.`);
  }

  function readOnly(): LoupeError {
    return new LoupeError('store_read_only', `The folder ${directory} cannot be written to, so nothing new can be kept.`);
  }

  /** Follows what the disk is now. */
  function look(): void {
    if (access === 'closed') return;
    if (!canBeWritten(directory)) become('readOnly');
    else if (room.isFull()) become('full');
    else if (access !== 'writable' && room.hasRecovered()) {
      if (opened.on === 'disk') become('writable');
      else lookAnew();
    }
    tell();
  }

  /** A copy in memory is given up for the disk; where that fails, it goes on serving. */
  function lookAnew(): void {
    const before = opened;
    try {
      open();
      before.close();
    } catch (thrown) {
      opened = before;
      problem = toLoupeError(storeError(directory, thrown));
    }
  }

  // --- damage

  function logLost(kept: string | null): LoupeError {
    const where = kept ? ` The log is kept as ${kept} and ${kept}-wal.` : '';
    return new LoupeError(
      'store_damaged',
      `The log of the last changes in ${directory} is damaged: the last changes before Loupe ended may be missing.${where}`,
      'Look at your last conversations. Everything older is there.',
    );
  }

  /** What a check or a read has found. The backups are left as they are from now on. */
  function distrust(what: string, usable = false): void {
    unsound = true;
    verified = false;
    damage = { error: damaged(directory, what), usable };
    tell();
  }

  /** Follows what a call has met, and answers it in our words. */
  function notice(thrown: unknown): unknown {
    const error = storeError(directory, thrown) as { code?: unknown };
    if (error.code === 'store_full' || error.code === 'store_read_only') look();
    if (error.code === 'store_damaged' && !unsound) distrust(`The database in ${directory} is damaged (${(thrown as Error).message})`);
    return error;
  }

  function trust(): void {
    if (opened.on !== 'disk') return;
    verified = true;
    unsound = false;
    damage = loss;
    // The first checkpoint makes it untrue.
    seal = null;
    removeSeal(directory);
    allowCheckpoints(opened.database);
    tell();
  }

  return {
    directory,
    clock,
    room,
    start,
    state,
    look,
    trust,
    distrust,
    notice,
    opened: () => opened,
    seal: () => seal,
    mayCheckpoint: () => seal === null,
    isVerified: () => verified,
    isUnsound: () => unsound,
    /** The reader has read what there is to say. */
    accept(): void {
      if (!damage?.usable) return;
      loss = null;
      if (verified) damage = null;
      else trust();
      tell();
    },
    /** Why it is not writable. */
    problem: () => problem,
    damage: () => damage?.error ?? null,

    onChange: (listener: (state: StorageState) => void): void => void listeners.add(listener),

    /** Tries to open what could not be opened. */
    retry(): void {
      if (access !== 'closed') return look();
      close();
      openAgain();
    },

    /** Closes it, so that `change` may move files; what is there afterwards is opened. */
    exchange<Result>(change: () => Result): Result {
      close();
      try {
        return change();
      } finally {
        generation++;
        openAgain();
      }
    },

    /** An empty database, where files may speak against beginning anew. */
    startEmpty<Result>(putAside: () => Result): Result {
      close();
      try {
        const aside = putAside();
        createDatabase(directory, migrations, clock.now());
        return aside;
      } finally {
        generation++;
        openAgain();
      }
    },

    /** `write` may use the room that is kept for deleting. */
    withReserve<Result>(write: (database: WriteDatabase) => Result): Result {
      if (opened.on !== 'disk' || (access !== 'writable' && access !== 'full')) throw problem ?? full();
      if (access === 'writable') return write(opened.database);
      room.releaseReserve();
      try {
        return write(opened.database);
      } finally {
        room.keepReserve();
      }
    },

    /** It may have become unsound since it was looked through. */
    async lookThrough(verify: () => Promise<void>): Promise<void> {
      verified = false;
      await verify();
    },

    end(): void {
      close();
      unlock?.();
      unlock = null;
    },
  };
}

export function changedMeanwhile(directory: string): string {
  return `The database in ${directory} was changed while Loupe was closed, by another program or by a failing disk`;
}

function codeOf(error: unknown): string | undefined {
  return (storeError('', error) as { code?: string }).code;
}
