/**
 * The `Store` port on SQLite and files.
 * The folder: loupe.db and its seal, loupe.lock, loupe.reserve, loupe.strays, pictures/, documents/, backups/.
 */
import { fromFailure, type Failure } from '../errors.ts';
import { makeFolderSync } from '../make-folder.ts';
import type { Clock, Keychain, Store } from '../services/ports.ts';
import { createCare } from './care.ts';
import { checkHere, type Checker } from './checker.ts';
import { documentFiles } from './document-files.ts';
import { withStoreErrors } from './errors.ts';
import type { WriteDatabase } from './handles.ts';
import { Keeper } from './keeper.ts';
import { lockDownload } from './lock.ts';
import type { Kept, Queries } from './opened.ts';
import { withPrivate } from './private.ts';
import { protect } from './protect.ts';
import { createRoom, usualRoom, type RoomSizes } from './room.ts';
import { createStraySweep } from './strays.ts';
import { forgetTexts } from './session-texts.ts';
import { sweep } from './sweep.ts';
import { coverOf } from './vault/cover.ts';
import type { Stretching } from './vault/secrets.ts';
import { createVault } from './vault/vault.ts';

export interface StoreOptions {
  clock?: Clock;
  /** Who examines the database while it is in use. Without one a moment is taken for it before it opens. */
  checker?: Checker;
  room?: RoomSizes;
  /** Returns a store that is `closed`, with the way back, where the database cannot be opened. */
  tolerant?: boolean;
  /** While another Loupe has the folder open, its data is read, and writing fails with `store_locked`. */
  shares?: boolean;
  /** Absent or null: there is none. */
  keychain?: Keychain | null;
  /** What it costs to try a passphrase; tests try many. */
  stretching?: Stretching;
}

/** What each call needs of the disk. `frees`: it may use the reserve where that is full. */
type Needs<Port extends keyof Kept> = { [Method in keyof Kept[Port]]: Method extends keyof Queries[Port] ? 'reads' : 'writes' | 'frees' };

const needs: { [Port in keyof Kept]: Needs<Port> } = {
  conversations: {
    list: 'reads',
    summary: 'reads',
    open: 'reads',
    search: 'reads',
    message: 'reads',
    path: 'reads',
    looks: 'reads',
    unchecked: 'reads',
    pinnedPicture: 'reads',
    draft: 'reads',
    recentPrompts: 'reads',
    create: 'writes',
    rename: 'writes',
    instruct: 'writes',
    tag: 'writes',
    pin: 'writes',
    delete: 'frees',
    restore: 'frees',
    append: 'writes',
    checkpoint: 'writes',
    update: 'writes',
    judge: 'writes',
    saveCoverage: 'writes',
    saveNote: 'writes',
    saveCitations: 'writes',
    saveServer: 'writes',
    saveDifferences: 'writes',
    selectBranch: 'writes',
    pinPicture: 'writes',
    saveDraft: 'writes',
    markInterrupted: 'frees',
  },
  pictures: {
    get: 'reads',
    find: 'reads',
    nextUnread: 'reads',
    original: 'reads',
    shown: 'reads',
    add: 'writes',
    touch: 'writes',
    saveText: 'writes',
    forgetTexts: 'frees',
  },
  documents: {
    list: 'reads',
    get: 'reads',
    find: 'reads',
    pages: 'reads',
    labels: 'reads',
    page: 'reads',
    words: 'reads',
    marks: 'reads',
    numbers: 'reads',
    search: 'reads',
    add: 'writes',
    savePage: 'writes',
    saveFailure: 'writes',
    setKeepsText: 'writes',
    retry: 'writes',
    remove: 'frees',
  },
  extractions: {
    list: 'reads',
    get: 'reads',
    open: 'reads',
    cell: 'reads',
    nextWaiting: 'reads',
    unfinished: 'reads',
    create: 'writes',
    saveCell: 'writes',
    setStopped: 'writes',
    retry: 'writes',
    rename: 'writes',
    remove: 'frees',
  },
  models: {
    list: 'reads',
    checks: 'reads',
    sanityChecks: 'reads',
    add: 'writes',
    remove: 'writes',
    saveCheck: 'writes',
    saveSanityCheck: 'writes',
  },
  downloads: {
    list: 'reads',
    get: 'reads',
    create: 'writes',
    setState: 'writes',
    setPlan: 'writes',
    setEtag: 'writes',
    setComplete: 'writes',
    remove: 'writes',
  },
  licences: { list: 'reads', accept: 'writes' },
  ledger: { installedAt: 'reads', list: 'reads', programs: 'reads', add: 'writes', addProgram: 'writes', count: 'writes' },
  servers: { list: 'reads', get: 'reads', add: 'writes', save: 'writes', remove: 'writes' },
  archive: {
    conversationIds: 'reads',
    conversation: 'reads',
    picture: 'reads',
    documentHashes: 'reads',
    document: 'reads',
    tableIds: 'reads',
    table: 'reads',
    settings: 'reads',
    putConversation: 'writes',
    putDocument: 'writes',
    putTable: 'writes',
    putSettings: 'writes',
  },
  settings: { settings: 'reads', saveSettings: 'writes' },
};

