/** Captures on two displays, by the packaged app in a real Electron. Every key and every click is the system's. */
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { openStore } from '../main/storage/store.ts';
import { giveAway, startDesktop, until, type Desktop, type Point, type Window } from './desktop.mjs';
import { ensureElectronRuntime } from './electron-runtime.mjs';
import { driveApp, hotkey, packageAround, type Driver } from './packaged-app.mjs';

const [wide, small] = ['1280x800+0+0', '1024x768+1280+0'] as const;
const displays = [wide, small];

let folder: string;
let desktop: Desktop;
let app: Driver;

beforeAll(async () => {
  const found = await ensureElectronRuntime();
  if ('reason' in found) throw new Error(found.reason);
  const packed = await packageAround(found.runtime);
  folder = packed.folder;
  desktop = await startDesktop({ width: 2304, height: 800 }, displays);
  const store = openStore(desktop.data);
  store.saveSettings({ welcomed: true });
  store.close();
  giveAway(desktop.data);
  app = driveApp(desktop, packed.executable);
  app.start();
  await until('main window', async () => (await desktop.windows())[0]);
});
afterAll(async () => {
  await desktop?.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  await until('end of every capture', async () => {
    if (!(await app.quick()) && !(await isFrozen())) return true;
    await desktop.key('Escape');
    await sleep(300);
    return false;
  });
});

function boundsOf(display: string): Omit<Window, 'id'> {
  const [width, height, x, y] = display.split(/[x+]/).map(Number) as [number, number, number, number];
  return { x, y, width, height };
}

const within = (display: string, { x, y }: Point): Point => ({ x: boundsOf(display).x + x, y: boundsOf(display).y + y });

/** Covers this display, and nothing else. */
async function overlayOf(display: string): Promise<Window | undefined> {
  const { x, y, width, height } = boundsOf(display);
  return (await desktop.windows()).find((each) => each.x === x && each.y === y && each.width === width && each.height === height);
}

const isFrozen = async (): Promise<boolean> => (await Promise.all(displays.map(overlayOf))).some((found) => found !== undefined);

/** With the pointer on this display; returns when every one is frozen. */
async function freeze(pointed: string): Promise<void> {
  await desktop.point(within(pointed, { x: 200, y: 200 }));
  await desktop.key(hotkey);
  for (const display of displays) await until(`overlay of ${display}`, () => overlayOf(display));
}

/** For good: a window that comes later must not take it away. */
async function expectKeyboard(display: string): Promise<void> {
  const { id } = (await overlayOf(display))!;
  await until(`keyboard on ${display}`, () => desktop.hasKeyboard(id), { patienceMs: 20_000 });
  await sleep(700);
  expect(await desktop.hasKeyboard(id)).toBe(true);
}

test('every display is frozen, and the one under the pointer has the keyboard, each time', async () => {
  for (const pointed of [wide, small, wide, small, wide, small, wide, wide]) {
    await freeze(pointed);
    await expectKeyboard(pointed);
    await desktop.key('Escape');
    await until('end of the overlays', async () => !(await isFrozen()));
  }
});

test('a part of the second display is taken in its own pixels, and asked about on that display', async () => {
  await freeze(small);
  await expectKeyboard(small);
  await desktop.drag(within(small, { x: 300, y: 200 }), within(small, { x: 520, y: 333 }));
  await sleep(500);
  await desktop.key('Return');
  await until('picture of 221 x 134', () => app.kept().some(({ width, height }) => width === 221 && height === 134));
  const { x, y, width, height } = await until('quick-ask window', app.quick);
  const display = boundsOf(small);
  expect(x).toBeGreaterThanOrEqual(display.x);
  expect(x + width).toBeLessThanOrEqual(display.x + display.width);
  expect(y + height).toBeLessThanOrEqual(display.y + display.height);
});
