/**
 * Which database stands behind the store, and in what state it is: open and writable, on a disk that
 * is full or cannot be written to, or not to be opened at all.
 */
import { existsSync } from 'node:fs';
import type { StorageState } from '../contract.ts';
import { LoupeError, toLoupeError, type ErrorCode } from '../errors.ts';
import type { Clock } from '../services/ports.ts';
import { archiveLog } from './replace.ts';
import { databasePath } from './backups.ts';
import { allowCheckpoints, createDatabase, sizeOf } from './database.ts';
import { damaged, storeError } from './errors.ts';
import type { WriteDatabase } from './handles.ts';
import { lockDirectory } from './lock.ts';
import { migrations } from './migrations/index.ts';
import { openInMemory, openNothing, openOnDisk, openShared, type Opened } from './opened.ts';
import { canBeWritten, type Room } from './room.ts';
import { dropKeys } from './vault/folder-keys.ts';
import { refuseLocked } from './vault/refuse.ts';
import { hasLogMode, isSealed, readSeal, removeSeal, writeSeal } from './seal.ts';
import { isLogDamaged } from './wal.ts';

export interface KeeperOptions {
  directory: string;
  clock: Clock;
  room: Room;
  /** Stays closed, with a reason, where the database cannot be opened. */
  tolerant: boolean;
  /** The seal is checked while the app runs; else before the database opens. */
  checksLater: boolean;
  /** Reads what another Loupe has open, instead of failing with `store_locked`. */
  shares: boolean;
}

/** What a window can do something about; for anything else there is no host to show it in. */
const closing: readonly ErrorCode[] = ['store_damaged', 'store_newer', 'store_failed', 'vault_locked'];

interface Damage {
  error: LoupeError;
  /** It can be read whole, and be used as it is. */
  usable: boolean;
}

/**
 * Opens the database of a data folder with `start`, and again whenever its files are exchanged.
 * Its state follows the disk and what checks find.
 */
export class Keeper {
  readonly directory: string;
  readonly clock: Clock;
  readonly room: Room;
  readonly #tolerant: boolean;
  readonly #checksLater: boolean;
  readonly #shares: boolean;
  readonly #listeners = new Set<(state: StorageState) => void>();
  #unlock: (() => void) | null = null;
  #opened: Opened | null = null;
  #access: StorageState['access'] = 'writable';
  #problem: LoupeError | null = null;
  #damage: Damage | null = null;
  /** Of the log: what is open is sound, and a little is missing. */
  #loss: Damage | null = null;
  #generation = 0;
  /** What the file on the disk has to be until the first checkpoint. */
  #seal: string | null = null;
  /** The log holds what has to go. */
  #owesCheckpoint = false;
  /** It was checked in this session, and is sound. */
  #verified = false;
  /** It was checked, and is not sound. */
  #unsound = false;
  /** Its files are being changed into another form, and nobody opens them meanwhile. */
  #away = false;
  /** The state that listeners know, as JSON. */
  #reported = '';

  constructor({ directory, clock, room, tolerant, checksLater, shares }: KeeperOptions) {
    this.directory = directory;
    this.clock = clock;
    this.room = room;
    this.#tolerant = tolerant;
    this.#checksLater = checksLater;
    this.#shares = shares;
  }

  // --- its state

  state(): StorageState {
    return {
      access: this.#access,
      problem: this.#problem?.toFailure() ?? null,
      damage: this.#damage && { ...this.#damage.error.toFailure(), usable: this.#damage.usable },
      generation: this.#generation,
    };
  }

  /** What is open; of a store that could not be opened an empty one. */
  opened(): Opened {
    return this.#opened!;
  }

  /** Why it is not writable. */
  problem(): LoupeError | null {
    return this.#problem;
  }

  damage(): LoupeError | null {
    return this.#damage?.error ?? null;
  }

  seal(): string | null {
    return this.#seal;
  }

  mayCheckpoint(): boolean {
    return this.#seal === null;
  }

