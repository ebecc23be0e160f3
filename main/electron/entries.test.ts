import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { answer, entry, isEntry } from './entries.ts';
import { createElectronDouble } from './test/electron-double.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('an entry does what its handler does, and the loop turns afterwards', () => {
  const handler = vi.fn((a: number, b: number) => a + b);
  expect(entry(handler)(2, 3)).toBe(5);
  expect(handler).toHaveBeenCalledExactlyOnceWith(2, 3);
  expect(vi.getTimerCount()).toBe(1);
});

test('the loop turns after a handler that throws', () => {
  const failing = entry(() => {
    throw new Error('no');
  });
  expect(failing).toThrow('no');
  expect(vi.getTimerCount()).toBe(1);
});

test('the loop goes on turning until Electron has answered, or failed to', async () => {
  const good = Promise.withResolvers<number>();
  const bad = Promise.withResolvers<number>();
  const answers = [answer(good.promise), answer(bad.promise)];
  await vi.advanceTimersByTimeAsync(60_000);
  expect(vi.getTimerCount()).toBe(2);
  good.resolve(7);
  bad.reject(new Error('closed'));
  expect(await answers[0]).toBe(7);
  await expect(answers[1]).rejects.toThrow('closed');
  expect(vi.getTimerCount()).toBe(0);
});

test('the double takes nothing that does not come through here', () => {
  const { electron } = createElectronDouble();
  const { app, BrowserWindow, globalShortcut, ipcMain, Menu, nativeTheme, powerMonitor, protocol, screen, session, Tray } = electron;
  const window = new BrowserWindow({});
  const bare = (): never => expect.fail('nothing calls it');
  const ways: Record<string, (handler: () => never) => unknown> = {
    'an event of the app': (handler) => app.on('activate', handler),
    'an event that comes once': (handler) => app.once('activate', handler),
    'an event of a window': (handler) => window.on('closed', handler),
    'an event of a page': (handler) => window.webContents.once('render-process-gone', handler),
    'a link that opens a window': (handler) => window.webContents.setWindowOpenHandler(handler),
    'a key': (handler) => globalShortcut.register('F1', handler),
    'a menu item': (handler) => Menu.buildFromTemplate([{ submenu: [{ click: handler }] }]),
    'the tray': (handler) => new Tray('x').on('click', handler),
    'a display': (handler) => screen.on('display-added', handler),
    'the battery': (handler) => powerMonitor.on('suspend', handler),
    'the theme': (handler) => nativeTheme.on('updated', handler),
    'a request of a page': (handler) => ipcMain.handle('x', handler),
    'a file for a page': (handler) => protocol.handle('x', handler),
    'a permission': (handler) => session.defaultSession.setPermissionRequestHandler(handler),
    'a request to the network': (handler) => session.defaultSession.webRequest.onBeforeRequest(handler),
  };
  for (const [what, hand] of Object.entries(ways)) {
    expect(() => hand(bare), what).toThrow('past entries.ts');
    expect(() => hand(entry(bare)), what).not.toThrow();
  }
  expect([isEntry(bare), isEntry(entry(bare))]).toEqual([false, true]);
});
