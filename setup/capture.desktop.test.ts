/**
 * Captures in the packaged app, in a real Electron: from the hotkey to the answer, and what ends them early. Every key and every
 * click is the system's; the debugger only looks.
 */
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { chromium, type Browser, type Locator, type Page } from 'playwright';
import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { openStore } from '../main/storage/store.ts';
import { backdrop, giveAway, startDesktop, until, type Desktop, type Point, type Window } from './desktop.mjs';
import { ensureElectronRuntime } from './electron-runtime.mjs';
import { admitDebugger, driveApp, hotkey, packageAround, type Driver } from './packaged-app.mjs';

const port = 9548;
const lastHotkey = 'ctrl+shift+F9';

let folder: string;
let executable: string;
let desktop: Desktop;
let app: Driver;
let first: ReturnType<Driver['start']>;
let browser: Browser;
let main: Page;

beforeAll(async () => {
  const found = await ensureElectronRuntime();
  if ('reason' in found) throw new Error(found.reason);
  ({ folder, executable } = await packageAround(found.runtime));
  admitDebugger(folder);
  desktop = await startDesktop({ width: 1280, height: 800 });
  leaveSettings(desktop.data);
  app = driveApp(desktop, executable);
  first = app.start(`--remote-debugging-port=${port}`);
  browser = await until('debugger', () => chromium.connectOverCDP(`http://127.0.0.1:${port}`).catch(() => null), { everyMs: 300 });
  main = await pageWith('loupe://app/');
  await until('main window', app.main);
});
afterAll(async () => {
  await browser?.close();
  await desktop?.stop();
  rmSync(folder, { recursive: true, force: true });
});
/** Each test finds nothing in front of the main window, whatever the one before came to. */
beforeEach(async () => {
  for (let left = 4; left > 0 && ((await app.overlay()) ?? (await app.quick())); left--) {
    await desktop.key('Escape');
    await sleep(300);
  }
  await app.overlayGone();
  await app.quickGone();
});

/** The window manager holds Ctrl+Alt+Left: another program, which was there before. */
function leaveSettings(data: string): void {
  const store = openStore(data);
  store.saveSettings({ welcomed: true, hotkeyLast: 'CommandOrControl+Shift+F9', hotkeyDisplay: 'Control+Alt+Left' });
  store.close();
  giveAway(data);
}

function pageWith(address: string): Promise<Page> {
  const pages = (): Page[] => browser.contexts().flatMap((context) => context.pages());
  return until(`page of ${address}`, () => pages().find((each) => each.url() === address));
}

/** What the page may ask the app, as it asks it. */
function ask<Output>(name: string, input: object = {}): Promise<Output> {
  return main.evaluate(
    async ([name, input]) => {
      const { loupe } = globalThis as unknown as { loupe: { request: (name: string, input: unknown) => Promise<{ output: Output }> } };
      return (await loupe.request(name as string, input)).output;
    },
    [name, input] as const,
  );
}

/** Long enough for an idle app to fall asleep between two entries. */
const rest = (): Promise<void> => sleep(1500);

const from = { x: 500, y: 300 };

/** Freezes the screen and selects so many pixels from there on. */
async function selectOn(width: number, height: number): Promise<void> {
  await app.openOverlay();
  const to = { x: from.x + width - 1, y: from.y + height - 1 };
  const inside = { x: from.x + 10, y: from.y + 10 };
  const dimmed = desktop.colour(inside);
  await desktop.drag(from, to);
  await until('selected region', () => desktop.colour(inside) !== dimmed, { everyMs: 3 });
}

/** The picture itself: its small view has the same size where it is small, and is WebP, which changes colours. */
const kept = (width: number, height: number): Promise<string> =>
  until(`picture of ${width} x ${height}`, async () => {
    for (const path of pictures()) {
      const found = await sharp(path)
        .metadata()
        .catch(() => null);
      if (found?.format === 'png' && found.width === width && found.height === height) return path;
    }
    return null;
  });