  /** Nothing stays in the log: at once or, where the file must not change before it is checked, as soon as it is. */
  emptyLog(): void {
    const opened = this.opened();
    if (opened.on !== 'disk') return;
    this.#owesCheckpoint = !this.mayCheckpoint();
    if (!this.#owesCheckpoint) opened.database.pragma('wal_checkpoint(truncate)');
  }

  isVerified(): boolean {
    return this.#verified;
  }

  isUnsound(): boolean {
    return this.#unsound;
  }

  onChange(listener: (state: StorageState) => void): void {
    this.#listeners.add(listener);
  }

  #report(): void {
    const state = this.state();
    const text = JSON.stringify(state);
    if (text === this.#reported) return;
    this.#reported = text;
    for (const listener of this.#listeners) listener(state);
  }

  // --- opening and closing

  /**
   * Throws `store_locked`, `store_full`, `store_read_only`, `store_failed` and,
   * unless it is tolerant, `store_damaged` and `store_newer`.
   */
  start(): void {
    try {
      this.#open();
    } catch (thrown) {
      const error = storeError(this.directory, thrown);
      if (this.#tolerant && error instanceof LoupeError && closing.includes(error.code)) return this.#stayClosed(error);
      this.#unlock?.();
      dropKeys(this.directory);
      throw error;
    }
  }

  end(): void {
    this.#close();
    dropKeys(this.directory);
    this.#unlock?.();
    this.#unlock = null;
  }

  /** Tries to open what could not be opened. */
  retry(): void {
    if (this.#away) return;
    if (this.#access !== 'closed') return this.look();
    this.#close();
    this.#openAgain();
  }

  /** Closes it, so that `change` may move files; what is there afterwards is opened. */
  exchange<Result>(change: () => Result): Result {
    if (this.#problem?.code === 'vault_locked') throw this.#problem;
    this.#close();
    try {
      return change();
    } finally {
      this.#generation++;
      this.#openAgain();
    }
  }

  /** Closed for as long as `work` changes its files or its keys; what is there afterwards is opened. */
  async whileClosed<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#close();
    this.#stayClosed(new LoupeError('vault_locked', 'Your data is being encrypted, decrypted or locked.', 'Wait until that is done.'));
    this.#away = true;
    this.#generation++;
    this.#report();
    try {
      return await work();
    } finally {
      this.#away = false;
      this.#close();
      this.#generation++;
      this.#openAgain();
    }
  }

  /** An empty database, in a folder whose other files would keep it from being one. */
  startEmpty<Result>(archive: () => Result): Result {
    return this.exchange(() => {
      const archived = archive();
      createDatabase(this.directory, migrations, this.clock.now());
      return archived;
    });
  }

  #open(): void {
    this.#damage = this.#loss = null;
    this.#unsound = this.#verified = this.#owesCheckpoint = false;
    this.#seal = null;
    if (!canBeWritten(this.directory)) return this.#openReadOnly();
    try {
      this.#unlock ??= lockDirectory(this.directory);
    } catch (error) {
      if (this.#shares && error instanceof LoupeError && error.code === 'store_locked') return this.#openShared(error);
      // Whether a folder can be written to does not always show before it is tried.
      if (error instanceof LoupeError || !existsSync(databasePath(this.directory))) throw error;
      return this.#openReadOnly();
    }
    this.#openWritable();
  }

  #openWritable(): void {
    const { directory, clock } = this;
    refuseLocked(directory);
    const lost = isLogDamaged(directory);
    const kept = lost ? archiveLog(directory, clock.now()) : null;
    this.#seal = readSeal(directory);
    // Opening a database that somebody put there changes its header: afterwards it would look like damage.
    const looks = this.#seal !== null && (!this.#checksLater || !hasLogMode(directory));
    const broken = looks && !isSealed(directory, this.#seal!);
    if (looks && !broken) {
      removeSeal(directory);
      this.#seal = null;
    }
    try {
      const opened = openOnDisk(directory, clock);
      this.#opened = opened;
      if (broken) this.distrust(changedMeanwhile(directory), true);
      else if (!this.#checksLater) this.trust();
      else if (this.#seal === null) allowCheckpoints(opened.database);
      this.#setAccess(this.room.isFull() ? 'full' : 'writable');
    } catch (error) {
      if (codeOf(error) !== 'store_full' || sizeOf(databasePath(directory)) === 0) throw error;
      // No room even for what a new version of Loupe has to change.
      this.#opened = openInMemory(directory, clock);
      this.#setAccess('full');
    }
    if (lost) this.#damage = this.#loss = { error: this.#logLost(kept), usable: true };
  }

  #openReadOnly(): void {
    refuseLocked(this.directory);
    if (!existsSync(databasePath(this.directory))) throw this.#readOnly();
    this.#opened = openInMemory(this.directory, this.clock);
    this.#setAccess('readOnly');
  }

  /** To be written to it waits until the other Loupe has ended. */
  #openShared(locked: LoupeError): void {
    refuseLocked(this.directory);
    this.#opened = openShared(this.directory, this.clock);
    this.#access = 'readOnly';
    this.#problem = locked;
  }

  #openAgain(): void {
    try {
      this.#open();
    } catch (thrown) {
      this.#stayClosed(toLoupeError(storeError(this.directory, thrown)));
    }
    this.#report();
  }

  #stayClosed(error: LoupeError): void {
    this.#opened = openNothing(this.directory, this.clock);
    this.#access = 'closed';
    this.#problem = error;
  }

  #close(): void {
    const opened = this.opened();
    if (opened.on !== 'disk') return opened.close();
    // A file that changed must not be sealed as if it had not.
    const trusted = this.#verified || (!this.#unsound && (this.#seal === null || isSealed(this.directory, this.#seal)));
    opened.close();
    if (trusted) writeSeal(this.directory);
    else if (this.#seal === null) removeSeal(this.directory);
  }

  // --- whether it can be written to

  /** Follows what the disk is now. */
  look(): void {
    if (this.#access === 'closed') return;
    if (!canBeWritten(this.directory)) this.#setAccess('readOnly');
    else if (this.room.isFull()) this.#setAccess('full');
    else if (this.#access !== 'writable' && this.room.hasRecovered()) {
      if (this.opened().on === 'disk') this.#setAccess('writable');
      else this.#openFromDisk();
    }
    this.#report();
  }

  /** `write` may use the room that is kept for deleting. */
  withReserve<Result>(write: (database: WriteDatabase) => Result): Result {
    const opened = this.opened();
    if (opened.on !== 'disk' || (this.#access !== 'writable' && this.#access !== 'full')) throw this.#problem ?? this.#full();
    if (this.#access === 'writable') return write(opened.database);
    this.room.releaseReserve();
    try {
      return write(opened.database);
    } finally {
      this.room.keepReserve();
    }
  }

  #setAccess(access: StorageState['access']): void {
    this.#access = access;
    this.#problem = access === 'full' ? this.#full() : access === 'readOnly' ? this.#readOnly() : null;
  }

  #full(): LoupeError {
    return new LoupeError('store_full', `The disk that holds ${this.directory} is full, so nothing new can be kept.`);
  }

  #readOnly(): LoupeError {
    return new LoupeError('store_read_only', `The folder ${this.directory} cannot be written to, so nothing new can be kept.`);
  }

  /** A copy, or what is shared, is given up for the disk; where that fails, it stays. */
  #openFromDisk(): void {
    const before = this.opened();
    try {
      this.#open();
      before.close();
    } catch (thrown) {
      this.#opened = before;
      this.#problem = toLoupeError(storeError(this.directory, thrown));
    }
  }

  // --- damage

  /** A check or a read has found something. The backups are left as they are from now on. */
  distrust(what: string, usable = false): void {
    this.#unsound = true;
    this.#verified = false;
    this.#damage = { error: damaged(this.directory, what), usable };
    this.#report();
  }

  trust(): void {
    const opened = this.opened();
    if (opened.on !== 'disk') return;
    this.#verified = true;
    this.#unsound = false;
    this.#damage = this.#loss;
    // The first checkpoint changes the file.
    this.#seal = null;
    removeSeal(this.directory);
    allowCheckpoints(opened.database);
    if (this.#owesCheckpoint) this.emptyLog();
    this.#report();
  }

  /** Follows what a call has met, and returns it in our words. */
  notice(thrown: unknown): unknown {
    const error = storeError(this.directory, thrown) as { code?: unknown };
    if (error.code === 'store_full' || error.code === 'store_read_only') this.look();
    if (error.code === 'store_damaged' && !this.#unsound)
      this.distrust(`The database in ${this.directory} is damaged (${(thrown as Error).message})`);
    return error;
  }

  /** The user knows about the damage. */
  accept(): void {
    if (!this.#damage?.usable) return;
    this.#loss = null;
    if (this.#verified) this.#damage = null;
    else this.trust();
    this.#report();
  }

  /** Checks it again: it may have become unsound since. */
  async verifyAgain(verify: () => Promise<void>): Promise<void> {
    this.#verified = false;
    await verify();
  }

  #logLost(kept: string | null): LoupeError {
    const where = kept ? ` The log is kept as ${kept} and ${kept}-wal.` : '';
    return new LoupeError(
      'store_damaged',
      `The log of the last changes in ${this.directory} is damaged: the last changes before Loupe ended may be missing.${where}`,
      'Look at your last conversations. Everything older is there.',
    );
  }
}

export function changedMeanwhile(directory: string): string {
  return `The database in ${directory} was changed while Loupe was closed, by another program or by a failing disk`;
}

function codeOf(error: unknown): string | undefined {
  return (storeError('', error) as { code?: string }).code;
}
