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
  // Electron hands bytes over as they are, an exposed function does not.
  await page.exposeFunction('askShell', async (name: string, input: unknown) => withoutBytes(await ask(window, name, input)));
  await page.addInitScript(() => {
    const { askShell } = globalThis as unknown as { askShell: (name: string, input: unknown) => Promise<string> };
    const withBytes = (_: string, value: unknown): unknown => {
      const base64 = (value as { base64?: string } | null)?.base64;
      return base64 === undefined ? value : Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    };
    const request = async (name: string, input: unknown): Promise<unknown> => JSON.parse(await askShell(name, input), withBytes);
    Object.assign(globalThis, { loupe: { request, onEvent: () => {} } });
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

function withoutBytes(value: unknown): string {
  return JSON.stringify(value, function (this: Record<string, unknown>, key: string) {
    const part = this[key];
    return part instanceof Uint8Array ? { base64: Buffer.from(part).toString('base64') } : part;
  });
}

function isFrozen(message: unknown): boolean {
  const { event, payload } = message as { event: string; payload: unknown };
  return event === 'capture.frozen' && payload !== null;
}

test('the overlay shows the frozen frame, and its selection is what is kept', async ({ page }) => {
  const windowOf = (view: string): WindowDouble | undefined => double.windows.find(({ url }) => url.includes(`view=${view}`));
  double.shortcuts.press('CommandOrControl+Shift+Space');
  await expect.poll(() => windowOf('overlay') !== undefined).toBe(true);
  const overlay = windowOf('overlay')!;
  await expect.poll(() => overlay.webContents.sent.some(([, message]) => isFrozen(message))).toBe(true);
  await page.setViewportSize({ width: 1280, height: 800 });
  const complaints = await show(page, overlay);
  const frame = page.locator('canvas').first();
  await expect.poll(() => frame.evaluate((canvas: HTMLCanvasElement) => [canvas.width, canvas.height])).toEqual([1280, 800]);
  await expect.poll(() => overlay.visible).toBe(true);
  await page.mouse.move(200, 150);
  await page.mouse.down();
  await page.mouse.move(500, 400, { steps: 4 });
  await page.mouse.up();
  await page.keyboard.press('Enter');
  await expect.poll(() => overlay.visible).toBe(false);
  // Both ends of the drag are inside.
  expect(screen.crops).toEqual([{ x: 200, y: 150, width: 301, height: 251 }]);
  await expect.poll(() => windowOf('quick')?.bounds).toMatchObject({ x: 513, y: 150, width: 420 });
  expect(complaints).toEqual([]);
});