function pictures(): string[] {
  const place = join(desktop.data, 'pictures');
  if (!existsSync(place)) return [];
  return readdirSync(place, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.endsWith('incoming'))
    .map(({ parentPath, name }) => join(parentPath, name));
}

/** The quick-ask window, once it has the keyboard. */
async function quickReady(): Promise<Point> {
  const window = await until('quick-ask window', app.quick);
  await until('keyboard in the quick-ask window', () => desktop.hasKeyboard(window.id));
  await rest();
  return window;
}

async function click(target: Locator, window: Point): Promise<void> {
  await target.waitFor();
  const { x, y, width, height } = (await target.boundingBox())!;
  await desktop.click({ x: Math.round(window.x + x + width / 2), y: Math.round(window.y + y + height / 2) });
}

/** How the last answer stands. */
function lastAnswer(): { id: number; state: string; text: string } | undefined {
  const database = new Database(join(desktop.data, 'loupe.db'), { readonly: true });
  try {
    return database
      .prepare<[], { id: number; state: string; text: string }>(
        "select id, state, text from messages where role = 'assistant' order by id desc limit 1",
      )
      .get();
  } finally {
    database.close();
  }
}

/** `before`: of the answer that was the last until then. */
async function answered(before?: number): Promise<void> {
  const ended = (): boolean => lastAnswer() !== undefined && lastAnswer()!.id !== before && lastAnswer()!.state !== 'streaming';
  await until('end of the answer', ended, { patienceMs: 120_000, everyMs: 300 });
  expect(lastAnswer()).toMatchObject({ state: 'complete' });
}

/** Processes of the app in whose memory this file is mapped. */
function processesWith(file: string): number[] {
  return processesOf((_command, pid) => read(`/proc/${pid}/maps`).includes(file));
}

/** Processes of the app with such a command line. */
function processesOf(wanted: (command: string, pid: number) => boolean): number[] {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return all.map(Number).filter((pid) => programOf(pid) === executable && wanted(read(`/proc/${pid}/cmdline`), pid));
}

/** Null for a process that has ended meanwhile, and for another user's. */
function programOf(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return null;
  }
}

/** Empty for a process that has ended meanwhile. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** The backdrop all over. */
function expectScreen(pixels: number[]): void {
  expect(new Set(pixels)).toEqual(new Set([backdrop]));
}

test('a hotkey that another program holds is said to be taken; the others work', async () => {
  const { hotkeys } = await ask<{ hotkeys: Record<string, { status: string; advice: string }> }>('capture.state');
  expect(hotkeys['display']).toMatchObject({ status: 'taken' });
  expect(hotkeys['display']!.advice).toContain('belongs to another program');
  expect([hotkeys['region']!.status, hotkeys['last']!.status, hotkeys['text']!.status]).toEqual(['registered', 'registered', 'off']);
});

test('hotkey, drag, nudge, Enter, question, answer, Open in Loupe', async () => {
  await selectOn(201, 121);
  await desktop.key('Left');
  await desktop.key('alt+Down');
  await desktop.key('Return');
  await kept(201, 122);
  const window = await quickReady();
  expect(lastRegion()).toEqual({ x: 499, y: 300, width: 201, height: 122 });
  await desktop.key(...'what');
  await desktop.key('Return');
  await answered();
  const quick = await pageWith('loupe://app/?view=quick');
  await click(quick.getByRole('button', { name: 'Open in Loupe' }), window);
  await app.quickGone();
  await main.getByRole('article', { name: 'Answer' }).waitFor();
  expect(await main.getByRole('article').first().innerText()).toContain('what');
  await until('keyboard in the main window', async () => desktop.hasKeyboard((await until('main window', app.main)).id));
});

test('the hotkey for the last region takes it again, without an overlay', async () => {
  await desktop.key(lastHotkey);
  const window = await quickReady();
  expect(window).toBeDefined();
  expect(await app.overlay()).toBeUndefined();
  const taken = await ask<{ picture: { width: number; height: number } }>('capture.current');
  expect(taken.picture).toMatchObject({ width: 201, height: 122 });
  await desktop.key('Escape');
});

