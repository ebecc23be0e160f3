import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrowserWindow } from 'electron';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { desktopEntry, setAutostart } from './autostart.ts';
import { hasShortcutsPortal, isWayland, mayHaveScreenCast, showsTray } from './desktop.ts';
import { menuTemplate } from './menu.ts';
import { placesEnvironment, findPlaces } from './places.ts';
import { createRemembered, type Remembered } from './remembered.ts';
import { WindowDouble } from './test/electron-double.ts';
import { trayTemplate } from './tray.ts';
import { createMainWindow, type MainWindow } from './window.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loupe-window-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

describe('the main window', () => {
  const workArea = { x: 0, y: 0, width: 1920, height: 1040 };

  function open({
    remembered = createRemembered(join(directory, 'shell.json'), () => {}),
    kept = [],
    closesToTray = true,
  }: { remembered?: Remembered; kept?: number[]; closesToTray?: boolean } = {}): {
    main: MainWindow;
    windows: WindowDouble[];
    gone: boolean[];
    closed: () => number;
    remembered: Remembered;
  } {
    const windows: WindowDouble[] = [];
    const gone: boolean[] = [];
    const onClosed = vi.fn();
    const main = createMainWindow({
      createWindow: (options) => {
        windows.push(new WindowDouble(options));
        return windows.at(-1) as unknown as BrowserWindow;
      },
      platform: 'linux',
      preload: '/preload.cjs',
      icon: '/icon.png',
      isDark: () => true,
      displays: () => [{ id: '1', name: 'One', bounds: { ...workArea, height: 1080 }, workArea, scaleFactor: 1 }],
      primaryWorkArea: () => workArea,
      remembered,
      isKept: (id) => kept.includes(id),
      closesToTray: () => closesToTray,
      onHidden: () => {},
      onPageGone: (repeatedly) => gone.push(repeatedly),
      onOpened: () => {},
      onClosed,
    });
    return { main, windows, gone, closed: () => onClosed.mock.calls.length, remembered };
  }

  test('is sandboxed, in the colour of its page, and shown when that has painted', () => {
    const { main, windows } = open();
    expect(main.show(12)).toBe('opened');
    const [window] = windows as [WindowDouble];
    expect(window.options).toMatchObject({
      show: false,
      backgroundColor: '#171614',
      webPreferences: { sandbox: true, contextIsolation: true, nodeIntegration: false, preload: '/preload.cjs' },
    });
    expect(window.url).toBe('loupe://app/?conversation=12');
    expect(window.visible).toBe(false);
    window.emit('ready-to-show');
    expect(window.visible).toBe(true);
    window.minimized = true;
    expect(main.show(null)).toBe('shown');
    expect(window.minimized).toBe(false);
    expect(windows).toHaveLength(1);
  });

  test('opens again where it was, if that is still on a screen', () => {
    const first = open();
    first.main.show(null);
    first.windows[0]!.bounds = { x: 300, y: 100, width: 900, height: 700 };
    first.windows[0]!.maximized = true;
    first.main.quitting();
    first.windows[0]!.close();

    const second = open();
    second.main.show(null);
    expect(second.windows[0]!.options).toMatchObject({ x: 300, y: 100, width: 900, height: 700 });
    second.windows[0]!.emit('ready-to-show');
    expect(second.windows[0]!.maximized).toBe(true);

    second.remembered.set({ window: { bounds: { x: 5000, y: 100, width: 900, height: 700 }, maximized: false } });
    const third = open();
    third.main.show(null);
    expect(third.windows[0]!.options).toMatchObject({ x: 370, y: 120, width: 1180, height: 800 });
  });

  test('opens again at the conversation that it showed, if that is kept, unless another is asked for', () => {
    const first = open();
    first.main.show(null);
    // The page follows what it shows.
    first.windows[0]!.webContents.url = 'loupe://app/?conversation=12';
    first.main.quitting();
    first.windows[0]!.close();

    const again = open({ kept: [12] });
    again.main.show(null);
    expect(again.windows[0]!.url).toBe('loupe://app/?conversation=12');
    const other = open({ kept: [12] });
    other.main.show(3);
    expect(other.windows[0]!.url).toBe('loupe://app/?conversation=3');
    const deleted = open({ kept: [] });
    deleted.main.show(null);
    expect(deleted.windows[0]!.url).toBe('loupe://app/');

    deleted.windows[0]!.webContents.url = 'loupe://app/';
    deleted.main.quitting();
    deleted.windows[0]!.close();
    const atNew = open({ kept: [12] });
    atNew.main.show(null);
    expect(atNew.windows[0]!.url, 'a new conversation was shown last').toBe('loupe://app/');
  });

  test('closing hides it into the tray, until the app quits', () => {
    const { main, windows, closed } = open();
    main.show(null);
    windows[0]!.emit('ready-to-show');
    windows[0]!.close();
    expect(windows[0]).toMatchObject({ visible: false, destroyed: false });
    main.quitting();
    windows[0]!.close();
    expect(windows[0]!.destroyed).toBe(true);
    expect(closed()).toBe(1);
  });

  test('without the tray closing closes', () => {
    const { main, windows, closed } = open({ closesToTray: false });
    main.show(null);
    windows[0]!.close();
    expect(windows[0]!.destroyed).toBe(true);
    expect(closed()).toBe(1);
    expect(main.show(null)).toBe('opened');
  });

  test('a page that dies is loaded again, one that keeps dying is not', () => {
    const { main, windows, gone } = open();
    main.show(null);
    const [window] = windows as [WindowDouble];
    for (let crash = 0; crash < 4; crash++) window.webContents.emit('render-process-gone', {}, { reason: 'crashed' });
    window.webContents.emit('render-process-gone', {}, { reason: 'clean-exit' });
    expect(gone).toEqual([false, false, false, true]);
    expect(window.calls).toEqual(['reload', 'reload', 'reload']);
  });
});

