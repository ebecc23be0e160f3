import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { keychainSecrets } from './secrets.ts';
import { SafeStorageDouble } from './test/electron-double.ts';

const token = 'hf_averysecrettoken';
let directory: string;
let safeStorage: SafeStorageDouble;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loupe-secrets-'));
  safeStorage = new SafeStorageDouble();
});
afterEach(() => rmSync(directory, { recursive: true }));

const open = (platform: NodeJS.Platform = 'linux') => keychainSecrets({ safeStorage, platform, directory });
const file = () => join(directory, 'secrets', 'hub-token.bin');

test('the key of each server lies in a file of its own', async () => {
  await open().set('server-key-3', 'sk-3');
  await open().set('server-key-12', 'sk-12');
  expect([await open().get('server-key-3'), await open().get('server-key-12')]).toEqual(['sk-3', 'sk-12']);
  await open().set('server-key-3', null);
  expect(readdirSync(join(directory, 'secrets'))).toEqual(['server-key-12.bin']);
});

test('what was kept is there the next time, encrypted, for one pair of eyes', async () => {
  expect(open()).toMatchObject({ kept: 'keychain' });
  expect(await open().get('hub-token')).toBeNull();
  await open().set('hub-token', token);
  expect(await open().get('hub-token')).toBe(token);
  expect(readFileSync(file()).includes(token)).toBe(false);
  expect(readdirSync(join(directory, 'secrets'))).toEqual(['hub-token.bin']);
  if (process.platform !== 'win32') {
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    expect(statSync(join(directory, 'secrets')).mode & 0o777).toBe(0o700);
    // What a crash left behind does not loosen it.
    writeFileSync(`${file()}.part`, '', { mode: 0o644 });
    await open().set('hub-token', token);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
  }
  await open().set('hub-token', null);
  expect(existsSync(file())).toBe(false);
  expect(await open().get('hub-token')).toBeNull();
});

test.each<[string, () => void]>([
  ['a password that everybody knows', () => (safeStorage.backend = 'basic_text')],
  ['no keychain at all', () => (safeStorage.available = false)],
])('%s: in memory until Loupe closes, and it says why', async (_, lose) => {
  lose();
  const secrets = open();
  expect(secrets.kept).toBe('session');
  expect(secrets.problem('hub-token')).toContain('No keychain');
  await secrets.set('hub-token', token);
  expect(await secrets.get('hub-token')).toBe(token);
  expect(readdirSync(directory)).toEqual([]);
  expect(await open().get('hub-token')).toBeNull();
});

test('elsewhere than on Linux the backend has no name', () => {
  safeStorage.getSelectedStorageBackend = () => {
    throw new Error('only on Linux');
  };
  expect(open('darwin').kept).toBe('keychain');
});

test('a keychain that refuses for the moment: the token is there once it opens', async () => {
  const secrets = open();
  await secrets.set('hub-token', token);
  const { key } = safeStorage;
  safeStorage.key = 0x33;
  expect(await secrets.get('hub-token')).toBeNull();
  expect(secrets.problem('hub-token')).toContain('Unlock the keychain');
  safeStorage.key = key;
  expect(await secrets.get('hub-token')).toBe(token);
  expect(secrets.problem('hub-token')).toBeNull();
});

test('a key that is gone: a new token takes the place of the old one', async () => {
  await open().set('hub-token', token);
  safeStorage.key = 0x33;
  const secrets = open();
  expect(await secrets.get('hub-token')).toBeNull();
  expect(secrets.problem('hub-token')).toContain('enter the token again');
  await secrets.set('hub-token', 'hf_another');
  expect(secrets.problem('hub-token')).toBeNull();
  expect(await open().get('hub-token')).toBe('hf_another');
});

test('a file that cannot be read or deleted is told of', async () => {
  mkdirSync(file(), { recursive: true });
  const secrets = open();
  expect(await secrets.get('hub-token')).toBeNull();
  expect(secrets.problem('hub-token')).toContain(file());
  await expect(secrets.set('hub-token', null)).rejects.toMatchObject({
    code: 'file_unwritable',
    message: expect.stringContaining(file()) as string,
  });
});

test('a keychain that refuses, and a folder that cannot be written to', async () => {
  safeStorage.encryptString = () => {
    throw new Error(`denied ${token}`);
  };
  await expect(open().set('hub-token', token)).rejects.toMatchObject({
    code: 'file_unwritable',
    message: expect.not.stringContaining(token) as string,
  });
  safeStorage = new SafeStorageDouble();
  writeFileSync(join(directory, 'secrets'), '');
  await expect(open().set('hub-token', token)).rejects.toMatchObject({
    code: 'file_unwritable',
    message: expect.stringContaining('secrets') as string,
  });
});