/**
 * Creates the folder where there is none. Throws `store_locked` while another process has it open (unless it shares), `store_damaged`
 * and `store_newer` unless it is tolerant, `store_full`, `store_read_only` and `store_failed`; existing data stays as it is.
 */
export function openStore(
  directory: string,
  {
    clock = { now: Date.now },
    checker,
    room: sizes = usualRoom,
    tolerant = false,
    shares = false,
    keychain = null,
    stretching,
  }: StoreOptions = {},
): Store {
  withStoreErrors(directory, () => {
    // Readable by its owner alone.
    makeFolderSync(directory, 0o700);
    protect(directory);
  });
  const room = createRoom(directory, sizes);
  const keeper = new Keeper({ directory, clock, room, tolerant, checksLater: checker !== undefined, shares });
  const vault = createVault({
    directory,
    keychain,
    room,
    ...(stretching ? { stretching } : {}),
    closed: (work) => keeper.whileClosed(work),
    refuseUnsound() {
      const { problem, damage } = keeper.state();
      const wrong = problem ?? damage;
      if (wrong) throw fromFailure(wrong as Failure);
    },
  });
  keeper.start();
  vault.start();
  const care = createCare(keeper, checker ?? checkHere);
  const sweepStrays = createStraySweep(directory);
  const port = <Name extends keyof Kept>(name: Name): Kept[Name] => guarded(keeper, name);
  const { close: closePrivate, ...conversationsAndPictures } = withPrivate({
    clock,
    kept: { conversations: port('conversations'), pictures: port('pictures') },
    write: (work) => writing(keeper, work),
  });
  return {
    ...conversationsAndPictures,
    documents: port('documents'),
    documentFiles: documentFiles(directory),
    extractions: port('extractions'),
    models: port('models'),
    downloads: port('downloads'),
    licences: port('licences'),
    ledger: port('ledger'),
    servers: port('servers'),
    archive: port('archive'),
    lockDownload,
    ...port('settings'),
    care,
    vault,
    cover: coverOf(directory),
    sweep: () => {
      withStoreErrors(directory, () => {
        keeper.withReserve((database) => {
          sweep(database, directory, clock.now(), keeper.mayCheckpoint());
          if (!keeper.damage()) sweepStrays(database, clock.now());
        });
      });
    },
    forgetTexts: () => {
      if (keeper.opened().on !== 'disk') return;
      withStoreErrors(directory, () => {
        keeper.withReserve((database) => {
          if (forgetTexts(database)) keeper.emptyLog();
        });
      });
    },
    close: () => {
      closePrivate();
      care.close();
      keeper.end();
    },
  };
}

/** Every call goes to what is open at the time, if that allows it; what it throws is translated into our errors, and noticed. */
function guarded<Name extends keyof Kept>(keeper: Keeper, name: Name): Kept[Name] {
  type Method = (...input: unknown[]) => unknown;
  const methods = Object.entries<'reads' | 'writes' | 'frees'>(needs[name]).map(([method, need]) => {
    const now = (input: unknown[]): unknown => {
      const { queries, commands } = keeper.opened();
      const port = (need === 'reads' ? queries : commands!)[name] as unknown as Record<string, Method>;
      return port[method]!(...input);
    };
    const call: Method = (...input) => {
      if (need === 'reads') refuseClosed(keeper, name);
      else refuseUnwritable(keeper, need === 'frees');
      try {
        return need === 'frees' ? keeper.withReserve(() => now(input)) : now(input);
      } catch (thrown) {
        throw keeper.notice(thrown);
      }
    };
    return [method, call] as const;
  });
  return Object.fromEntries(methods) as Kept[Name];
}

/** As a call of a port that writes. */
function writing<Result>(keeper: Keeper, work: (database: WriteDatabase) => Result): Result {
  refuseUnwritable(keeper, false);
  try {
    return keeper.withReserve(work);
  } catch (thrown) {
    throw keeper.notice(thrown);
  }
}

/** What the app needs to start works as with an empty store: default settings and empty lists. */
function refuseClosed(keeper: Keeper, name: keyof Kept): void {
  if (['conversations', 'pictures', 'documents', 'extractions', 'archive'].includes(name) && keeper.state().access === 'closed')
    throw keeper.problem()!;
}

function refuseUnwritable(keeper: Keeper, frees: boolean): void {
  if (keeper.state().access !== 'writable') keeper.look();
  const { access } = keeper.state();
  if (access === 'writable' || (access === 'full' && frees)) return;
  throw keeper.problem()!;
}
