/** The `Store` port on SQLite and files. The folder: loupe.db and its seal, loupe.lock, loupe.reserve, pictures/, backups/. */
import { makeFolderSync } from '../make-folder.ts';
import type { Clock, Store } from '../services/ports.ts';
import { createCare } from './care.ts';
import { checkHere, type Checker } from './checker.ts';
import { inStoreWords } from './errors.ts';
import { createKeeper, type Keeper } from './keeper.ts';
import { lockDownload } from './lock.ts';
import type { Kept } from './opened.ts';
import { createRoom, usualRoom, type RoomSizes } from './room.ts';
import { sweep } from './sweep.ts';

export interface StoreOptions {
  clock?: Clock;
  /** Who examines the database while it is in use. Without one a moment is taken for it before it opens. */
  checker?: Checker;
  room?: RoomSizes;
  /** Answers a store that is `closed`, with the way back, where the database cannot be opened. */
  tolerant?: boolean;
}

/** Calls that only read; every other one has to be able to write. */
const reading: { [Port in keyof Kept]: readonly (keyof Kept[Port])[] } = {
  conversations: ['list', 'summary', 'open', 'search', 'message', 'path', 'pinnedPicture', 'draft', 'recentPrompts'],
  pictures: ['get', 'find', 'original', 'shown'],
  models: ['list', 'checks', 'selfTests'],
  downloads: ['list', 'get'],
  licences: ['list'],
  ledger: ['installedAt', 'list'],
  settings: ['settings'],
};

/** What may use the reserve on a full disk. */
const freeing: readonly string[] = ['delete', 'restore', 'markInterrupted'] satisfies (keyof Kept['conversations'])[];

/**
 * Makes the folder where there is none. Throws `store_locked` while another process has it open, `store_damaged`
 * and `store_newer` unless it is tolerant, `store_full`, `store_read_only` and `store_failed`; what is there stays as it is.
 */
export function openStore(
  directory: string,
  { clock = { now: Date.now }, checker, room = usualRoom, tolerant = false }: StoreOptions = {},
): Store {
  inStoreWords(directory, () => {
    // For nobody else's eyes.
    makeFolderSync(directory, 0o700);
  });
  const keeper = createKeeper({ directory, clock, room: createRoom(directory, room), tolerant, checksLater: checker !== undefined });
  keeper.start();
  const care = createCare(keeper, checker ?? checkHere);
  const port = <Name extends keyof Kept>(name: Name): Kept[Name] => guarded(keeper, name);
  return {
    conversations: port('conversations'),
    pictures: port('pictures'),
    models: port('models'),
    downloads: port('downloads'),
    licences: port('licences'),
    ledger: port('ledger'),
    lockDownload,
    ...port('settings'),
    care,
    sweep: () => {
      inStoreWords(directory, () => {
        keeper.withReserve((database) => {
          sweep(database, directory, clock.now(), keeper.mayCheckpoint());
        });
      });
    },
    close: () => {
      care.close();
      keeper.end();
    },
  };
}

/** Every call goes to what is open at the time, if that allows it; what it throws is in our words, and noticed. */
function guarded<Name extends keyof Kept>(keeper: Keeper, name: Name): Kept[Name] {
  type Method = (...input: unknown[]) => unknown;
  const methods = Object.keys(keeper.opened().kept[name]).map((method) => {
    const reads = (reading[name] as readonly string[]).includes(method);
    const frees = name === 'conversations' && freeing.includes(method);
    const now = (input: unknown[]): unknown => (keeper.opened().kept[name] as Record<string, Method>)[method]!(...input);
    const call: Method = (...input) => {
      if (reads) refuseClosed(keeper, name);
      else refuseUnwritable(keeper, frees);
      try {
        return frees ? keeper.withReserve(() => now(input)) : now(input);
      } catch (thrown) {
        throw keeper.notice(thrown);
      }
    };
    return [method, call] as const;
  });
  return Object.fromEntries(methods) as Kept[Name];
}

/** What the app itself needs to stand is answered as by an empty store: settings are the usual ones, and lists are empty. */
function refuseClosed(keeper: Keeper, name: keyof Kept): void {
  if ((name === 'conversations' || name === 'pictures') && keeper.state().access === 'closed') throw keeper.problem()!;
}

function refuseUnwritable(keeper: Keeper, frees: boolean): void {
  if (keeper.state().access !== 'writable') keeper.look();
  const { access } = keeper.state();
  if (access === 'writable' || (access === 'full' && frees)) return;
  throw keeper.problem()!;
}
