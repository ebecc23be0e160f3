/** `npm run dev`: the window from its sources, before a host that restarts. */
import { spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { expect, test as base } from 'playwright/test';
import { Window } from './support/loupe.ts';

const entry = fileURLToPath(new URL('../setup/run.mjs', import.meta.url));

const test = base.extend<{ link: string }>({
  link: async ({}, use) => {
    const directory = mkdtempSync(join(tmpdir(), 'loupe-dev-'));
    const args = [entry, 'dev', '--fake-engine', '--data', directory, '--port', String(await freePort())];
    const child: ChildProcessByStdio<null, Readable, null> = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = once(child, 'exit');
    const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
    await use(line.trim());
    child.kill('SIGTERM');
    await exited;
    // The host behind it ends, too.
    await expect.poll(() => spawnSync('pgrep', ['-f', directory]).status).toBe(1);
    rmSync(directory, { recursive: true, force: true });
  },
});

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

test('the window works from its sources, under a page policy that it does not break', async ({ page, link }) => {
  const faults: string[] = [];
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
  page.on('pageerror', (error) => faults.push(error.message));
  await page.goto(link);
  const loupe = new Window(page);
  await loupe.skipWelcome();
  await loupe.ask('Hello');
  expect(await loupe.lastAnswer()).toContain('You asked: Hello');
  expect(faults).toEqual([]);
});

test('the development server answers nobody who has not opened its link', async ({ page, request, link }) => {
  const { origin } = new URL(link);
  const refused = await request.get(`${origin}/main.ts`);
  expect(refused.status()).toBe(403);
  expect(await refused.text()).toContain('npm run dev');
  await page.goto(link);
  const elsewhere = await page.request.get(`${origin}/main.ts`, { headers: { origin: 'http://127.0.0.1:1' } });
  expect(elsewhere.status()).toBe(403);
});
