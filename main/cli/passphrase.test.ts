import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStore } from '../storage/store.ts';
import { cheap, code, passphrase } from '../storage/test/vault.ts';
import { dropKeys, keysOf } from '../storage/vault/folder-keys.ts';
import { hiddenPrompt, unlockForCommand } from './passphrase.ts';

let folder: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-passphrase-'));
  const store = openStore(folder, { stretching: cheap });
  await store.vault.turnOn({ passphrase, recoveryCode: code });
  store.close();
});
afterEach(() => {
  dropKeys(folder);
  rmSync(folder, { recursive: true });
});

test('without anybody at a terminal it is said what to do, and nothing is opened', async () => {
  await expect(unlockForCommand(folder, { environment: {}, prompt: null })).rejects.toMatchObject({
    code: 'vault_locked',
    nextStep: expect.stringContaining('LOUPE_PASSPHRASE_FD') as string,
  });
  expect(() => openStore(folder)).toThrow(expect.objectContaining({ code: 'vault_locked' }));
});

test('a descriptor comes before the variable; both leave the environment', async () => {
  const path = join(folder, 'words');
  writeFileSync(path, `${passphrase}\n`);
  const descriptor = openSync(path, 'r');
  const environment: NodeJS.ProcessEnv = { LOUPE_PASSPHRASE_FD: String(descriptor), LOUPE_PASSPHRASE: 'wrong' };
  await unlockForCommand(folder, { environment, prompt: null });
  closeSync(descriptor);
  expect(environment).toEqual({});
  expect(keysOf(folder)).not.toBeNull();
  dropKeys(folder);
  await unlockForCommand(folder, { environment: { LOUPE_PASSPHRASE: code }, prompt: null });
  expect(keysOf(folder)).not.toBeNull();
});

test.each(['99', 'x', '-1'])('a descriptor that is none: %s', async (descriptor) => {
  await expect(unlockForCommand(folder, { environment: { LOUPE_PASSPHRASE_FD: descriptor }, prompt: null })).rejects.toMatchObject({
    code: 'usage',
  });
});

test('a person has three tries', async () => {
  const answers = ['wrong', 'wrong again', passphrase];
  await unlockForCommand(folder, { environment: {}, prompt: async () => answers.shift()! });
  expect(keysOf(folder)).not.toBeNull();
  dropKeys(folder);
  let asked = 0;
  await expect(unlockForCommand(folder, { environment: {}, prompt: async () => `wrong ${asked++}` })).rejects.toMatchObject({
    code: 'passphrase_wrong',
  });
  expect(asked).toBe(3);
});

test('what is typed is not shown, can be taken back, and Ctrl-C leaves', async () => {
  const input = Object.assign(new PassThrough(), { raw: false, setRawMode: (raw: boolean) => void (input.raw = raw) });
  const shown: string[] = [];
  const output = new PassThrough().on('data', (text: Buffer) => shown.push(String(text)));
  const ask = hiddenPrompt(input as unknown as NodeJS.ReadStream, output);
  const answer = ask('Passphrase: ');
  input.write('ab\u007fcé\r');
  expect(await answer).toBe('acé');
  expect(shown.join('')).toBe('Passphrase: \n');
  expect(input.raw).toBe(false);
  const left = ask('Passphrase: ');
  input.write('ab\u0003');
  await expect(left).rejects.toMatchObject({ code: 'cancelled' });
});
