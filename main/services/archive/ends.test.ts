/** What an export and an import leave when the disk is full, or the process is killed. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { openStore } from '../../storage/store.ts';
import type { PictureWorker, Store } from '../ports.ts';
import { createPictures } from '../pictures.ts';
import { exportArchive } from './export.ts';
import { importArchive, type Imported } from './import.ts';

const folder = mkdtempSync(join(tmpdir(), 'loupe-archive-ends-'));
const small = mkdtempSync(join(tmpdir(), 'loupe-archive-full-'));
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', small]).status === 0;
if (!mounted)
  console.warn('SKIPPED: an export and an import on a full disk. It needs the right to mount a small file system (root on Linux).');
afterAll(() => {
  if (mounted) spawnSync('umount', [small]);
  for (const path of [folder, small]) rmSync(path, { recursive: true });
});

const facts = { width: 4, height: 3, thumbnail: Buffer.from('small'), display: null };
const worker = { inspect: async () => facts } as unknown as PictureWorker;
const conversations = 8;

function load(store: Store, path: string): Promise<Imported> {
  return importArchive({ store, pictures: createPictures({ store, worker }), path });
}

/** Each conversation shows a picture of 2 MB of its own, which does not pack. */
function filled(name: string): Store {
  const store = openStore(join(folder, name));
  for (let index = 0; index < conversations; index++) {
    const bytes = Buffer.concat([Buffer.from(`\x89PNG\r\n\x1a\n${index}`, 'latin1'), Buffer.alloc(2_000_000, index)]);
    const { hash } = store.pictures.add({ ...facts, bytes, name: `${index}.png`, origin: { kind: 'paste' } });
    const { id: conversationId } = store.conversations.create(`Number ${index}`);
    const said = { conversationId, parentId: null, role: 'user', state: 'complete', model: null } as const;
    store.conversations.append({ ...said, text: `question ${index}`, pictures: [hash] });
  }
  return store;
}

test.skipIf(!mounted)('on a full disk an export leaves the file that was there and no part, and an import what was there', async () => {
  const store = filled('full');
  try {
    writeFileSync(join(small, 'all.zip'), 'mine');
    await expect(exportArchive({ store, path: join(small, 'all.zip'), version: '1', replaces: true })).rejects.toMatchObject({
      code: 'disk_full',
      message: `The disk that holds ${small} is full, so all.zip was not written.`,
    });
    expect(readFileSync(join(small, 'all.zip'), 'utf8')).toBe('mine');
    expect(readdirSync(small)).toEqual(['all.zip']);

    await exportArchive({ store, path: join(folder, 'full.zip'), version: '1' });
    const there = openStore(join(small, 'data'));
    try {
      there.conversations.create('Mine');
      await expect(load(there, join(folder, 'full.zip'))).rejects.toMatchObject({ code: 'store_full' });
      expect(there.conversations.list().map(({ title }) => title)).toEqual(['Mine']);
    } finally {
      there.close();
    }
  } finally {
    store.close();
  }
});

test('an import that is killed at any step is completed by the next, and nothing is there twice', async () => {
  const store = filled('killed');
  const path = join(folder, 'killed.zip');
  await exportArchive({ store, path, version: '1' });
  store.close();
  const importer = fileURLToPath(new URL('test/importer.ts', import.meta.url));
  const into = join(folder, 'into');
  // 25 entries are checked; then come 8 pictures and 8 conversations.
  for (const step of [10, 28, 35]) {
    const child = spawn(process.execPath, [importer, into, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    await new Promise<void>((resolve) => {
      child.stdout.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        if (said.split('\n').length > step) child.kill('SIGKILL');
      });
      child.on('close', () => resolve());
    });
    expect(child.signalCode).toBe('SIGKILL');
  }
  const there = openStore(into);
  try {
    expect(there.conversations.list().length).toBeLessThan(conversations);
    const { counts, known } = await load(there, path);
    expect(counts.conversations + counts.pictures + known).toBe(2 * conversations);
    const titles = there.conversations.list().map(({ title }) => title);
    expect(titles.toSorted()).toEqual(Array.from({ length: conversations }, (_, index) => `Number ${index}`));
    for (const { id } of there.conversations.list()) {
      const { pictures } = there.conversations.open(id).messages[0]!;
      expect(there.pictures.find(pictures[0]!.hash)).not.toBeNull();
    }
  } finally {
    there.close();
  }
});
