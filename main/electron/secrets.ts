/**
 * Secrets in the system's keychain: the keychain holds the key, a file of the data folder what was
 * encrypted with it. Without a keychain they are kept in memory.
 */
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type * as electronModule from 'electron';
import { LoupeError } from '../services/errors.ts';
import { sessionSecrets } from '../services/models/secrets.ts';
import type { SecretStore } from '../services/ports.ts';
import { words } from './words.ts';

export interface KeychainOptions {
  safeStorage: Pick<typeof electronModule.safeStorage, 'isEncryptionAvailable' | 'getSelectedStorageBackend' | 'encryptString' | 'decryptString'>;
  platform: NodeJS.Platform;
  /** The data folder. */
  directory: string;
}

/** To be called once Electron is ready: it knows of no keychain before. */
export function keychainSecrets({ safeStorage, platform, directory }: KeychainOptions): SecretStore {
  // "basic_text" encrypts with a password that everybody knows.
  const isSafe = safeStorage.isEncryptionAvailable() && (platform !== 'linux' || safeStorage.getSelectedStorageBackend() !== 'basic_text');
  if (!isSafe) return sessionSecrets(words.secrets.noKeychain);
  const fileOf = (name: string): string => join(directory, 'secrets', `${name}.bin`);
  let problem: string | null = null;

  return {
    kept: 'keychain',
    problem: () => problem,
    async get(name) {
      const encrypted = read(fileOf(name));
      if (!encrypted) return null;
      try {
        return safeStorage.decryptString(encrypted);
      } catch {
        // A new keychain, or the folder of another computer: nobody can read it any more.
        rmSync(fileOf(name), { force: true });
        problem = words.secrets.unreadable;
        return null;
      }
    },
    async set(name, value) {
      if (value === null) rmSync(fileOf(name), { force: true });
      else write(fileOf(name), encrypt(value));
      problem = null;
    },
  };

  function encrypt(value: string): Buffer {
    try {
      return safeStorage.encryptString(value);
    } catch {
      throw new LoupeError('file_unwritable', words.secrets.refused, words.secrets.refusedNext);
    }
  }
}

function read(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch {
    return null;
  }
}

/** Whole or not at all, and for nobody else's eyes. */
function write(path: string, bytes: Buffer): void {
  const part = `${path}.part`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(part, bytes, { mode: 0o600 });
    // A part that was left behind keeps the mode that it had.
    chmodSync(part, 0o600);
    renameSync(part, path);
  } catch (error) {
    throw new LoupeError('file_unwritable', `${path} cannot be written (${(error as NodeJS.ErrnoException).code ?? 'for an unknown reason'}), so the token is not kept.`, 'Make room on the disk, or check the permissions of the folder.');
  }
}
