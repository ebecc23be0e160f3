/** Who gets in where Loupe is shown in a browser: one window a link, its tabs, and nobody else on this machine. */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { violations } from './support/axe.ts';
import { samples } from './support/samples.ts';
import { expect, secondWindow, testWithFakeEngine, Window } from './support/loupe.ts';

const test = testWithFakeEngine(1);

test('a link opens one window; the address forgets it, a reload and other tabs stay in', async ({ page, host, context, browser }) => {
  const link = await host.start();
  await page.goto(link);
  const loupe = new Window(page);
  await loupe.skipWelcome();
  expect(page.url()).toBe(new URL('/', link).href);
  expect(await context.cookies()).toEqual([]);
  await page.reload();
  await expect(loupe.question).toBeVisible();
  const second = await secondWindow(context, loupe);
  await expect(second.question).toBeVisible();

  // In another browser, as that of another user: once more, and without any link.
  const stranger = await (await browser.newContext()).newPage();
  await stranger.goto(link);
  await expect(stranger.getByRole('heading')).toHaveText('This link was used before');
  await expect(stranger.getByRole('alert')).toContainText('somebody else on this computer');
  expect(await violations(stranger)).toEqual([]);
  await stranger.goto(new URL('/', link).href);
  await expect(stranger.getByRole('heading')).toHaveText('Open Loupe with its link');

  // Who is in is not turned away by the old link.
  await second.page.goto(link);
  await expect(second.question).toBeVisible();
});

test('a page on another port of this machine gets no secret, no picture and no connection', async ({ loupe, context }) => {
  await loupe.skipWelcome();
  const heard: IncomingHttpHeaders[] = [];
  const other = createServer((request, response) => {
    heard.push(request.headers);
    response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><title>Other</title>');
  }).listen(0, '127.0.0.1');
  await once(other, 'listening');
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${(other.address() as AddressInfo).port}/`);
  expect(heard.length).toBeGreaterThan(0);
  for (const headers of heard) expect(headers).not.toHaveProperty('cookie');
  const origin = new URL(loupe.page.url()).origin;
  const reached = await page.evaluate(async (address) => {
    const asks = async (path: string, options: RequestInit = {}): Promise<string> => {
      const response = await fetch(`${address}${path}`, { credentials: 'include', ...options }).catch(() => null);
      return response && response.type !== 'opaque' ? `${response.status}` : 'nothing';
    };
    const connects = new Promise<string>((resolve) => {
      const socket = new WebSocket(`${address.replace('http', 'ws')}/socket`, ['loupe']);
      socket.addEventListener('open', () => resolve('open'));
      socket.addEventListener('error', () => resolve('nothing'));
    });
    const stored = [sessionStorage.length, localStorage.length, document.cookie];
    return [await asks('/'), await asks('/session', { method: 'POST', headers: { Authorization: 'Loupe x' } }), await connects, ...stored];
  }, origin);
  expect(reached).toEqual(['nothing', 'nothing', 'nothing', 0, 0, '']);
  other.close();
});

test('pictures are shown, and their addresses are good for nothing without the key', async ({ loupe }) => {
  await loupe.skipWelcome();
  await loupe.attach(samples[0]!.path);
  const shown = loupe.chips().locator('img').first();
  const source = (await shown.getAttribute('src'))!;
  expect(await shown.evaluate((image: HTMLImageElement) => image.decode().then(() => image.naturalWidth > 0))).toBe(true);
  const bare = await loupe.page.request.get(new URL(source.split('?')[0]!, loupe.page.url()).href);
  expect(bare.status()).toBe(403);
});
