import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { LoupeError } from '../errors.ts';
import { contentSecurityPolicy } from '../host/page-policy.ts';
import { createPageServer } from './page-server.ts';

let root: string;
const hash = 'ab'.repeat(32);
const onFault = vi.fn();

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'loupe-page-'));
  mkdirSync(join(root, 'renderer', 'assets'), { recursive: true });
  writeFileSync(join(root, 'renderer', 'index.html'), '<!doctype html>');
  writeFileSync(join(root, 'renderer', 'assets', 'main.js'), 'export {};');
  writeFileSync(join(root, 'picture.png'), 'PNG');
  writeFileSync(join(root, 'thumb.webp'), 'WEBP');
  writeFileSync(join(root, 'secret.json'), 'secret');
});
afterAll(() => rmSync(root, { recursive: true }));

function ask(url: string, method = 'GET'): Promise<Response> {
  const serve = createPageServer({
    rendererDirectory: join(root, 'renderer'),
    readFile: (path) => readFile(path),
    pictureFile: (wanted, scale) => {
      if (wanted !== hash) throw new LoupeError('not_found', 'There is no such picture.');
      return scale === 'full'
        ? { path: join(root, 'picture.png'), mediaType: 'image/png' }
        : { path: join(root, 'thumb.webp'), mediaType: 'image/webp' };
    },
    pagePicture: async (document, page, width) => {
      if (document === 7) throw new LoupeError('document_locked', 'It needs a password.');
      if (document === 8) throw new LoupeError('cancelled', 'It was removed.');
      if (document !== 3) throw new LoupeError('not_found', 'There is no such document.');
      return { bytes: new TextEncoder().encode(`page ${page}, ${width}`), mediaType: 'image/png' };
    },
    onFault,
  });
  return serve({ url, method });
}

test.each([
  ['loupe://app/', 'text/html; charset=utf-8', '<!doctype html>'],
  ['loupe://app/?view=overlay&display=42', 'text/html; charset=utf-8', '<!doctype html>'],
  ['loupe://app/index.html', 'text/html; charset=utf-8', '<!doctype html>'],
  ['loupe://app/assets/main.js', 'text/javascript; charset=utf-8', 'export {};'],
  [`loupe://app/pictures/${hash}`, 'image/png', 'PNG'],
  [`loupe://app/pictures/${hash}/thumb`, 'image/webp', 'WEBP'],
  ['loupe://app/documents/3/12/640', 'image/png', 'page 12, 640'],
])('%s', async (url, type, body) => {
  const response = await ask(url);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe(type);
  expect(response.headers.get('content-security-policy')).toBe(contentSecurityPolicy);
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  expect(await response.text()).toBe(body);
});

test.each([
  ['loupe://app/../secret.json', 404],
  ['loupe://app/..%2fsecret.json', 404],
  ['loupe://app/%2e%2e/secret.json', 404],
  ['loupe://app/assets/../../secret.json', 404],
  ['loupe://app/assets\\..\\..\\secret.json', 404],
  ['loupe://app//etc/passwd', 404],
  ['loupe://app/assets', 404],
  ['loupe://app/missing.js', 404],
  ['loupe://app/pictures/../secret.json', 404],
  [`loupe://app/pictures/${'0'.repeat(64)}`, 404],
  [`loupe://app/pictures/${hash}/full`, 404],
  ['loupe://app/documents/4/12/640', 404],
  ['loupe://app/documents/7/12/640', 404],
  ['loupe://app/documents/8/12/640', 404],
  ['loupe://app/documents/3/12', 404],
  [`loupe://app/pictures/${hash}%00`, 404],
  ['loupe://app/capture/../secret.json', 404],
  ['loupe://other/index.html', 403],
  ['https://app/index.html', 403],
])('%s is refused with %i', async (url, status) => {
  const response = await ask(url);
  expect(response.status).toBe(status);
  expect(response.headers.get('content-security-policy')).toBe(contentSecurityPolicy);
  expect(await response.text()).toBe('');
});

test('nothing can be written', async () => {
  expect((await ask('loupe://app/index.html', 'POST')).status).toBe(405);
});

test('a picture whose file is gone is our fault, and said to the log', async () => {
  rmSync(join(root, 'thumb.webp'));
  expect((await ask(`loupe://app/pictures/${hash}/thumb`)).status).toBe(500);
  expect(onFault).toHaveBeenCalledOnce();
});
