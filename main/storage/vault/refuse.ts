import { LoupeError } from '../../errors.ts';
import { keysOf, type FolderKeys } from './folder-keys.ts';
import { readHeader } from './header.ts';
import { lockedError } from './unlock.ts';

/** For what is about to be written; null where it stays plain. Throws `vault_locked`: nothing is written in plain form beside what is encrypted. */
export function keysToWrite(directory: string): FolderKeys | null {
  const keys = keysOf(directory);
  if (!keys) refuseLocked(directory);
  return keys;
}

/** Throws `vault_locked` where nobody has unlocked an encrypted folder, or its files are not all in one form yet. */
export function refuseLocked(directory: string): void {
  const header = readHeader(directory);
  if (!header) return;
  if (!keysOf(directory)) throw lockedError(directory);
  if (header.state !== 'sealed')
    throw new LoupeError(
      'vault_locked',
      `Encrypting or decrypting ${directory} was interrupted.`,
      'Open Loupe’s window and enter your passphrase: it then goes on.',
    );
}
