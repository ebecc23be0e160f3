/**
 * The packaged app as a person has it: in a real Electron, on a screen, with keys and a pointer. `npm test` says which
 * Electron, and skips these where none can be had.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createDocumentReader } from '../main/documents/document-client.ts';
import { line, writePdf } from '../main/documents/test/write-pdf.ts';
import { createLibrary } from '../main/services/documents/library.ts';
import { openStore } from '../main/storage/store.ts';
import { backdrop, giveAway, isDimmed, startDesktop, until, type Desktop } from './desktop.mjs';
import { ensureElectronRuntime } from './electron-runtime.mjs';
import { driveApp, hotkey, packageAround, type Driver } from './packaged-app.mjs';

let folder: string;
let desktop: Desktop;
let app: Driver;
let first: ReturnType<Driver['start']>;

beforeAll(async () => {
  const found = await ensureElectronRuntime();
  if ('reason' in found) throw new Error(found.reason);
  const packaged = await packageAround(found.runtime);
  folder = packaged.folder;
  desktop = await startDesktop({ width: 1280, height: 800 });
  await leaveData(desktop.data);
  app = driveApp(desktop, packaged.executable);
  first = app.start();
  await until('main window', app.main);
});
afterAll(async () => {
  await desktop?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** What the app finds: a document that was added and not read yet when the app ended last, and a hotkey besides the usual one. */
async function leaveData(data: string): Promise<void> {
  const reader = createDocumentReader();
  const store = openStore(data);
  try {
    const file = join(folder, 'lease.pdf');
    writeFileSync(file, writePdf({ pages: [{ content: line('Notice is three months') }] }));
    await createLibrary({ store, reader }).add(file);
    store.saveSettings({ hotkeyText: 'CommandOrControl+Shift+F11' });
  } finally {
    store.close();
    await reader.close();
  }
  giveAway(data);
}

/** Each test finds the main window open and nothing in front of it, whatever the one before came to. */
beforeEach(async () => {
  if ((await app.overlay()) ?? (await app.quick())) await desktop.key('Escape');
  await app.overlayGone();
  await app.quickGone();
  if (!(await app.main())) await app.showMain();
});

const from = { x: 500, y: 300 };
const to = { x: 700, y: 420 };

/** Long enough for an idle app to fall asleep between two entries: what is left behind then lies for seconds. */
const rest = (): Promise<void> => sleep(1500);

async function hideMain(): Promise<void> {
  await desktop.activate((await until('main window', app.main)).id);
  await desktop.key('alt+F4');
  await app.mainGone();
}

/** Keys that go through a menu, which opens in its own time. */
async function walk(...keys: string[]): Promise<void> {
  for (const key of keys) {
    await desktop.key(key);
    await rest();
  }
}

// First: the Alt+F4 of others can leave the menu bar shown, which Alt then hides.
test('the menu of the main window captures', async () => {
  await desktop.activate((await until('main window', app.main)).id);
  await app.openOverlay(() => walk('Alt_L', 'Down', 'Return'));
  await desktop.key('Escape');
  await app.overlayGone();
});

test('a document that waits is read out of the package, by its own process', async () => {
  const database = new Database(join(desktop.data, 'loupe.db'), { readonly: true });
  try {
    const read = database.prepare<[], { state: string; text: string; flags: string }>(
      "select state, text, flags from pages where state <> 'waiting'",
    );
    expect(await until('page that is read', () => read.get())).toEqual({ state: 'text', text: 'Notice is three months', flags: '[]' });
  } finally {
    database.close();
  }
});

test('hotkey, Esc, hotkey, drag, Enter, with the main window open: no round is lost', async () => {
  for (let round = 1; round <= 4; round++) {
    await app.openOverlay();
    await desktop.key('Escape');
    await app.overlayGone();
    await app.openOverlay();
    // Another region each time: the same picture would be kept once.
    await app.take(from, { x: to.x + round, y: to.y });
    expect(await app.overlay()).toBeUndefined();
    await desktop.key('Escape');
    await app.quickGone();
  }
});

test('a window manager that dies and comes back: the overlay has the keyboard as before', async () => {
  await desktop.crashWindowManager();
  await app.openOverlay();
  await desktop.key('Escape');
  await app.overlayGone();
});

test('the hotkey is as quick when no window of ours is in front as when one is', async () => {
  const times = { front: [] as number[], hidden: [] as number[] };
  for (const state of ['front', 'hidden'] as const) {
    if (state === 'hidden') await hideMain();
    for (let round = 0; round < 5; round++) {
      if (state === 'front') await desktop.activate((await until('main window', app.main)).id);
      await rest();
      const start = performance.now();
      await desktop.key(hotkey);
      await app.pictureShown();
      times[state].push(performance.now() - start);
      await app.openOverlay(() => {});
      await desktop.key('Escape');
      await app.overlayGone();
    }
  }
  await app.showMain();
  const [front, hidden] = [times.front, times.hidden].map((list) => list.toSorted((a, b) => a - b)[2]!);
  // In front it waits for its own window to be gone first. Left behind until the loop happened to turn, it took thirty times as long.
  expect(hidden!, JSON.stringify(times)).toBeLessThan(front! * 4);
});

