import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { removeRedirects, writeRedirect } from './redirect-file.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-redirect-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const link = 'http://127.0.0.1:5000/?conversation=7&a="b"#token=secret';

test('the file leads to the link; those of earlier runs go', () => {
  writeFileSync(join(folder, 'open.html'), 'the person’s own');
  const first = writeRedirect(folder, link);
  const second = writeRedirect(folder, link);
  expect(existsSync(first)).toBe(false);
  expect(readFileSync(second, 'utf8')).toContain('url=http://127.0.0.1:5000/?conversation=7&amp;a=&quot;b&quot;#token=secret"');
  expect(second).not.toContain('secret');
  removeRedirects(folder);
  expect(readdirSync(folder)).toEqual(['open.html']);
});

test.skipIf(process.platform === 'win32')('its owner alone can read it, also in a folder that others can read', () => {
  chmodSync(folder, 0o755);
  const path = writeRedirect(folder, link);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test.skipIf(process.getuid?.() !== 0)('another user of the machine cannot read it (needs root, to become one)', () => {
  chmodSync(folder, 0o755);
  const path = writeRedirect(folder, link);
  const readAs = (uid: number): { stdout: string; stderr: string } => spawnSync('cat', [path], { uid, gid: uid, encoding: 'utf8' });
  expect(readAs(0).stdout).toContain('secret');
  expect(readAs(65_534)).toMatchObject({ stdout: '', stderr: expect.stringContaining('Permission denied') as string });
});
