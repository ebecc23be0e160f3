/** Checks, backups, and the way back from damage. */
import { rmSync, statSync } from 'node:fs';
import type { BackupChoice } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import type { StoreCare } from '../services/ports.ts';
import { copyBackup, moveIn, archiveDatabase } from './replace.ts';
import { backUp, databasePath, findBackup, isBackupDue, listBackups, type Backup } from './backups.ts';
import type { Finding } from './check.ts';
import { checkHere, type Checker } from './checker.ts';
import { allowCheckpoints, forbidCheckpoints, logBytes } from './database.ts';
import { changedMeanwhile, type Keeper } from './keeper.ts';
import { isBackup } from './seal.ts';
import { emptyBin, erase } from './sweep.ts';
import { keysOf } from './vault/folder-keys.ts';

const smallBytes = 8 * 1024 * 1024;

export function createCare(keeper: Keeper, checker: Checker): StoreCare & { close(): void } {
  const { directory, clock, room } = keeper;
  const stop = new AbortController();
  let finishing = false;
  /** At the end nobody is disturbed, and starting a process takes longer than checking a small file. */
  const examiner = (): Checker => (finishing && statSync(databasePath(directory)).size <= smallBytes ? checkHere : checker);
  const { maintain, backUpNow } = createMaintenance(keeper, { examiner, checker, stop: stop.signal });
  const backups = createBackups(keeper, checker);

  return {
    state: () => keeper.state(),
    problem: () => keeper.problem()?.toFailure() ?? keeper.damage()?.toFailure() ?? null,
    onChange: (listener) => keeper.onChange(listener),
    maintain,
    retry() {
      keeper.retry();
      return keeper.state();
    },

    async finish(milliseconds) {
      finishing = true;
      const timeout = new Promise<void>((resolve) => setTimeout(resolve, milliseconds).unref());
      await Promise.race([maintain(), timeout]);
      stop.abort();
      checker.close();
    },

    backups: backups.list,
    restore: backups.restore,

    startAnew() {
      if (keeper.state().access !== 'closed') {
        throw new LoupeError(
          'store_failed',
          'The database is open, so there is no need to start over.',
          'Delete conversations in the list.',
        );
      }
      return keeper.startEmpty(() => archiveDatabase(directory, clock.now()));
    },

    accept() {
      keeper.accept();
      return keeper.state();
    },

    emptyBin() {
      const before = room.free();
      keeper.withReserve((database) => emptyBin(database, directory, clock.now(), keeper.mayCheckpoint()));
      keeper.look();
      return Math.max(0, (room.free() ?? 0) - (before ?? 0));
    },

    async erase(id) {
      // A log that may not be taken in yet would keep the words, and backups of a database that may be damaged are needed.
      await maintain();
      if (!keeper.mayCheckpoint() || keeper.state().damage) throw notErasable();
      const older = listBackups(directory);
      keeper.withReserve((database) => erase(database, directory, id, true));
      await backUpNow();
      for (const { path } of older) rmSync(path, { force: true });
      keeper.look();
    },

    close() {
      stop.abort();
      checker.close();
    },
  };
}

function notErasable(): LoupeError {
  return new LoupeError(
    'store_failed',
    'The conversation is deleted, but not erased yet: the database could not be checked, and its backups may be needed.',
    'Try again in a moment; until then it is kept for 30 days like other deleted conversations.',
  );
}

interface MaintenanceOptions {
  examiner: () => Checker;
  checker: Checker;
  stop: AbortSignal;
}