test('the overlay comes with its picture: no pixel of an empty window before', async () => {
  await hideMain();
  for (let round = 0; round < 3; round++) {
    const points = [
      { x: 30, y: 30 },
      { x: 1240, y: 60 },
      { x: 640, y: 250 },
      { x: 30, y: 760 },
    ];
    const seen = points.map(() => [backdrop]);
    const look = (): void => {
      for (const [index, point] of points.entries()) {
        const colour = desktop.colour(point);
        if (seen[index]!.at(-1) !== colour) seen[index]!.push(colour);
      }
    };
    await desktop.key(hotkey);
    await until(
      'frozen picture',
      () => {
        look();
        return seen.every((colours) => isDimmed(colours.at(-1)!));
      },
      { everyMs: 1 },
    );
    await app.openOverlay(() => {});
    // What X fills a new window with may be seen before its first frame; that frame has the picture.
    const named = seen.map((colours) => colours.map((colour) => colour.toString(16)).join(', '));
    for (const colours of seen) {
      expect(isDimmed(colours.at(-1)!), named.join('; ')).toBe(true);
      expect(colours.length, named.join('; ')).toBeLessThanOrEqual(3);
    }
    // Neither the window's own colour, nor the page's, nor black.
    expect(named.join(', ')).not.toMatch(/\b(171614|f0e0d|fbfaf7|ffffff|0)\b/);
    await desktop.key('Escape');
    await app.overlayGone();
    await rest();
  }
  await app.showMain();
});

test('C copies the text of the screen: the overlay is gone at once, a notice says how it went, and the text can be pasted', async () => {
  // Beside the main window, which has words in it, and is not in front.
  await desktop.leaveWindows();
  await app.openOverlay();
  await desktop.key('c');
  await app.overlayGone();
  const notice = await until('notice', app.notice);
  expect(await desktop.hasKeyboard(notice.id)).toBe(false);
  await until('end of the notice', async () => !(await app.notice()), { patienceMs: 120_000 });
  await app.openOverlay();
  await app.take(from, { x: to.x + 20, y: to.y });
  await until('keyboard in the quick-ask window', async () => desktop.hasKeyboard((await until('quick-ask window', app.quick)).id));
  await rest();
  await desktop.key('ctrl+v');
  await rest();
  await desktop.key('Return');
  const database = new Database(join(desktop.data, 'loupe.db'), { readonly: true });
  try {
    const asked = database.prepare<[], string>("select text from messages where role = 'user' order by id desc limit 1").pluck();
    expect(await until('question', () => asked.get())).toMatch(/Loupe/);
  } finally {
    database.close();
  }
  await desktop.key('Escape');
  await app.quickGone();
});

test('the hotkey for text: Enter copies the text of the screen, and asks nobody', async () => {
  await desktop.leaveWindows();
  await app.openOverlay(() => desktop.key('ctrl+shift+F11'));
  await desktop.key('Return');
  await app.overlayGone();
  await until('notice', app.notice);
  expect(await app.quick()).toBeUndefined();
  await until('end of the notice', async () => !(await app.notice()), { patienceMs: 120_000 });
});

test('pressed again while it is on its way, or there: one overlay; after Esc a new one', async () => {
  const overlay = await app.openOverlay(() => desktop.key(hotkey, hotkey, hotkey));
  await desktop.key(hotkey);
  await rest();
  expect((await app.overlay())?.id).toBe(overlay.id);
  await desktop.key('Escape');
  await app.overlayGone();
  await rest();
  expect(await app.overlay()).toBeUndefined();
  // Esc before there is anything to see, and pressed again at once.
  await app.openOverlay(() => desktop.key(hotkey, 'Escape', hotkey));
  await desktop.key('Escape');
  await app.overlayGone();
});

test('a second start hands over to the first', async () => {
  await rest();
  await app.openOverlay(() => app.start('--capture'));
  await desktop.key('Escape');
  await app.overlayGone();
  await rest();
  app.start('--capture=display');
  await until('quick-ask window', app.quick);
  await until('picture of the whole screen', () => app.kept().some(({ width, height }) => width === 1280 && height === 800));
  await desktop.key('Escape');
  await app.quickGone();
  await hideMain();
  await rest();
  await app.showMain();
  await app.openOverlay(() => app.start('loupe://capture'));
  await desktop.key('Escape');
  await app.overlayGone();
});

test('the tray opens the window, and its menu captures', async () => {
  await hideMain();
  const icon = await until('tray icon', findIcon);
  await rest();
  await desktop.click(icon);
  await until('main window', app.main);
  await hideMain();
  await rest();
  await desktop.click(icon, '3');
  await rest();
  await app.openOverlay(() => walk('Down', 'Return'));
  await desktop.key('Escape');
  await app.overlayGone();
  await app.showMain();
});

/** The orange ring, in the panel at the lower edge, right of the middle. */
function findIcon(): { x: number; y: number } | null {
  const { width, height } = desktop.size;
  for (let x = width - 1; x > width / 2; x--) {
    const colour = desktop.colour({ x, y: height - 15 });
    const [red, green, blue] = [colour >> 16, (colour >> 8) & 255, colour & 255] as const;
    if (red > 150 && green > 60 && green < 0.75 * red && blue < 0.4 * red) return { x: x - 3, y: height - 15 };
  }
  return null;
}

test('it quits, after all that, as it should', async () => {
  await app.openOverlay();
  await desktop.key('Escape');
  await app.overlayGone();
  await desktop.activate((await until('main window', app.main)).id);
  await desktop.key('ctrl+q');
  await app.mainGone();
  await until('end of the app', () => first.exitCode !== null);
  expect(first.exitCode).toBe(0);
});