test('P copies the region as a picture, keeps nothing, and it can be pasted', async () => {
  const before = pictures().length;
  await selectOn(203, 107);
  await desktop.key('p');
  await app.overlayGone();
  await rest();
  expect(await app.quick()).toBeUndefined();
  expect(pictures()).toHaveLength(before);
  const window = await until('main window', app.main);
  await desktop.activate(window.id);
  await rest();
  await desktop.key('ctrl+v');
  const picture = await sharp(await kept(203, 107))
    .removeAlpha()
    .raw()
    .toBuffer();
  expectScreen(Array.from({ length: 203 * 107 }, (_, at) => picture.readUIntBE(at * 3, 3)));
});

/** The region that was taken last. */
function lastRegion(): { x: number; y: number; width: number; height: number } {
  const { lastRegions } = JSON.parse(readFileSync(join(desktop.data, 'shell.json'), 'utf8')) as {
    lastRegions: Record<string, { region: { x: number; y: number; width: number; height: number } }>;
  };
  return Object.values(lastRegions)[0]!.region;
}

/** What is taken while the main window is on the screen, and not in front. */
async function takenBeside(choose: () => unknown): Promise<ReturnType<typeof lastRegion>> {
  await desktop.leaveWindows();
  await app.openOverlay();
  await choose();
  await rest();
  await desktop.key('Return');
  await quickReady();
  await desktop.key('Escape');
  await app.quickGone();
  return lastRegion();
}

test('a click selects a window with its frame, and S does; drags snap to it, and not with Ctrl', async () => {
  const window = await until('main window', app.main);
  const middle = { x: window.x + 600, y: window.y + 120 };
  const clicked = await takenBeside(() => desktop.click(middle));
  const right = clicked.x + clicked.width;
  // The title bar belongs to it.
  expect(clicked.height).toBeGreaterThan(window.height + 10);
  // The backdrop begins where it ends.
  const { y } = middle;
  const colours = [clicked.x - 1, clicked.x, right - 1, right].map((x) => desktop.colour({ x, y }));
  expect(colours.map((colour) => colour === backdrop)).toEqual([true, false, false, true]);
  // The panel is in front of it.
  expect(await takenBeside(() => desktop.key('s', 's'))).toEqual(clicked);

  const around = [
    { x: clicked.x - 4, y: y - 50 },
    { x: right + 3, y: y + 50 },
  ] as const;
  expect(await takenBeside(() => desktop.drag(...around))).toEqual({ x: clicked.x, y: y - 50, width: clicked.width, height: 101 });
  expect(await takenBeside(() => desktop.dragWith('ctrl', ...around))).toEqual({
    x: clicked.x - 4,
    y: y - 50,
    width: clicked.width + 8,
    height: 101,
  });
});

/** The window of a pin, which has this size now. */
const pinOf = (width: number, height: number): Promise<Window> =>
  until(`pin of ${width} x ${height}`, async () => (await desktop.windows()).find((one) => one.width === width && one.height === height));

async function pin(width: number, height: number): Promise<Window> {
  await selectOn(width, height);
  await desktop.key('t');
  await app.overlayGone();
  const window = await pinOf(width, height);
  await until('keyboard in the pin', () => desktop.hasKeyboard(window.id));
  await rest();
  return window;
}