/** Returns what checks the database and makes the backup that is due, or one at once. They never reject; `maintain` runs once at a time. */
function createMaintenance(
  keeper: Keeper,
  { examiner, checker, stop }: MaintenanceOptions,
): { maintain: () => Promise<void>; backUpNow: () => Promise<void> } {
  const { directory, clock, room } = keeper;
  let maintaining: Promise<void> | null = null;
  const key = (): Uint8Array | null => keysOf(directory)?.database ?? null;

  /** What is in the log only is written into the file first, and nothing while it is read. */
  async function verify(): Promise<void> {
    const opened = keeper.opened();
    if (opened.on === 'none' || keeper.isVerified() || keeper.isUnsound()) return;
    // What is shared is its owner's to care for.
    if (opened.commands === null) return opened.on === 'memory' ? verifyUntouched() : undefined;
    const seal = keeper.seal();
    if (seal === null) opened.database.pragma('wal_checkpoint(truncate)');
    forbidCheckpoints(opened.database);
    const finding = await examiner().check({ path: databasePath(directory), expected: seal, fresh: false, key: key() });
    // Another database may have taken its place meanwhile.
    if (stop.aborted || keeper.opened() !== opened) return;
    if (finding.state === 'damaged') keeper.distrust(damageOf(finding));
    else if (finding.state === 'changed' && !isBackup(directory, finding.sha256)) keeper.distrust(changedMeanwhile(directory), true);
    else if (finding.state === 'sound' || finding.state === 'changed') keeper.trust();
    if (seal === null) allowCheckpoints(opened.database);
  }

  /** On a disk that cannot be written to. A file with a log beside it cannot be judged without that. */
  async function verifyUntouched(): Promise<void> {
    if (logBytes(directory) > 0) return;
    const finding = await checker.check({ path: databasePath(directory), expected: null, fresh: false, key: key() });
    if (!stop.aborted && finding.state === 'damaged') keeper.distrust(damageOf(finding));
  }

  const damageOf = ({ problem }: Finding): string => `The database in ${directory} is damaged (${problem})`;

  /** Never of a database that is not known to be sound and whole; none where the disk has no room for it. */
  async function backUpWhereDue(isDue: () => boolean): Promise<void> {
    const opened = keeper.opened();
    const { access, damage } = keeper.state();
    if (opened.on !== 'disk' || !keeper.isVerified() || access !== 'writable' || damage || !isDue()) return;
    const bytes = statSync(databasePath(directory)).size + logBytes(directory);
    if ((room.free() ?? Infinity) < bytes + room.needed) return;
    const check = (path: string): Promise<Finding> => examiner().check({ path, expected: null, fresh: true, key: key() });
    const finding = await backUp(opened.database, directory, clock.now(), check, stop);
    // Is the copy damaged, or what was copied?
    if (finding.state !== 'sound') await keeper.verifyAgain(verify);
  }

  async function maintainOnce(): Promise<void> {
    await noticed(async () => {
      keeper.look();
      if (keeper.state().access === 'writable') room.keepReserve();
      await verify();
      await backUpWhereDue(() => isBackupDue(directory, clock.now()));
    });
  }

  async function noticed(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      // Without one more check or backup nothing is lost; the next time tries again.
      keeper.notice(thrown);
    }
  }

  return {
    maintain: () => (maintaining ??= maintainOnce().finally(() => (maintaining = null))),
    backUpNow: () => noticed(() => backUpWhereDue(() => true)),
  };
}

function createBackups(
  keeper: Keeper,
  checker: Checker,
): { list(): Promise<BackupChoice[]>; restore(name: string): Promise<string | null> } {
  const { directory, clock } = keeper;
  /** By name and size, so that each file is read once. */
  const known = new Map<string, Finding>();

  async function examine({ path, digest }: Backup): Promise<Finding> {
    const { size, mtimeMs } = statSync(path);
    const key = `${path} ${size} ${mtimeMs}`;
    const finding =
      known.get(key) ?? (await checker.check({ path, expected: digest, fresh: false, key: keysOf(directory)?.database ?? null }));
    known.set(key, finding);
    return finding;
  }

  async function describe(backup: Backup): Promise<BackupChoice> {
    const { state, conversations } = await examine(backup);
    return {
      name: backup.name,
      at: backup.at,
      reason: backup.before === null ? 'daily' : 'update',
      bytes: statSync(backup.path).size,
      conversations,
      state: state === 'changed' ? 'damaged' : state,
    };
  }

  /** Whole beside the old one before that is touched. */
  function putInPlace(backup: Backup): string | null {
    const part = copyBackup(backup, directory);
    return keeper.exchange(() => {
      try {
        const archive = archiveDatabase(directory, clock.now());
        moveIn(part, directory);
        return archive;
      } finally {
        rmSync(part, { force: true });
      }
    });
  }

  return {
    async list() {
      const choices: BackupChoice[] = [];
      for (const backup of listBackups(directory)) choices.push(await describe(backup));
      return choices;
    },
    async restore(name) {
      const backup = findBackup(directory, name);
      if (!backup) throw new LoupeError('not_found', `There is no backup ${name}.`, 'Look at the list of backups again.');
      const { state, problem } = await examine(backup);
      if (state !== 'sound')
        throw new LoupeError('store_damaged', `The backup ${name} cannot be used: ${problem}.`, 'Choose another backup.');
      keeper.look();
      // Its files could not be moved.
      const readOnly = keeper.problem();
      if (readOnly?.code === 'store_read_only') throw readOnly;
      return putInPlace(backup);
    },
  };
}
