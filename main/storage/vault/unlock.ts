/** From words, or the keychain, to the keys of a folder. */
import { LoupeError } from '../../errors.ts';
import type { Keychain } from '../../services/ports.ts';
import { holdKeys, keysFrom, keysOf, wipe, type FolderKeys } from './folder-keys.ts';
import { isSigned, readHeader, repairCopies, type Header } from './header.ts';
import { openWordSlot, recoveryCodeIn } from './secrets.ts';

/** Nothing of it can be read. */
export function lockedError(directory: string): LoupeError {
  return new LoupeError('vault_locked', `What Loupe keeps in ${directory} is locked.`);
}

/** Holds the keys from now on. Rejects with `passphrase_wrong`; nothing happens where the folder is not encrypted. */
export async function unlockFolder(directory: string, words: string): Promise<void> {
  const header = readHeader(directory);
  if (header) hold(directory, await keysByWords(directory, header, words));
}

/** As `unlockFolder`, without asking anybody; false where only words open it. */
export function unlockByKeychain(directory: string, keychain: Keychain): boolean {
  const header = readHeader(directory);
  const slot = header?.slots.find((one) => one.kind === 'keychain');
  if (!header || slot?.kind !== 'keychain') return false;
  const main = Buffer.from(keychain.open(slot.sealed) ?? '', 'base64');
  if (main.length !== 32) return false;
  const keys = keysFrom(main);
  if (!isSigned(header, keys.header)) return false;
  hold(directory, keys);
  return true;
}

/** Rejects with `passphrase_wrong`, and with `store_failed` where the header was changed by somebody without the key. */
export async function keysByWords(directory: string, header: Header, words: string): Promise<FolderKeys> {
  const code = recoveryCodeIn(words);
  for (const slot of header.slots) {
    if (slot.kind === 'keychain' || (slot.kind === 'recovery' && code === null)) continue;
    const main = await openWordSlot(slot, slot.kind === 'recovery' ? code! : words);
    if (!main) continue;
    const keys = keysFrom(main);
    if (isSigned(header, keys.header)) return keys;
    wipe(keys);
    throw new LoupeError(
      'store_failed',
      `loupe.vault in ${directory} was changed by something other than Loupe, so nothing was opened.`,
      'Copy loupe.vault from a backup of the whole folder, and start Loupe again.',
    );
  }
  const hasPassphrase = header.slots.some(({ kind }) => kind === 'passphrase');
  throw new LoupeError(
    'passphrase_wrong',
    hasPassphrase ? 'This is neither the passphrase nor the recovery code.' : 'This is not the recovery code.',
  );
}

function hold(directory: string, keys: FolderKeys): void {
  if (!keysOf(directory)) holdKeys(directory, keys);
  try {
    repairCopies(directory);
  } catch {
    // A disk that cannot be written to: the next time does.
  }
}
