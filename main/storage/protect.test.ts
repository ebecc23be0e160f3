import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStore } from './store.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-protect-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Names of what others can read, enter or write to. */
function open(): string[] {
  return readdirSync(folder).filter((name) => (statSync(join(folder, name)).mode & 0o077) !== 0);
}

test.skipIf(process.platform === 'win32')(
  'in a folder that exists, what Loupe keeps is taken from others; what else is there stays',
  () => {
    chmodSync(folder, 0o755);
    openStore(folder).close();
    for (const name of ['pictures', 'documents', 'backups', 'logs', 'cache', 'models', 'mine'])
      mkdirSync(join(folder, name), { mode: 0o755, recursive: true });
    for (const name of ['loupe.db', 'loupe-replaced-20260101-000000.db', 'serving.json', 'mine.txt'])
      writeFileSync(join(folder, name), '', { flag: 'a' });
    for (const name of readdirSync(folder)) chmodSync(join(folder, name), 0o755);
    const store = openStore(folder);
    expect(open()).toEqual(['mine', 'mine.txt', 'models']);
    store.conversations.create('private');
    expect(open()).toEqual(['mine', 'mine.txt', 'models']);
    store.close();
    expect(statSync(folder).mode & 0o777).toBe(0o755);
  },
);
