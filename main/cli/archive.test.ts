import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openArchiveServices } from '../archive-services.ts';
import type { ConfinedPictureWorker } from '../image/picture-client.ts';
import { openStore } from '../storage/store.ts';
import { runLoupe } from './run.ts';
import { terminalDouble } from './test/terminal-double.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-export-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const at = (name: string): string => join(folder, name);

async function loupe(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const terminal = terminalDouble({
    openArchives: async (options) => openArchiveServices(options),
    startPictures: () => ({ close: async () => {} }) as ConfinedPictureWorker,
  });
  const code = await runLoupe(args, terminal);
  return { code, ...terminal.said };
}

function converse(name: string): void {
  const store = openStore(at(name));
  const { id: conversationId } = store.conversations.create('Kept');
  store.conversations.append({ conversationId, parentId: null, role: 'user', text: 'q', pictures: [], state: 'complete', model: null });
  store.close();
}

test('all goes out of one folder and into another, once', async () => {
  converse('one');
  const file = at('all.zip');
  expect(await loupe('export', file, '--data', at('one'))).toEqual({
    code: 0,
    out: `Exported 1 conversation, 0 pictures, 0 documents and 0 tables to ${file}.\nThe file is not encrypted.\n`,
    err: '',
  });
  expect((await loupe('import', file, '--data', at('other'))).out).toBe('Added 1 conversation, 0 pictures, 0 documents and 0 tables.\n');
  expect(JSON.parse((await loupe('import', file, '--data', at('other'), '--json')).out)).toEqual({
    ...{ ok: true, path: file, conversations: 0, pictures: 0, documents: 0, tables: 0, merged: 0, known: 1 },
  });
  const store = openStore(at('other'));
  expect(store.conversations.list().map(({ title }) => title)).toEqual(['Kept']);
  store.close();
});

test('beside the open app it exports, and does not import', async () => {
  converse('one');
  const app = openStore(at('one'));
  try {
    expect((await loupe('export', at('all.zip'), '--data', at('one'))).code).toBe(0);
    const { code, err } = await loupe('import', at('all.zip'), '--data', at('one'));
    expect([code, err]).toEqual([1, expect.stringContaining('Close the other Loupe that uses this folder') as string]);
  } finally {
    app.close();
  }
});

test('what cannot be is named, and nothing is written', async () => {
  converse('one');
  writeFileSync(at('mine'), 'mine');
  const { code, err } = await loupe('export', at('mine'), '--data', at('one'));
  expect([code, err]).toEqual([1, `loupe: ${at('mine')} exists already.\nChoose another name; nothing was overwritten.\n`]);
  expect(readFileSync(at('mine'), 'utf8')).toBe('mine');
  expect(await loupe('import', at('mine'), '--data', at('one'))).toMatchObject({
    code: 1,
    err: expect.stringContaining('mine cannot be imported: it is not a ZIP file') as string,
  });
  expect(await loupe('export', '--data', at('one'))).toMatchObject({ code: 2, err: expect.stringContaining('Name one file.') as string });
  expect((await loupe('export', at('x.zip'), '--data', at('nowhere'))).err).toContain(`There is no data folder ${at('nowhere')}`);
  expect(existsSync(at('nowhere'))).toBe(false);
});
