/**
 * The shell without Electron: its main process on a double, its page in a real browser, joined as
 * the preload script joins them. What this shows holds everywhere: the page lives under the
 * shell's policy, speaks through its bridge, and can show the frames that it freezes.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, type Page } from 'playwright/test';
import { startShell } from '../../main/electron/shell.ts';
import { createElectronDouble, ImageDouble, type ElectronDouble, type WindowDouble } from '../../main/electron/test/electron-double.ts';
import { shellBuild } from '../../setup/paths.mjs';

test.skip(!existsSync(join(shellBuild, 'main.js')), 'skipped: the desktop shell is not built');

/** A secure origin, as the shell's own scheme is. */
const origin = 'http://localhost:1';

/** One pixel: what it shows does not matter here. */
const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==', 'base64');

let double: ElectronDouble;
let screen: ImageDouble;
let directory: string;

test.beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'loupe-policy-'));
  process.env['LOUPE_DATA'] = directory;
  const bounds = { x: 0, y: 0, width: 1280, height: 800 };
  screen = new ImageDouble(1280, 800, png);
  double = createElectronDouble({ displays: [{ id: 5, bounds, scaleFactor: 1, image: screen }] });
  startShell(double.electron, { bundle: shellBuild, args: [] });
  await expect.poll(() => double.windows.length + double.errorBoxes.length).toBeGreaterThan(0);
  expect(double.errorBoxes).toEqual([]);
});

test.afterEach(async () => {
  const ended = double.app.heard('quit');
  double.electron.app.quit();
  await ended;
  rmSync(directory, { recursive: true, force: true });
});

/** The page of a window, with what it violated and what went wrong in it. */
async function show(page: Page, window: WindowDouble): Promise<string[]> {
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.route('**/*', async (route) => {
    const { origin: from, pathname, search } = new URL(route.request().url());
    if (from !== origin) return route.abort();
    const response = await double.serve.get('loupe')!({ url: `loupe://app${pathname}${search}`, method: route.request().method() });
    return route.fulfill({
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: Buffer.from(await response.arrayBuffer()),
    });
  });
  await page.exposeFunction('askShell', (name: string, input: unknown) => ask(window, name, input));
  await page.addInitScript(() => {
    const { askShell } = globalThis as unknown as { askShell: (name: string, input: unknown) => Promise<unknown> };
    Object.assign(globalThis, { loupe: { request: askShell, onEvent: () => {} } });
  });
  await page.goto(window.url.replace('loupe://app', origin));
  return complaints;
}

function ask(window: WindowDouble, name: string, input: unknown): Promise<unknown> {
  const event = { senderFrame: { url: window.url, parent: null }, sender: window.webContents };
  return (double.ipc.get('loupe:request') as (...given: unknown[]) => Promise<unknown>)(event, name, input);
}

test('the main window works under the policy', async ({ page }) => {
  const complaints = await show(page, double.windows[0]!);
  await expect(page.getByRole('main').first()).toBeVisible();
  await expect(page.getByRole('button').first()).toBeVisible();
  expect(complaints).toEqual([]);
});

test('the overlay shows the frozen frame, and its selection is what is kept', async ({ page }) => {
  double.shortcuts.press('CommandOrControl+Shift+Space');
  await expect.poll(() => double.windows.length).toBe(2);
  const overlay = double.windows[1]!;
  await page.setViewportSize({ width: 1280, height: 800 });
  const complaints = await show(page, overlay);
  const frame = page.locator('img').first();
  await expect.poll(() => frame.evaluate((image: HTMLImageElement) => [image.naturalWidth, image.naturalHeight])).toEqual([1280, 800]);
  await page.mouse.move(200, 150);
  await page.mouse.down();
  await page.mouse.move(500, 400, { steps: 4 });
  await page.mouse.up();
  await page.keyboard.press('Enter');
  await expect.poll(() => overlay.destroyed).toBe(true);
  // Both ends of the drag are inside.
  expect(screen.crops).toEqual([{ x: 200, y: 150, width: 301, height: 251 }]);
  await expect.poll(() => double.windows[2]?.bounds).toEqual({ x: 513, y: 150, width: 420, height: 560 });
  expect(complaints).toEqual([]);
});
