/**
 * Encryption of a data folder: turned on and off, locked and unlocked. What it decides is written into `loupe.vault` before a file is touched,
 * so that whoever unlocks the folder after a crash first brings to its end what was begun. docs/decisions/0050-encryption-at-rest.md.
 */
import { randomBytes } from 'node:crypto';
import type { VaultState } from '../../contract.ts';
import { LoupeError, toLoupeError } from '../../errors.ts';
import type { Keychain, StoreVault, VaultWay } from '../../services/ports.ts';
import { storeError } from '../errors.ts';
import type { Room } from '../room.ts';
import { convert, roomToConvert, type Form } from './convert.ts';
import { dropKeys, hasCipher, holdKeys, keysFrom, keysOf, type FolderKeys } from './folder-keys.ts';
import { readHeader, removeHeader, writeHeader, type Header } from './header.ts';
import { newRecoveryCode, recoveryCodeIn, usualStretching, wordSlotOf, type Slot, type Stretching } from './secrets.ts';
import { keysByWords, lockedError, unlockByKeychain } from './unlock.ts';

export interface VaultOptions {
  directory: string;
  keychain: Keychain | null;
  room: Room;
  stretching?: Stretching;
  /** The database is closed for as long as `work` runs, and opened again afterwards, if it can be. */
  closed: <Result>(work: () => Promise<Result>) => Promise<Result>;
  /** Throws what is wrong with what is kept, or where it cannot be written. */
  refuseUnsound: () => void;
}

/** Wrong words: from the third on it takes twice as long each time until the next are looked at. */
const freeTries = 3;
const firstDelayMs = 2_000;
const longestDelayMs = 5 * 60_000;

