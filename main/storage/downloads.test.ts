import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Store } from '../services/ports.ts';
import { lockDownload } from './lock.ts';
import { openStore } from './store.ts';

let folder: string;
let store: Store;
let now = 1000;
const open = () => openStore(folder, { clock: { now: () => now } });
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-downloads-'));
  store = open();
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

test('a download, from the question to its end, over a restart', () => {
  const { id } = store.downloads.create({ model: 'm', repository: 'o/n', directory: '/d' });
  expect(store.downloads.get(id)).toEqual({
    id,
    model: 'm',
    repository: 'o/n',
    revision: null,
    directory: '/d',
    state: 'queued',
    failure: null,
    createdAt: 1000,
    files: [],
  });
  store.downloads.setPlan(id, 'commit', [
    { path: 'b', bytes: 2, checksum: { algorithm: 'sha256', value: 'bb' } },
    { path: 'a', bytes: 1, checksum: { algorithm: 'git', value: 'aa' } },
  ]);
  store.downloads.setEtag(id, 'a', '"e"');
  store.downloads.setComplete(id, 'a');
  store.downloads.setState(id, 'failed', { ok: false, code: 'disk_full', message: 'm', nextStep: 'n' });
  store.close();
  store = open();
  expect(store.downloads.list()).toEqual([
    {
      id,
      model: 'm',
      repository: 'o/n',
      revision: 'commit',
      directory: '/d',
      state: 'failed',
      createdAt: 1000,
      failure: { ok: false, code: 'disk_full', message: 'm', nextStep: 'n' },
      files: [
        { path: 'a', bytes: 1, checksum: { algorithm: 'git', value: 'aa' }, etag: '"e"', complete: true },
        { path: 'b', bytes: 2, checksum: { algorithm: 'sha256', value: 'bb' }, etag: null, complete: false },
      ],
    },
  ]);
  // Another etag: what was complete was another file.
  store.downloads.setEtag(id, 'a', null);
  expect(store.downloads.get(id).files[0]).toMatchObject({ etag: null, complete: false });
  store.downloads.remove(id);
  expect(store.downloads.list()).toEqual([]);
  expect(() => store.downloads.get(id)).toThrow(expect.objectContaining({ code: 'not_found' }));
});

test('a licence keeps the time at which it was first agreed to', () => {
  store.licences.accept('llama3.2', '2024-09-25');
  now = 2000;
  expect(store.licences.accept('llama3.2', '2024-09-25')).toEqual({ licence: 'llama3.2', version: '2024-09-25', at: 1000 });
  store.licences.accept('llama3.2', 'later');
  expect(store.licences.list().map(({ version, at }) => [version, at])).toEqual([
    ['2024-09-25', 1000],
    ['later', 2000],
  ]);
});

test('the ledger counts up, never down', () => {
  const id = store.ledger.add({ at: 1, host: 'h', purpose: 'p', sentBytes: 0, receivedBytes: 0 });
  store.ledger.count(id, 10, 20);
  store.ledger.count(id, 5, 30);
  expect(store.ledger.list()).toEqual([{ at: 1, host: 'h', purpose: 'p', sentBytes: 10, receivedBytes: 30 }]);
});

test('programs on this computer have an entry a day, which is no connection to another machine', () => {
  const day = 24 * 60 * 60 * 1000;
  expect(store.ledger.programs()).toBeNull();
  store.ledger.addProgram({ at: day, questionBytes: 100, answerBytes: 10 });
  store.ledger.addProgram({ at: 2 * day - 1, questionBytes: 1, answerBytes: 1 });
  store.ledger.add({ at: 2 * day, host: 'h', purpose: 'p', sentBytes: 5, receivedBytes: 5 });
  store.ledger.addProgram({ at: 2 * day, questionBytes: 1000, answerBytes: 0 });
  expect(store.ledger.programs()).toEqual({ since: day, questionBytes: 1101, answerBytes: 11 });
  expect(store.ledger.list().map(({ host }) => host)).toEqual(['h']);
  const database = new Database(join(folder, 'loupe.db'), { readonly: true });
  const rows = database.prepare("select at, received_bytes as bytes from ledger where host <> 'h' order by id").all();
  database.close();
  expect(rows).toEqual([
    { at: day, bytes: 101 },
    { at: 2 * day, bytes: 1000 },
  ]);
});

test('checks of files go with the model', () => {
  const check = { model: '/a', file: 'f', bytes: 1, sha256: 'x', finding: 'intact', checkedAt: 5 } as const;
  store.models.add({ path: '/a', name: 'a', kind: 'vision', bytes: 1 });
  store.models.saveCheck(check);
  store.models.saveCheck({ ...check, finding: 'changed' });
  expect(store.models.checks('/a')).toEqual([{ ...check, finding: 'changed' }]);
  // Added again, as after a second import: what is known of its files stays.
  store.models.add({ path: '/a', name: 'b', kind: 'vision', bytes: 1 });
  expect(store.models.checks('/a')).toHaveLength(1);
  store.models.remove('/a');
  expect(store.models.checks('/a')).toEqual([]);
});

test('one writer a folder', () => {
  const release = lockDownload(folder);
  expect(() => lockDownload(folder)).toThrow(
    expect.objectContaining({ code: 'download_locked', message: `Another Loupe is downloading into ${folder}.` }),
  );
  release();
  lockDownload(folder)();
});