test('T pins the region where it was: moved, resized and copied by keys and pointer, and kept nowhere', async () => {
  const before = pictures().length;
  const pinned = await pin(301, 151);
  expect(pinned).toMatchObject(from);
  await desktop.key('Right', 'Right', 'shift+Down');
  await until(
    'pin that was moved by keys',
    async () => (await pinOf(301, 151)).x === from.x + 2 && (await pinOf(301, 151)).y === from.y + 10,
  );
  await desktop.drag({ x: from.x + 100, y: from.y + 100 }, { x: from.x + 160, y: from.y + 60 });
  await until('pin that was dragged', async () => (await pinOf(301, 151)).x === from.x + 62 && (await pinOf(301, 151)).y === from.y - 30);
  await desktop.click({ x: from.x + 150, y: from.y + 40 }, '4');
  expect(await pinOf(331, 166)).toMatchObject({ x: from.x + 47 });
  await desktop.key('minus', 'minus');
  await pinOf(274, 137);
  await desktop.key('0');
  await pinOf(301, 151);
  // Above a window that has the keyboard.
  await desktop.activate((await until('main window', app.main)).id);
  await until('keyboard in the main window', async () => desktop.hasKeyboard((await until('main window', app.main)).id));
  const inside = { x: from.x + 70, y: from.y };
  expect(desktop.colour(inside)).toBe(backdrop);
  expect(pictures()).toHaveLength(before);
  await desktop.activate(pinned.id);
  await until('keyboard in the pin', () => desktop.hasKeyboard(pinned.id));
  await desktop.key('ctrl+c');
  await rest();
  await desktop.key('Escape');
  await until('end of the pin', async () => !(await desktop.windows()).some(({ id }) => id === pinned.id));
  await desktop.activate((await until('main window', app.main)).id);
  await rest();
  await desktop.key('ctrl+v');
  const copied = await sharp(await kept(301, 151))
    .removeAlpha()
    .raw()
    .toBuffer();
  expectScreen(Array.from({ length: 301 * 151 }, (_, at) => copied.readUIntBE(at * 3, 3)));
});

test('several pins: N goes from one to the next, the menu closes all, a capture shows them and comes in front', async () => {
  const first = await pin(310, 152);
  await desktop.key('shift+Down', 'shift+Down');
  const second = await pin(320, 153);
  await desktop.key('n');
  await until('keyboard in the first pin', () => desktop.hasKeyboard(first.id));
  await app.openOverlay();
  await desktop.key('Escape');
  await app.overlayGone();
  await desktop.activate(second.id);
  await rest();
  await desktop.click({ x: from.x + 20, y: from.y + 20 }, '3');
  await rest();
  // The last of the menu.
  await desktop.key('Up');
  await rest();
  await desktop.key('Return');
  const left = async (): Promise<boolean> => (await desktop.windows()).some(({ id }) => id === first.id || id === second.id);
  await until('end of all pins', async () => !(await left()));
});

test('what is redacted is in no pixel of the picture that is kept; the rest is as it was', async () => {
  await selectOn(211, 131);
  await desktop.key('x');
  await desktop.drag({ x: from.x + 20, y: from.y + 30 }, { x: from.x + 119, y: from.y + 79 });
  // The key has begun one in the middle third, which the drag takes the place of.
  const isBlack = (x: number, y: number): boolean => desktop.colour({ x: from.x + x, y: from.y + y }) === 0;
  await until('mark', () => isBlack(25, 35) && isBlack(115, 75) && !isBlack(135, 84));
  await desktop.key('Return');
  const picture = await sharp(await kept(211, 131))
    .removeAlpha()
    .raw()
    .toBuffer();
  const marked: number[] = [];
  const rest: number[] = [];
  for (let y = 0; y < 131; y++)
    for (let x = 0; x < 211; x++) {
      const isRedacted = x >= 20 && x <= 119 && y >= 30 && y <= 79;
      (isRedacted ? marked : rest).push(picture.readUIntBE((y * 211 + x) * 3, 3));
    }
  expect(new Set(marked)).toEqual(new Set([0]));
  expectScreen(rest);
  await quickReady();
  await desktop.key('Escape');
});