export function createVault({
  directory,
  keychain,
  room,
  stretching = usualStretching,
  closed,
  refuseUnsound,
}: VaultOptions): StoreVault & { start(): void } {
  const listeners = new Set<(state: VaultState) => void>();
  let progress: VaultState['progress'] = null;
  let working = false;
  let problem: VaultState['problem'] = null;
  let wrong = 0;
  let waitUntil = 0;
  let checks: Promise<unknown> = Promise.resolve();

  const report = (): void => {
    const state = vault.state();
    for (const listener of listeners) listener(state);
  };

  const header = (): Header | null => {
    try {
      return readHeader(directory);
    } catch {
      // The store says what is wrong with it.
      return null;
    }
  };

  /** Not while its files have two forms: whoever unlocks it goes on with that. */
  const isOpen = ({ state }: Header): boolean => state === 'sealed' && keysOf(directory) !== null;

  async function exclusively<Result>(work: () => Promise<Result>): Promise<Result> {
    if (working) throw new LoupeError('engine_busy', 'Your data is being encrypted or decrypted.', 'Wait until that is done.');
    working = true;
    report();
    try {
      return await work();
    } finally {
      working = false;
      progress = null;
      report();
    }
  }

  /** One after the other, so that many at once are not tried for the delay of one. */
  function checked(words: string): Promise<FolderKeys> {
    const check = checks.then(() => checkedNow(words));
    checks = check.catch(() => {});
    return check;
  }

  /** Waits for nobody: who comes too early is told when to come again. */
  async function checkedNow(words: string): Promise<FolderKeys> {
    const left = Math.ceil((waitUntil - performance.now()) / 1000);
    if (left > 0) {
      const seconds = left === 1 ? '1 second' : `${left} seconds`;
      throw new LoupeError(
        'passphrase_wrong',
        `Too many wrong tries: wait ${seconds}.`,
        'Then enter your passphrase, or your recovery code.',
      );
    }
    try {
      const keys = await keysByWords(directory, required(header()), words);
      wrong = 0;
      return keys;
    } catch (error) {
      if (toLoupeError(error).code === 'passphrase_wrong' && ++wrong >= freeTries)
        waitUntil = performance.now() + Math.min(longestDelayMs, firstDelayMs * 2 ** (wrong - freeTries));
      throw error;
    }
  }

  async function slotsFor({ passphrase, recoveryCode }: VaultWay, main: Buffer): Promise<Slot[]> {
    const code = recoveryCodeIn(recoveryCode);
    if (code === null) throw new LoupeError('usage', 'This is not a recovery code that Loupe made.', 'Begin again: Loupe shows another.');
    const recovery = await wordSlotOf('recovery', code, main, stretching);
    if (passphrase !== null) return [await wordSlotOf('passphrase', passphrase, main, stretching), recovery];
    const sealed = keychain?.seal(main.toString('base64'));
    if (!sealed) throw new LoupeError('usage', 'This computer has no keychain that Loupe can use.', 'Choose a passphrase instead.');
    return [{ kind: 'keychain', sealed }, recovery];
  }

  /** Brings all files into one form. Where that fails half way, back into the other; where that fails too, the next unlocking goes on. */
  async function change(to: Form, keys: FolderKeys, slots: Slot[]): Promise<{ left: string[] }> {
    const run = async (form: Form): Promise<{ left: string[] }> => {
      writeHeader(directory, { state: form === 'sealed' ? 'sealing' : 'opening', slots }, keys.header);
      const done = await convert({
        directory,
        keys,
        to: form,
        onStep(step, all) {
          progress = { done: step, all };
          report();
        },
      });
      if (form === 'sealed') {
        writeHeader(directory, { state: 'sealed', slots }, keys.header);
        holdKeys(directory, keys);
      } else {
        removeHeader(directory);
        dropKeys(directory);
      }
      return done;
    };
    problem = null;
    try {
      const done = await run(to);
      if (to === 'plain' && done.left.length > 0) problem = leftError(done.left).toFailure();
      return done;
    } catch (error) {
      // Windows begin again meanwhile, and would not hear of it.
      problem = toLoupeError(storeError(directory, error)).toFailure();
      await run(to === 'sealed' ? 'plain' : 'sealed').catch(() => {});
      throw error;
    }
  }

  /** What was begun before a crash. */
  async function finishBegun(): Promise<void> {
    const found = header();
    const keys = keysOf(directory);
    if (!found || !keys || found.state === 'sealed') return;
    await change(found.state === 'sealing' ? 'sealed' : 'plain', keys, found.slots);
  }

  const open = (): Promise<void> => exclusively(() => closed(finishBegun));

  const vault: StoreVault & { start(): void } = {
    state() {
      const found = header();
      const by = found?.slots.some(({ kind }) => kind === 'keychain') ? 'keychain' : found ? 'passphrase' : null;
      const state = working ? 'working' : !found ? 'off' : isOpen(found) ? 'open' : 'locked';
      return { state, by, problem, progress, hasKeychain: keychain !== null, possible: hasCipher() };
    },
    onChange: (listener) => void listeners.add(listener),

    start() {
      // What the keychain opened is finished by itself; for anything else somebody enters the passphrase.
      if (header() && keysOf(directory) && header()!.state !== 'sealed') void open().catch(() => {});
    },

    newRecoveryCode,

    turnOn: (way) =>
      exclusively(async () => {
        if (!hasCipher()) throw new LoupeError('usage', 'This build of Loupe has a SQLite that cannot encrypt.', 'Install Loupe again.');
        if (header()) throw new LoupeError('usage', 'Your data is encrypted already.', 'Change its passphrase instead.');
        refuseUnsound();
        refuseWithoutRoom();
        const keys = keysFrom(randomBytes(32));
        const slots = await slotsFor(way, keys.main);
        await closed(() => change('sealed', keys, slots));
      }),

    turnOff: (words) =>
      exclusively(async () => {
        const found = required(header());
        const keys = words === null && vaultOpensItself(found) ? keysOf(directory) : await checked(words ?? '');
        if (!keys) throw lockedError(directory);
        refuseUnsound();
        refuseWithoutRoom();
        const { left } = await closed(() => change('plain', keys, found.slots));
        return { left: left.length };
      }),

    change: (words, way) =>
      exclusively(async () => {
        const found = required(header());
        const keys = words === null && vaultOpensItself(found) ? keysOf(directory) : await checked(words ?? '');
        if (!keys) throw lockedError(directory);
        const slots = await slotsFor(way, keys.main);
        writeHeader(directory, { state: found.state, slots }, keys.header);
      }),

    async unlock(words) {
      const found = header();
      if (!found || isOpen(found)) return;
      const keys = await checked(words);
      if (!keysOf(directory)) holdKeys(directory, keys);
      await open();
    },

    async lock() {
      const found = header();
      if (!found || vaultOpensItself(found) || !keysOf(directory)) return;
      await exclusively(() => closed(async () => dropKeys(directory)));
    },
  };

  function refuseWithoutRoom(): void {
    const needed = roomToConvert(directory);
    const free = room.free();
    if (free === null || free >= needed) return;
    const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6).toLocaleString('en')} MB`;
    throw new LoupeError(
      'store_full',
      `This needs ${megabytes(needed)} of free space on the disk for a while; ${megabytes(free)} are free.`,
    );
  }

  if (keychain && header() && !keysOf(directory)) unlockByKeychain(directory, keychain);
  return vault;
}

function leftError(left: readonly string[]): LoupeError {
  const files = left.length === 1 ? '1 file is' : `${left.length} files are`;
  return new LoupeError(
    'store_failed',
    `${files} damaged and stayed encrypted, beginning with ${left[0]}. Everything else is decrypted.`,
    'Nothing more can be read of them; add the pictures or documents again.',
  );
}

/** Locking it would ask nobody for anything. */
function vaultOpensItself({ slots }: Header): boolean {
  return slots.some(({ kind }) => kind === 'keychain');
}

function required(header: Header | null): Header {
  if (!header) throw new LoupeError('usage', 'Your data is not encrypted.', 'Turn encryption on first.');
  return header;
}
