import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { LoupeError } from '../errors.ts';
import { openStore } from './store.ts';

const folder = mkdtempSync(join(tmpdir(), 'loupe-full-'));
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', folder]).status === 0;
if (!mounted) console.warn('SKIPPED: a full disk. It needs the right to mount a small file system (root on Linux).');
afterAll(() => {
  if (mounted) spawnSync('umount', [folder]);
  rmSync(folder, { recursive: true });
});

function codeOf(action: () => unknown): string {
  for (let tries = 0; tries < 1000; tries++) {
    try {
      action();
    } catch (error) {
      return (error as LoupeError).code;
    }
  }
  return 'it never failed';
}

test.skipIf(!mounted)('a full disk is said, and what was stored before stays', () => {
  const data = join(folder, 'data');
  let store = openStore(data);
  const { id } = store.conversations.create('Kept');
  const texts: string[] = [];
  const append = () => {
    const text = `${texts.length} ${'word '.repeat(2000)}`;
    store.conversations.append({ conversationId: id, parentId: null, role: 'user', text, pictures: [], state: 'complete', model: null });
    texts.push(text);
  };
  append();
  const answer = store.conversations.append({
    conversationId: id,
    parentId: null,
    role: 'assistant',
    text: '',
    pictures: [],
    state: 'streaming',
    model: null,
  });
  store.conversations.checkpoint(answer.id, 'So far');
  texts.push('So far');
  let added = 0;
  const addPicture = () => {
    store.pictures.add({
      bytes: Buffer.alloc(100_000, added),
      name: 'a.png',
      width: 1,
      height: 1,
      origin: { kind: 'paste' },
      thumbnail: Buffer.alloc(10),
      display: null,
    });
    added++;
  };

  expect(codeOf(addPicture)).toBe('store_full');
  expect(added).toBeGreaterThan(0);
  expect(codeOf(append)).toBe('store_full');
  expect(
    codeOf(() => {
      store.conversations.checkpoint(answer.id, 'x'.repeat(1_000_000));
    }),
  ).toBe('store_full');
  // Still to be read, now and after a new start.
  const stored = () => store.conversations.open(id).messages.map(({ text }) => text);
  expect(stored()).toEqual(texts);
  store.close();
  store = openStore(data);
  expect(stored()).toEqual(texts);
  store.close();

  // No room at all for a new folder.
  writeFileSync(join(folder, 'ballast'), '');
  codeOf(() => {
    writeFileSync(join(folder, 'ballast'), Buffer.alloc(4096), { flag: 'a' });
  });
  expect(codeOf(() => openStore(join(folder, 'second')))).toBe('store_full');
});