test('Esc leaves the mark, the tool, the capture and the small window, one after the other', async () => {
  await selectOn(150, 90);
  await desktop.key('x');
  const middle = { x: from.x + 75, y: from.y + 45 };
  await until('mark', () => desktop.colour(middle) === 0);
  await desktop.key('Escape');
  await until('end of the mark', () => desktop.colour(middle) === backdrop);
  await desktop.key('Escape');
  await rest();
  const overlay = await until('overlay', app.overlay);
  expect(await desktop.hasKeyboard(overlay.id)).toBe(true);
  await desktop.key('Return');
  await quickReady();
  await desktop.key('Escape');
  await app.quickGone();
  await selectOn(150, 90);
  await desktop.key('Escape');
  await app.overlayGone();
});

test('a capture that is not kept is forgotten however the small window is closed', async () => {
  await ask('settings.set', { privateCaptures: true });
  const listed = async (): Promise<number> =>
    (await ask<{ private?: boolean }[]>('conversations.list')).filter((each) => each.private).length;
  for (const [index, way] of ['Escape', 'alt+F4'].entries()) {
    await selectOn(160, 91 + index);
    await desktop.key('Return');
    await quickReady();
    await desktop.key(...'what');
    await desktop.key('Return');
    await until('private conversation', async () => (await listed()) === 1);
    await desktop.key(way);
    await app.quickGone();
    await until(`end of the private conversation after ${way}`, async () => (await listed()) === 0, { patienceMs: 20_000 });
  }
  await ask('settings.set', { privateCaptures: false });
});

test('engine and picture process are killed: the next question is answered', async () => {
  for (const [index, file] of ['loupe.node', 'libvips'].entries()) {
    const killed = await until(`process with ${file}`, () => processesWith(file)[0]);
    process.kill(killed, 'SIGKILL');
    await selectOn(170, 93 + index);
    await desktop.key('Return');
    await kept(170, 93 + index);
    await quickReady();
    const before = lastAnswer()?.id;
    await desktop.key(...'what');
    await desktop.key('Return');
    await answered(before);
    await desktop.key('Escape');
    await app.quickGone();
  }
});

test('the processes of all windows are killed: the main window is back, and a capture goes its way', async () => {
  const killed = processesOf((command) => command.includes('--type=renderer'));
  expect(killed.length).toBeGreaterThanOrEqual(3);
  for (const pid of killed) process.kill(pid, 'SIGKILL');
  await until('end of what was killed', () => killed.every((pid) => programOf(pid) === null));
  await until('main window', app.main);
  await selectOn(190, 97);
  await desktop.key('Return');
  await kept(190, 97);
  await quickReady();
  await desktop.key('Escape');
});

test('quit in the middle of an answer: it ends as it should, and what was written is kept as interrupted', async () => {
  await selectOn(180, 95);
  await desktop.key('Return');
  await quickReady();
  const before = lastAnswer()?.id;
  // The answer cannot end before the app does.
  for (const pid of processesWith('loupe.node')) process.kill(pid, 'SIGSTOP');
  await desktop.key(...'what');
  await desktop.key('Return');
  await until('answer that is being written', () => lastAnswer()?.id !== before, { everyMs: 5 });
  await desktop.activate((await until('main window', app.main)).id);
  await desktop.key('ctrl+q');
  await until('end of the app', () => first.exitCode !== null);
  expect(first.exitCode).toBe(0);
  expect(lastAnswer()!.state).toBe('interrupted');
});

test('started minimised it shows no window, and the hotkey works; a second start opens the window', async () => {
  const store = openStore(desktop.data);
  store.saveSettings({ startMinimised: true });
  store.close();
  giveAway(desktop.data);
  const minimised = app.start();
  await until('hotkey', async () => {
    await desktop.key(hotkey);
    return app.pictureShown(1000).catch(() => null);
  });
  expect(await app.main()).toBeUndefined();
  await desktop.key('Escape');
  await app.overlayGone();
  expect(await app.main()).toBeUndefined();
  await app.showMain();
  await desktop.activate((await until('main window', app.main)).id);
  await desktop.key('ctrl+q');
  await until('end of the app', () => minimised.exitCode !== null);
  expect(minimised.exitCode).toBe(0);
});
