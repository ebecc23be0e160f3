/**
 * Secrets in the system's keychain: the keychain holds the key, a file of the data folder what was
 * encrypted with it. Without a keychain they are kept in memory.
 */
import { chmodSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type * as electronModule from 'electron';
import { makeFolderSync } from '../make-folder.ts';
import { LoupeError } from '../errors.ts';
import { sessionSecrets } from '../services/models/hub/secrets.ts';
import type { Keychain, SecretName, SecretStore } from '../services/ports.ts';
import { words } from './words.ts';

export interface KeychainOptions {
  safeStorage: Pick<
    typeof electronModule.safeStorage,
    'isEncryptionAvailable' | 'getSelectedStorageBackend' | 'encryptString' | 'decryptString'
  >;
  platform: NodeJS.Platform;
  /** The data folder. */
  directory: string;
}

/** "basic_text" encrypts with a password that everybody knows. */
function isSafe({ safeStorage, platform }: Omit<KeychainOptions, 'directory'>): boolean {
  return safeStorage.isEncryptionAvailable() && (platform !== 'linux' || safeStorage.getSelectedStorageBackend() !== 'basic_text');
}

/** For the key of an encrypted data folder; null where there is no keychain. To be called once Electron is ready. */
export function vaultKeychain(options: Omit<KeychainOptions, 'directory'>): Keychain | null {
  if (!isSafe(options)) return null;
  const { safeStorage } = options;
  return {
    seal: (text) => safeStorage.encryptString(text).toString('base64'),
    open(sealed) {
      try {
        return safeStorage.decryptString(Buffer.from(sealed, 'base64'));
      } catch {
        return null;
      }
    },
  };
}

/** To be called once Electron is ready: it knows of no keychain before. */
export function keychainSecrets({ safeStorage, platform, directory }: KeychainOptions): SecretStore {
  if (!isSafe({ safeStorage, platform })) return sessionSecrets(words.secrets.noKeychain);
  const fileOf = (name: SecretName): string => join(directory, 'secrets', `${name}.bin`);
  const problems = new Map<SecretName, string | null>();

  return {
    kept: 'keychain',
    problem: (name) => problems.get(name) ?? null,
    async get(name) {
      const found = read(fileOf(name), name);
      problems.set(name, found.problem);
      if (!found.bytes) return null;
      try {
        return safeStorage.decryptString(found.bytes);
      } catch {
        // A locked keychain may open it later; a new one, or one of another computer, never. Nobody can tell which it is.
        problems.set(name, words.secrets.unreadable(name));
        return null;
      }
    },
    async set(name, value) {
      if (value === null) remove(fileOf(name), name);
      else write(fileOf(name), encrypt(value, name), name);
      problems.set(name, null);
    },
  };

  function encrypt(value: string, name: SecretName): Buffer {
    try {
      return safeStorage.encryptString(value);
    } catch {
      throw new LoupeError('file_unwritable', words.secrets.refused(name), words.secrets.refusedNext(name));
    }
  }
}

/** Without bytes and without a problem: there is no file. */
function read(path: string, name: SecretName): { bytes: Buffer | null; problem: string | null } {
  try {
    return { bytes: readFileSync(path), problem: null };
  } catch (error) {
    const code = codeOf(error);
    return { bytes: null, problem: code === 'ENOENT' ? null : words.secrets.unreadableFile(name, path, code) };
  }
}

function remove(path: string, name: SecretName): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    throw new LoupeError('file_unwritable', words.secrets.unforgettable(name, path, codeOf(error)), words.secrets.unforgettableNext);
  }
}

/** Whole or not at all, and for nobody else's eyes. */
function write(path: string, bytes: Buffer, name: SecretName): void {
  const part = `${path}.part`;
  try {
    makeFolderSync(dirname(path), 0o700);
    writeFileSync(part, bytes, { mode: 0o600 });
    // A part that was left behind keeps the mode that it had.
    chmodSync(part, 0o600);
    renameSync(part, path);
  } catch (error) {
    throw new LoupeError(
      'file_unwritable',
      words.secrets.unwritable(name, path, codeOf(error)),
      'Make room on the disk, or check the permissions of the folder.',
    );
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'for an unknown reason';
}