describe('what is remembered', () => {
  test('comes back after a start', () => {
    const path = join(directory, 'shell.json');
    createRemembered(path, () => {}).set({
      lastDisplay: '7',
      lastRegions: { '7': { region: { x: 1, y: 2, width: 3, height: 4 }, frame: { width: 10, height: 10 } } },
    });
    expect(createRemembered(path, () => {}).get()).toEqual({
      window: null,
      conversationId: null,
      lastDisplay: '7',
      lastRegions: { '7': { region: { x: 1, y: 2, width: 3, height: 4 }, frame: { width: 10, height: 10 } } },
      toldOfTray: false,
    });
  });

  test.each([
    '',
    '{',
    '[]',
    '{"window":{"bounds":{"x":"0"}},"lastDisplay":null,"lastRegions":{}}',
    '{"window":null,"lastDisplay":null,"lastRegions":{"1":{"region":{"x":-1,"y":0,"width":1,"height":1},"frame":{"width":1,"height":1}}}}',
  ])('a broken file (%s) is as good as none', (text) => {
    const path = join(directory, 'shell.json');
    writeFileSync(path, text);
    expect(createRemembered(path, () => {}).get()).toEqual({
      window: null,
      conversationId: null,
      lastDisplay: null,
      lastRegions: {},
      toldOfTray: false,
    });
  });

  test('what cannot be written is kept for this run', () => {
    const onFault = vi.fn();
    const remembered = createRemembered(join(directory, 'no', 'such', 'folder.json'), onFault);
    remembered.set({ lastDisplay: '1' });
    expect(remembered.get().lastDisplay).toBe('1');
    expect(onFault).toHaveBeenCalledOnce();
  });
});

describe('starting with the session', () => {
  test('Linux: a desktop entry that starts hidden, and is gone when it is no longer wanted', () => {
    const parts = {
      app: { setLoginItemSettings: vi.fn() },
      platform: 'linux' as const,
      executable: '/opt/Loupe/loupe',
      configHome: directory,
    };
    const file = join(directory, 'autostart', 'loupe.desktop');
    setAutostart(true, parts);
    expect(readFileSync(file, 'utf8')).toContain('\nExec="/opt/Loupe/loupe" --hidden\n');
    setAutostart(false, parts);
    setAutostart(false, parts);
    expect(() => readFileSync(file)).toThrow('ENOENT');
    expect(parts.app.setLoginItemSettings).not.toHaveBeenCalled();
  });

  test('a path with special characters is one argument', () => {
    expect(desktopEntry('/home/a b/100% "$HOME"`x`\\y')).toContain(
      String.raw`Exec="/home/a b/100%% \\"\\$HOME\\"\\` + '`x' + String.raw`\\` + '`' + String.raw`\\\\y" --hidden`,
    );
  });

  test.each(['win32', 'darwin'] as const)('%s: a login item', (platform) => {
    const app = { setLoginItemSettings: vi.fn() };
    setAutostart(true, { app, platform, executable: 'x', configHome: directory });
    expect(app.setLoginItemSettings).toHaveBeenCalledWith({ openAtLogin: true, args: ['--hidden'] });
  });
});

describe('the tray', () => {
  const actions = { ask: vi.fn(), askLast: vi.fn(), askLater: vi.fn(), open: vi.fn(), quit: vi.fn() };
  test.each<['registered' | 'unsure' | 'taken' | 'off', string]>([
    ['registered', 'Ask About the Screen  (Ctrl + Shift + Space)'],
    ['unsure', 'Ask About the Screen  (Ctrl + Shift + Space)'],
    ['taken', 'Ask About the Screen'],
    ['off', 'Ask About the Screen'],
  ])('names the hotkey when it is %s', (status, label) => {
    expect(trayTemplate({ accelerator: 'CommandOrControl+Shift+Space', status, advice: '' }, actions, 'linux')[0]).toMatchObject({ label });
  });
});

test.each(['linux', 'darwin', 'win32'] as const)('the menu of %s can edit, zoom and end; the inspector is for checkouts', (platform) => {
  const roles = (packaged: boolean): unknown[] =>
    menuTemplate(platform, packaged, { ask: () => {}, askLater: () => {}, open: () => {} }).flatMap(({ role, submenu }) => [
      role,
      ...(Array.isArray(submenu) ? submenu.map((item) => item.role) : []),
    ]);
  expect(roles(true)).toEqual(
    expect.arrayContaining(['editMenu', 'zoomIn', 'zoomOut', 'resetZoom', 'windowMenu', platform === 'darwin' ? 'appMenu' : 'quit']),
  );
  expect(roles(true)).not.toContain('toggleDevTools');
  expect(roles(false)).toContain('toggleDevTools');
});

describe('places', () => {
  test('a checkout', () => {
    const places = findPlaces({ packaged: false, bundle: join('/loupe', 'build', 'app'), resources: '/electron/resources' });
    expect(places).toMatchObject({
      renderer: join('/loupe', 'build', 'renderer'),
      engineEntry: join('/loupe', 'build', 'app', 'host.js'),
      addon: join('/loupe', 'build', 'native', 'loupe.node'),
      demoModel: join('/loupe', 'resources', 'demo-model'),
      root: '/loupe',
    });
  });

  test('a package: native code reads beside the archive, never in it', () => {
    const places = findPlaces({ packaged: true, bundle: join('/opt', 'app.asar', 'build', 'app'), resources: '/opt' });
    for (const path of [places.addon, places.shaders, places.ocrModels, places.wordVectors, places.demoModel, places.icons])
      expect(path).not.toContain('app.asar');
    expect(places.preload).toBe(join('/opt', 'app.asar', 'build', 'app', 'preload.cjs'));
  });

  test('the other processes are told; in a checkout the person may say otherwise', () => {
    const places = findPlaces({ packaged: true, bundle: '/opt/app.asar/build/app', resources: '/opt' });
    const packaged = { packaged: true };
    const mine = { LOUPE_ADDON: '/mine.node', LOUPE_SHADERS: '/mine', LOUPE_VULKAN_LOADER: '/mine.so', LOUPE_OCR: '/mine' };
    expect(placesEnvironment(places, { HOME: '/home/me', ...mine }, packaged)).toEqual({
      HOME: '/home/me',
      LOUPE_ADDON: places.addon,
      LOUPE_SHADERS: places.shaders,
      LOUPE_OCR: places.ocrModels,
    });
    expect(placesEnvironment(places, mine, { packaged: false })['LOUPE_ADDON']).toBe('/mine.node');
  });
});

describe('the desktop', () => {
  test.each<[NodeJS.Platform, NodeJS.ProcessEnv, boolean]>([
    ['linux', { XDG_SESSION_TYPE: 'wayland' }, true],
    ['linux', { XDG_SESSION_TYPE: 'x11', WAYLAND_DISPLAY: 'wayland-0' }, false],
    ['linux', { WAYLAND_DISPLAY: 'wayland-0' }, true],
    ['linux', {}, false],
    ['darwin', { WAYLAND_DISPLAY: 'wayland-0' }, false],
  ])('%s %o', (platform, env, expected) => {
    expect(isWayland(platform, env)).toBe(expected);
  });

  const gnome = { XDG_CURRENT_DESKTOP: 'ubuntu:GNOME', XDG_SESSION_TYPE: 'x11' };

  test.each<[string, string | null, string | null, string | null, boolean]>([
    ['busctl finds a tray', 'b true\n', null, null, true],
    ['busctl finds that there is none', 'b false\n', '(<true>,)', null, false],
    ['gdbus finds a tray', null, '(<true>,)\n', null, true],
    ['dbus-send finds a tray', null, null, 'method return time=1 sender=:1.2\n   variant       boolean true\n', true],
    ['dbus-send finds that there is none', null, null, '   variant       boolean false\n', false],
    ['nobody answers in GNOME', null, null, null, false],
  ])('%s', async (_, busctl, gdbus, send, shown) => {
    const answers: Record<string, string | null> = { busctl, gdbus, 'dbus-send': send };
    expect(await showsTray('linux', gnome, async (command) => answers[command]!)).toBe(shown);
  });

  test.each<[NodeJS.ProcessEnv, boolean]>([
    [{ XDG_SESSION_TYPE: 'x11', XDG_CURRENT_DESKTOP: 'i3' }, true],
    [{}, true],
    [{ XDG_SESSION_TYPE: 'wayland', XDG_CURRENT_DESKTOP: 'sway' }, false],
  ])('where nobody answers, only X11 may have a tray: %o', async (env, shown) => {
    expect(await showsTray('linux', env, async () => null)).toBe(shown);
  });

  test.each(['darwin', 'win32'] as const)('%s always shows one, and is not asked', async (platform) => {
    expect(await showsTray(platform, {}, () => Promise.reject(new Error('asked')))).toBe(true);
  });

  test('a portal is there where one of the bus tools says so', async () => {
    const only = (tool: string | null) => async (command: string) => (command === tool ? 'yes' : 'unknown');
    for (const ask of [hasShortcutsPortal, mayHaveScreenCast]) {
      for (const tool of ['busctl', 'gdbus', 'dbus-send']) expect(await ask(only(tool))).toBe(true);
    }
    // Without an answer there are no hotkeys, and a picture is asked for all the same.
    expect([await hasShortcutsPortal(only(null)), await mayHaveScreenCast(only(null))]).toEqual([false, true]);
    // One tool that does not find the bus says nothing for the others.
    expect(await mayHaveScreenCast(async (command) => (command === 'gdbus' ? 'yes' : 'no'))).toBe(true);
    expect(await mayHaveScreenCast(async (command) => (command === 'gdbus' ? 'no' : 'unknown'))).toBe(false);
  });
});
