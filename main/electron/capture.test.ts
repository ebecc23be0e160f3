import type { GlobalShortcut, MenuItemConstructorOptions } from 'electron';
import { describe, expect, test, vi } from 'vitest';
import { defaultSettings, type Display, type EventMessage, type Mark, type Picture, type TextLine } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import { overlap, type Rect } from '../services/capture/geometry.ts';
import { createCaptureTimes } from './capture-times.ts';
import { createElectronCapture, type ElectronCapture } from './capture-host.ts';
import { createHotkey, type Hotkey } from './hotkey.ts';
import { createHotkeys, type Hotkeys } from './hotkeys.ts';
import { createOverlays, type Overlays } from './overlay.ts';
import { createNotice } from './notice.ts';
import { createPins } from './pins.ts';
import { createQuick, type QuickAsk } from './quick.ts';
import type { Remembered, RememberedState } from './remembered.ts';
import { createScreen, displayOfShape, outdatesFrames, sourceOf } from './screen.ts';
import {
  createElectronDouble,
  ImageDouble,
  ShortcutDouble,
  type Bounds,
  type ElectronDouble,
  type WindowDouble,
} from './test/electron-double.ts';

const picture: Picture = { hash: 'a'.repeat(64), name: 'Screen capture', width: 1, height: 1, bytes: 2, origin: { kind: 'capture' } };

/** A laptop at 150 %, and a rotated monitor left of it and higher. */
const two = (): { id: number; bounds: Bounds; scaleFactor: number; image: ImageDouble }[] => [
  { id: 11, bounds: { x: 0, y: 0, width: 1707, height: 960 }, scaleFactor: 1.5, image: new ImageDouble(2560, 1440) },
  { id: 12, bounds: { x: -1080, y: -500, width: 1080, height: 1920 }, scaleFactor: 1, image: new ImageDouble(1080, 1920) },
];

const line = (before: string, text: string): TextLine => ({
  before,
  text,
  confidence: 1,
  quad: [
    [0, 0],
    [1, 0],
    [1, 1],
    [0, 1],
  ],
  words: [],
});

function memory(): Remembered {
  let state: RememberedState = { window: null, conversationId: null, lastDisplay: null, lastRegions: {}, toldOfTray: false };
  return {
    get: () => state,
    set: (change) => {
      state = { ...state, ...change };
    },
  };
}

interface Rig {
  double: ElectronDouble;
  failures: LoupeError[];
  /** What the log is told. */
  times: string[];
  capture: ElectronCapture;
  hotkeys: Hotkeys;
  overlays: Overlays;
  quick: QuickAsk;
  events: EventMessage[];
  kept: Uint8Array[];
  /** The conversations that they are for. */
  places: (number | null)[];
  /** Pictures whose text was asked for; a test says what is read. */
  readings: { onLine: (line: TextLine) => void; resolve: (lines: TextLine[]) => void; reject: (error: unknown) => void }[];
  /** What text was read in. */
  pictures: Uint8Array[];
  stopped: string[];
  clipboard: string[];
  noticeWindow: () => WindowDouble | undefined;
  remembered: Remembered;
  asides: string[];
  /** Those that belong to a capture, on the screen or on their way. */
  overlayWindows: () => WindowDouble[];
  /** Those that were made ahead. */
  spareWindows: () => WindowDouble[];
  quickWindow: () => WindowDouble | undefined;
  pinWindows: () => WindowDouble[];
  /** What the context menus of pins offered. */
  menus: MenuItemConstructorOptions[][];
  saved: Uint8Array[];
}

function rig({
  displays = two(),
  platform = 'linux',
  wayland = false,
  addPicture,
  privateCaptures = false,
  windowsThere = [],
  clipboardRefuses = false,
  mayShare = true,
}: {
  displays?: ReturnType<typeof two>;
  platform?: NodeJS.Platform;
  wayland?: boolean;
  addPicture?: () => Promise<Picture>;
  privateCaptures?: boolean;
  windowsThere?: Bounds[];
  clipboardRefuses?: boolean;
  mayShare?: boolean;
} = {}): Rig {
  const double = createElectronDouble({ displays });
  const { electron, shortcuts, windows } = double;
  const events: EventMessage[] = [];
  const kept: Uint8Array[] = [];
  const places: (number | null)[] = [];
  const readings: Rig['readings'] = [];
  const pictures: Uint8Array[] = [];
  const stopped: string[] = [];
  const clipboard: string[] = [];
  const asides: string[] = [];
  const failures: LoupeError[] = [];
  const times: string[] = [];
  const remembered = memory();
  const screen = createScreen({
    screen: electron.screen,
    desktopCapturer: electron.desktopCapturer,
    systemPreferences: electron.systemPreferences,
    platform,
    wayland,
    findWindows: async () => windowsThere,
    mayShare: async () => mayShare,
  });
  const createWindow = (options: Electron.BrowserWindowConstructorOptions): Electron.BrowserWindow => new electron.BrowserWindow(options);
  const overlays = createOverlays({
    createWindow,
    globalShortcut: shortcuts,
    platform,
    wayland,
    preload: '/preload.cjs',
  });
  const quick = createQuick({
    createWindow,
    platform,
    preload: '/preload.cjs',
    isDark: () => false,
  });
  const notice = createNotice({
    createWindow,
    platform,
    preload: '/preload.cjs',
    isDark: () => false,
  });
  const menus: MenuItemConstructorOptions[][] = [];
  const saved: Uint8Array[] = [];
  const pins = createPins({
    createWindow,
    platform,
    preload: '/preload.cjs',
    icon: '/icon.png',
    displays: screen.displays,
    savePicture: (png) => void saved.push(png),
    popUp: (template) => void menus.push(template),
  });
  const hotkeys = createHotkeys({
    globalShortcut: shortcuts,
    platform,
    wayland,
    portal: false,
  });
  const capture = createElectronCapture({
    screen,
    overlays,
    times: createCaptureTimes((line) => times.push(String(line))),
    onFailed: (error) => void failures.push(error),
    showMain: () => asides.push('main'),
    quick,
    notice,
    pins,
    writeText: async (text) => {
      if (clipboardRefuses) throw new Error('The clipboard is held by another program.');
      clipboard.push(text);
    },
    savePicture: (png) => void saved.push(png),
    toPng: (bitmap) => new Uint8Array(bitmap),
    hotkeys,
    remembered,
    services: {
      addPicture: async (bytes, _name, madeFor) => {
        kept.push(bytes);
        places.push(madeFor);
        return addPicture ? addPicture() : picture;
      },
      addPrivately: async () => ({ picture, conversationId: 4711 }),
      settings: () => ({ ...defaultSettings, privateCaptures }),
      readText: (bytes, _name, _of, onLine) => {
        pictures.push(bytes);
        return new Promise((resolve, reject) => readings.push({ onLine, resolve, reject }));
      },
      stopText: (of) => stopped.push(of),
      emit: (event) => events.push(event),
    },
    hideWindows: async () => {
      asides.push('out');
      return () => asides.push('back');
    },
  });
  hotkeys.onPress((mode) => void capture.start(mode));
  const alive = (): WindowDouble[] => windows.filter(({ destroyed }) => !destroyed);
  return {
    double,
    failures,
    times,
    capture,
    hotkeys,
    overlays,
    quick,
    events,
    kept,
    places,
    readings,
    pictures,
    stopped,
    clipboard,
    remembered,
    asides,
    overlayWindows: () => alive().filter((window) => window.url.includes('view=overlay') && isOpen(window)),
    spareWindows: () => alive().filter((window) => window.url.includes('view=overlay') && !isOpen(window)),
    quickWindow: () => alive().find(({ url }) => url.includes('view=quick')),
    noticeWindow: () => alive().find(({ url }) => url.includes('view=notice')),
    pinWindows: () => alive().filter(({ url }) => url.includes('view=pin')),
    menus,
    saved,
  };
}

/** The last thing that its page was told is a picture. */
function isOpen({ webContents }: WindowDouble): boolean {
  return frozenOf(webContents.sent) !== null;
}

function frozenOf(sent: readonly unknown[][]): Display | null {
  const messages = sent.map(([, message]) => message as EventMessage);
  const told = messages.findLast((message) => message.event === 'capture.frozen');
  return told?.event === 'capture.frozen' ? told.payload : null;
}

async function expectNothingLeft({ double, overlayWindows, spareWindows, asides, capture }: Rig): Promise<void> {
  expect(overlayWindows()).toHaveLength(0);
  expect(double.shortcuts.registered.has('Escape')).toBe(false);
  expect(asides).toEqual(['out', 'back']);
  expect(spareWindows().every(({ visible }) => !visible)).toBe(true);
  expect(await capture.display('11')).toBeNull();
}

describe('freezing', () => {
  test('one overlay per display, exactly on it, above everything, and never a kiosk', async () => {
    const { capture, overlayWindows } = rig();
    await capture.start('region');
    const windows = overlayWindows();
    for (const id of ['12', '11']) await capture.drawn(id);
    await vi.waitFor(() => expect(windows.map(({ visible }) => visible)).toEqual([true, true]));
    expect(windows.map(({ bounds }) => bounds)).toEqual(two().map(({ bounds }) => bounds));
    expect(windows.map(({ url }) => new URL(url).searchParams.get('display'))).toEqual(['11', '12']);
    for (const { options, alwaysOnTop, visible } of windows) {
      expect(options).toMatchObject({ frame: false, resizable: false, skipTaskbar: true });
      expect(options.kiosk).toBeUndefined();
      expect(options.webPreferences).toMatchObject({ sandbox: true, contextIsolation: true, nodeIntegration: false });
      expect(alwaysOnTop).toBe('screen-saver');
      expect(visible).toBe(true);
    }
    // The pointer is on the first display: its overlay has the keyboard.
    expect(windows.map(({ focused }) => focused)).toEqual([true, false]);
  });

  test('an overlay is not on the screen before its page has drawn the frozen picture', async () => {
    const { capture, overlayWindows } = rig();
    await capture.start('region');
    const [first, second] = overlayWindows() as [WindowDouble, WindowDouble];
    for (const window of [first, second]) {
      window.emit('ready-to-show');
      // Full screen from the start, a window would be on the screen from the start.
      expect(window.options).toMatchObject({ show: false });
      expect(window.options.fullscreen).toBeUndefined();
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect([first.calls, second.calls]).toEqual([[], []]);
    // The page has drawn, but what is seen of it is an older frame, with its mark.
    second.webContents.looksLike = Uint8Array.of(0xff, 0, 0xff, 0xff);
    await capture.drawn('12');
    await vi.waitFor(() => expect(second.webContents.looks).toBeGreaterThan(2));
    expect([first.calls, second.calls]).toEqual([[], []]);
    second.webContents.looksLike = null;
    await vi.waitFor(() => expect([first.visible, second.visible]).toEqual([false, true]));
    expect(second.calls).toEqual(['setFullScreen', 'showInactive']);
    await capture.drawn('11');
    await vi.waitFor(() => expect(first.calls).toEqual(['setFullScreen', 'show', 'focus']));
    // And once only.
    await capture.drawn('11');
    expect(first.calls).toHaveLength(3);
    const { looks } = first.webContents;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(first.webContents.looks).toBe(looks);
  });

  test('an overlay that comes later does not keep the keyboard, if the system gave it to it', async () => {
    const { capture, overlayWindows } = rig();
    await capture.start('region');
    const [first, second] = overlayWindows() as [WindowDouble, WindowDouble];
    await capture.drawn('11');
    await vi.waitFor(() => expect(first.visible).toBe(true));
    first.focused = false;
    await capture.drawn('12');
    await vi.waitFor(() => expect(second.visible).toBe(true));
    expect(first.focused).toBe(true);
  });

  test('windows are made ahead, hidden; each capture takes the same ones, the first as well', async () => {
    const { capture, double, overlayWindows, spareWindows, times } = rig();
    capture.prepare();
    const made = spareWindows();
    expect(made.map(({ visible }) => visible)).toEqual([false, false]);
    for (let round = 1; round <= 3; round++) {
      await capture.start('region');
      await vi.waitFor(() => expect(overlayWindows()).toHaveLength(2));
      for (const id of ['11', '12']) await capture.drawn(id);
      await vi.waitFor(() => expect(overlayWindows().map(({ visible }) => visible)).toEqual([true, true]));
      const looks = made.map(({ webContents }) => webContents.looks);
      await capture.cancel();
      expect(spareWindows().map(({ visible }) => visible)).toEqual([false, false]);
      // Seen to be empty.
      await vi.waitFor(() => expect(made.every(({ webContents }, index) => webContents.looks > looks[index]!)).toBe(true));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const all = double.windows.filter(({ url }) => url.includes('view=overlay'));
    expect(all.map((window) => made.indexOf(window))).toEqual([0, 1]);
    expect(times).toHaveLength(3);
    expect(times[0]).toMatch(/^frozen screen shown after \d+ ms: aside \d+, frozen \d+, drawn \d+, shown \d+$/);
  });

  test('the picture of the capture before never comes to the screen: a window that is not seen to be empty is not used', async () => {
    const { capture, overlayWindows } = rig();
    await capture.start('region');
    const [first, second] = overlayWindows() as [WindowDouble, WindowDouble];
    // What is seen of the hidden page is still the old picture.
    first.webContents.looksLike = Uint8Array.of(9, 9, 9, 255);
    await capture.cancel();
    await vi.waitFor(() => expect(second.webContents.looks).toBe(1));
    await new Promise((resolve) => setTimeout(resolve, 20));
    await capture.start('region');
    const next = overlayWindows();
    expect(next).toHaveLength(2);
    expect([next.includes(first), next.includes(second)]).toEqual([false, true]);
    expect(first.destroyed).toBe(true);
  });

  test('a hidden window that is not drawn any more, as after the end of a window manager, is shown all the same, and replaced', async () => {
    vi.useFakeTimers();
    try {
      const { capture, overlayWindows, spareWindows } = rig();
      await capture.start('region');
      const [first] = overlayWindows() as [WindowDouble];
      first.webContents.capturePage = () => new Promise(() => {});
      await capture.drawn('11');
      await vi.advanceTimersByTimeAsync(1000);
      expect(first.visible).toBe(true);
      await capture.cancel();
      await vi.advanceTimersByTimeAsync(1000);
      expect(first.destroyed).toBe(true);
      expect(spareWindows()).toHaveLength(2);
    } finally {
      vi.useRealTimers();
    }
  });

  test('displays that come, go or change: there is a window for each, and for no other', async () => {
    const displays = two();
    const { capture, spareWindows } = rig({ displays });
    const covered = (): unknown[] => spareWindows().map(({ bounds }) => bounds);
    capture.prepare();
    const [kept] = spareWindows();
    const [moved] = displays.splice(1);
    capture.prepare();
    expect(spareWindows()).toEqual([kept]);
    displays.push({ ...moved!, bounds: { ...moved!.bounds, x: 1707 } });
    capture.prepare();
    expect(covered()).toEqual(displays.map(({ bounds }) => bounds));
    displays[1] = { ...displays[1]!, scaleFactor: 2 };
    const before = spareWindows();
    capture.prepare();
    expect(covered()).toEqual(displays.map(({ bounds }) => bounds));
    expect(spareWindows()[0]).toBe(before[0]);
    expect(spareWindows()[1]).not.toBe(before[1]);
  });

  test('a page that does not draw is never shown empty: the capture ends after a while, and says why', async () => {
    vi.useFakeTimers();
    try {
      const one = rig();
      await one.capture.start('region');
      await vi.advanceTimersByTimeAsync(14_900);
      expect(one.overlayWindows().map(({ visible }) => visible)).toEqual([false, false]);
      expect(one.failures).toEqual([]);
      await vi.advanceTimersByTimeAsync(100);
      expect(one.failures.map(({ code }) => code)).toEqual(['capture_failed']);
      await expectNothingLeft(one);
      // Of one that was left nothing is said.
      await one.capture.start('region');
      await one.capture.cancel();
      await vi.advanceTimersByTimeAsync(15_000);
      expect(one.failures).toHaveLength(1);
    } finally {
      vi.useRealTimers();
    }
  });

  test('each display is told its own frame, at its own pixels', async () => {
    const { capture, overlayWindows } = rig();
    await capture.start('region');
    const shown = await capture.display('11');
    expect({ ...shown, pixels: shown?.pixels.length }).toEqual({
      id: '11',
      name: 'Panel 11',
      size: { width: 2560, height: 1440 },
      pixels: 2560 * 1440 * 4,
      windows: [],
      capture: 1,
      last: null,
      program: null,
      purpose: 'ask',
    });
    expect((await capture.display('12'))?.size).toEqual({ width: 1080, height: 1920 });
    // And no page is told of another's.
    expect(overlayWindows().map(({ webContents }) => frozenOf(webContents.sent)?.size)).toEqual([
      { width: 2560, height: 1440 },
      { width: 1080, height: 1920 },
    ]);
    expect(await capture.display('13')).toBeNull();
  });

  test('each display is told where windows are on it, in its own pixels', async () => {
    const windowsThere = [
      { x: 150, y: 30, width: 600, height: 450 },
      // Half on the other display, at 100 %, and hardly anything of it here.
      { x: -200, y: -400, width: 210, height: 300 },
      { x: 9000, y: 0, width: 100, height: 100 },
    ];
    const { capture } = rig({
      windowsThere,
      displays: [{ ...two()[0]!, scaleFactor: 1, bounds: { x: 0, y: 0, width: 2560, height: 1440 } }, two()[1]!],
    });
    await capture.start('region');
    expect((await capture.display('11'))?.windows).toEqual([windowsThere[0]]);
    expect((await capture.display('12'))?.windows).toEqual([{ x: 880, y: 100, width: 200, height: 300 }]);
  });

  test('a source is asked for at the size of each display, so that none is scaled', async () => {
    const displays = two();
    const { double, capture } = rig({ displays });
    const asked: unknown[] = [];
    const { getSources } = double.electron.desktopCapturer;
    double.electron.desktopCapturer.getSources = (options) => {
      asked.push(options.thumbnailSize);
      return getSources(options);
    };
    await capture.start('region');
    expect(asked).toEqual([
      { width: 2560, height: 1440 },
      { width: 1080, height: 1920 },
    ]);
  });
});

describe('pressed again', () => {
  /** A screen that takes its time; `freeze` lets it answer. */
  function slow(): Rig & { freeze: () => void; frozen: () => number } {
    const one = rig();
    const { desktopCapturer } = one.double.electron;
    const { getSources } = desktopCapturer;
    const waiting: (() => void)[] = [];
    let frozen = 0;
    desktopCapturer.getSources = async (options) => {
      frozen++;
      await new Promise<void>((resolve) => waiting.push(resolve));
      return getSources(options);
    };
    return { ...one, freeze: () => waiting.splice(0).forEach((go) => go()), frozen: () => frozen };
  }
  const key = 'Alt+F9';

  test('while the screen is being frozen: the same capture comes', async () => {
    const one = slow();
    one.hotkeys.want({ ...defaultSettings, hotkey: key });
    one.double.shortcuts.press(key);
    await vi.waitFor(() => expect(one.frozen()).toBe(1));
    for (let n = 0; n < 3; n++) one.double.shortcuts.press(key);
    await vi.waitFor(() => {
      one.freeze();
      expect(one.overlayWindows()).toHaveLength(2);
    });
    expect(one.asides).toEqual(['out']);
    expect((await one.capture.display('11'))?.capture).toBe(1);
  });

  test('while the overlays are there: they stay, in front and with the keyboard', async () => {
    const one = rig();
    await one.capture.start('region');
    for (const id of ['11', '12']) await one.capture.drawn(id);
    const windows = one.overlayWindows();
    await vi.waitFor(() => expect(windows.map(({ visible }) => visible)).toEqual([true, true]));
    for (const window of windows) window.calls.length = 0;
    windows[0]!.focused = false;
    await one.capture.start('region');
    await one.capture.start('display');
    expect(one.overlayWindows()).toEqual(windows);
    expect(windows.map(({ calls }) => calls)).toEqual([
      ['moveTop', 'focus', 'moveTop', 'focus'],
      ['moveTop', 'moveTop'],
    ]);
    expect(windows.map(({ focused }) => focused)).toEqual([true, false]);
    expect(one.kept).toEqual([]);
  });

  test('before the picture is drawn: nothing is shown early', async () => {
    const one = rig();
    await one.capture.start('region');
    await one.capture.start('region');
    expect(one.overlayWindows().map(({ visible }) => visible)).toEqual([false, false]);
  });

  test.each<[string, (rig: Rig) => void | Promise<void>]>([
    ['Esc', ({ double }) => double.shortcuts.press('Escape')],
    ['a change of the displays', ({ capture }) => capture.cancel()],
  ])('after %s while the screen is being frozen: that capture is over, and a new one begins', async (_name, leave) => {
    const one = slow();
    one.hotkeys.want({ ...defaultSettings, hotkey: key });
    one.double.shortcuts.press(key);
    await vi.waitFor(() => expect(one.frozen()).toBe(1));
    await leave(one);
    await vi.waitFor(() => {
      one.freeze();
      expect(one.asides).toEqual(['out', 'back']);
    });
    await expectNothingLeft(one);

    one.double.shortcuts.press(key);
    await vi.waitFor(() => expect(one.asides).toEqual(['out', 'back', 'out']));
    await leave(one);
    // The system has not yet answered the capture that was left.
    one.double.shortcuts.press(key);
    await vi.waitFor(() => {
      one.freeze();
      expect(one.overlayWindows()).toHaveLength(2);
    });
    expect(one.asides).toEqual(['out', 'back', 'out', 'back', 'out']);
    one.double.shortcuts.press('Escape');
    expect(one.overlayWindows()).toHaveLength(0);
    expect(one.kept).toEqual([]);
  });

  test('news of a window that is gone does not end the next capture', async () => {
    const one = rig();
    await one.capture.start('region');
    const [old] = one.overlayWindows() as [WindowDouble];
    old.destroy();
    expect(one.asides).toEqual(['out', 'back']);
    await one.capture.start('region');
    old.webContents.emit('render-process-gone', {}, { reason: 'killed' });
    await vi.waitFor(() => expect(one.overlayWindows()).toHaveLength(2));
    expect(one.asides).toEqual(['out', 'back', 'out']);
  });

  test('a page that dies while it waits ends nothing, and another takes its place', async () => {
    const one = rig();
    one.capture.prepare();
    const [old] = one.spareWindows() as [WindowDouble];
    old.webContents.emit('render-process-gone', {}, { reason: 'oom' });
    expect(old.destroyed).toBe(true);
    await one.capture.start('region');
    expect(one.overlayWindows()).toHaveLength(2);
  });
});

describe('getting out', () => {
  test.each<[string, (rig: Rig) => void | Promise<void>]>([
    ['the page asks', ({ capture }) => capture.cancel()],
    ['Esc, while another program has the keyboard', ({ double }) => double.shortcuts.press('Escape')],
    [
      'Esc in an overlay',
      ({ overlayWindows }) =>
        void overlayWindows()[1]!.webContents.emit('before-input-event', { preventDefault: () => {} }, { type: 'keyDown', key: 'Escape' }),
    ],
    ['one overlay is closed by the window manager', ({ overlayWindows }) => overlayWindows()[0]!.destroy()],
    [
      'the page of one overlay dies',
      ({ overlayWindows }) => void overlayWindows()[0]!.webContents.emit('render-process-gone', {}, { reason: 'crashed' }),
    ],
  ])('%s: every overlay goes, Esc is given back', async (_name, getOut) => {
    const one = rig();
    await one.capture.start('region');
    expect(one.double.shortcuts.registered.has('Escape')).toBe(true);
    await getOut(one);
    await expectNothingLeft(one);
    expect(one.kept).toEqual([]);
    // And the next capture works.
    await one.capture.start('region');
    await vi.waitFor(() => expect(one.overlayWindows()).toHaveLength(2));
  });

  test('losing the keyboard is no reason to go', async () => {
    const { capture, overlayWindows } = rig();
    await capture.start('region');
    overlayWindows()[0]!.emit('blur');
    await vi.waitFor(() => expect(overlayWindows()).toHaveLength(2));
  });

  test('a system that shows no picture leaves nothing behind', async () => {
    const one = rig({ displays: two().map((display) => ({ ...display, image: new ImageDouble(0, 0) })) });
    await expect(one.capture.start('region')).rejects.toMatchObject({ code: 'capture_failed' });
    await expectNothingLeft(one);
  });

  test('a picture that cannot be kept leaves nothing behind', async () => {
    const one = rig({ addPicture: () => Promise.reject(new Error('disk full')) });
    await one.capture.start('region');
    await expect(one.capture.finish('11', { x: 0, y: 0, width: 10, height: 10 }, [])).rejects.toThrow('disk full');
    await expectNothingLeft(one);
    expect(await one.capture.current()).toBeNull();
  });
});

describe('finishing', () => {
  test('the pixels of the region are kept, and asked about beside it', async () => {
    const displays = two();
    const one = rig({ displays });
    await one.capture.start('region');
    await one.capture.finish('11', { x: 300, y: 150, width: 900, height: 600 }, []);
    expect(displays[0]!.image.crops).toEqual([{ x: 300, y: 150, width: 900, height: 600 }]);
    expect(one.kept).toHaveLength(1);
    expect(await one.capture.current()).toEqual({ picture, conversationId: null });
    expect(one.events).toContainEqual({ event: 'capture.taken', payload: { picture, conversationId: null } });
    const quick = one.quickWindow()!;
    quick.emit('ready-to-show');
    // 900 x 600 pixels at 150 %, from 200, 100.
    expect(overlap(quick.bounds, { x: 200, y: 100, width: 600, height: 400 })).toBe(0);
    expect(quick.bounds).toEqual({ x: 813, y: 100, width: 420, height: 199 });
    expect(quick).toMatchObject({ visible: true, focused: true, alwaysOnTop: 'floating' });
    await expectNothingLeft(one);
  });

  test('for a conversation, the picture goes to its composer, and the main window comes; the next one is asked about beside it', async () => {
    const one = rig();
    await one.capture.start('region', 4711);
    await one.capture.finish('11', { x: 300, y: 150, width: 600, height: 300 }, []);
    expect(one.places).toEqual([4711]);
    expect(one.events.filter(({ event }) => event !== 'capture.frozen')).toEqual([
      { event: 'capture.attached', payload: { conversationId: 4711, picture } },
    ]);
    expect(await one.capture.current()).toBeNull();
    expect(one.asides).toContain('main');
    await one.capture.start('region');
    await one.capture.finish('11', { x: 300, y: 150, width: 600, height: 300 }, []);
    expect(one.places).toEqual([4711, null]);
    expect(one.events.map(({ event }) => event)).toContain('capture.taken');
  });

  test('where captures are not kept, it lies with a private conversation, but for one that is captured for another', async () => {
    const one = rig({ privateCaptures: true });
    const region = { x: 300, y: 150, width: 600, height: 300 };
    await one.capture.start('region');
    await one.capture.finish('11', region, []);
    expect(one.events).toContainEqual({ event: 'capture.taken', payload: { picture, conversationId: 4711 } });
    expect(await one.capture.current()).toEqual({ picture, conversationId: 4711 });
    expect([one.kept, one.places]).toEqual([[], []]);
    await one.capture.start('region', 7);
    await one.capture.finish('11', region, []);
    expect(one.places).toEqual([7]);
  });

  test('what a person redacted is in no picture and in no text that is read', async () => {
    const marks: Mark[] = [{ kind: 'redact', region: { x: 300, y: 150, width: 4, height: 2 } }];
    const region = { x: 300, y: 150, width: 2560, height: 1440 };
    const one = rig();
    await one.capture.start('region');
    await one.capture.finish('11', { ...region, x: 0, y: 0 }, marks);
    await one.capture.start('region');
    await one.capture.text('11', { ...region, x: 0, y: 0 }, marks);
    for (const pixels of [one.kept[0]!, one.pictures[0]!]) {
      const at = (x: number, y: number): number[] => [...pixels.slice(4 * (y * 2560 + x), 4 * (y * 2560 + x) + 4)];
      expect([at(300, 150), at(303, 151)]).toEqual([
        [0, 0, 0, 255],
        [0, 0, 0, 255],
      ]);
      expect([at(299, 150), at(304, 151), at(300, 152)]).toEqual(Array(3).fill([0x80, 0x80, 0x80, 0x80]));
    }
  });

  test('on a display with negative coordinates the window stays on that display', async () => {
    const one = rig();
    await one.capture.start('region');
    await one.capture.finish('12', { x: 100, y: 100, width: 300, height: 300 }, []);
    const area: Rect = { x: -1080, y: -500, width: 1080, height: 1880 };
    expect(overlap(one.quickWindow()!.bounds, area)).toBe(420 * 199);
    expect(overlap(one.quickWindow()!.bounds, { x: -980, y: -400, width: 300, height: 300 })).toBe(0);
  });

  test('the text of a region is copied after the capture is over, and a window says how far it is', async () => {
    const one = rig();
    await one.capture.start('region');
    await expect(one.capture.text('12', { x: 2000, y: 0, width: 5, height: 5 }, [])).rejects.toMatchObject({ code: 'capture_failed' });
    await one.capture.text('12', { x: 1000, y: 1900, width: 200, height: 100 }, []);
    await expectNothingLeft(one);
    expect(one.kept).toEqual([]);
    const notice = one.noticeWindow()!;
    // In the middle of the upper edge of that display, and never with the keyboard.
    expect(notice.bounds).toEqual({ x: -730, y: -476, width: 380, height: 88 });
    expect(notice.options).toMatchObject({ focusable: false, skipTaskbar: true, frame: false });
    notice.emit('ready-to-show');
    expect(notice.calls).toContain('showInactive');
    expect(one.capture.copying()).toEqual({ state: 'reading', lines: 0 });
    one.readings[0]!.onLine(line('', 'one'));
    one.readings[0]!.onLine(line('\n', 'two'));
    expect(one.capture.copying()).toEqual({ state: 'reading', lines: 2 });
    expect(one.clipboard).toEqual([]);
    one.readings[0]!.resolve([line('', 'one'), line('\n', 'two')]);
    await vi.waitFor(() => expect(one.capture.copying()).toEqual({ state: 'copied', text: 'one\ntwo' }));
    expect(one.clipboard).toEqual(['one\ntwo']);
    expect(one.events.filter(({ event }) => event === 'capture.copying')).toHaveLength(4);
    one.capture.stopCopying();
    expect([one.noticeWindow(), one.capture.copying()]).toEqual([undefined, null]);
    await expect(one.capture.text('12', { x: 0, y: 0, width: 5, height: 5 }, [])).rejects.toMatchObject({ code: 'not_found' });
  });

  test('text that is not there, and text that could not be read, are said so', async () => {
    const one = rig();
    const ends: ((reading: Rig['readings'][number]) => void)[] = [
      ({ resolve }) => resolve([]),
      ({ reject }) => reject(new LoupeError('ocr_failed', 'The process stopped.', 'Try again.')),
    ];
    const said: unknown[] = [];
    for (const [index, end] of ends.entries()) {
      await one.capture.start('region');
      await one.capture.text('11', { x: 0, y: 0, width: 5, height: 5 }, []);
      end(one.readings[index]!);
      await vi.waitFor(() => expect(one.capture.copying()).not.toMatchObject({ state: 'reading' }));
      said.push(one.capture.copying());
    }
    expect(said).toEqual([{ state: 'none' }, { state: 'failed', message: 'The process stopped.', nextStep: 'Try again.' }]);
    expect(one.clipboard).toEqual([]);
  });

  test('text that the clipboard does not take is not said to be copied', async () => {
    const one = rig({ clipboardRefuses: true });
    await one.capture.start('region');
    await one.capture.text('11', { x: 0, y: 0, width: 5, height: 5 }, []);
    one.readings[0]!.resolve([line('', 'one')]);
    await vi.waitFor(() =>
      expect(one.capture.copying()).toMatchObject({ state: 'failed', message: expect.stringContaining('clipboard') as string }),
    );
  });

  test('a notice that is put away stops the reading; a second copy takes the place of the first', async () => {
    const one = rig();
    const copy = async (): Promise<void> => {
      await one.capture.start('region');
      await one.capture.text('11', { x: 0, y: 0, width: 5, height: 5 }, []);
    };
    await copy();
    one.noticeWindow()!.close();
    expect(one.stopped).toEqual(['capture']);
    one.readings[0]!.reject(new LoupeError('cancelled', 'stopped'));
    await copy();
    await copy();
    expect(one.double.windows.filter(({ url, destroyed }) => url.includes('view=notice') && !destroyed)).toHaveLength(1);
    one.readings[1]!.onLine(line('', 'late'));
    one.readings[1]!.reject(new LoupeError('cancelled', 'stopped'));
    one.readings[2]!.resolve([line('', 'now')]);
    await vi.waitFor(() => expect(one.capture.copying()).toEqual({ state: 'copied', text: 'now' }));
    expect(one.clipboard).toEqual(['now']);
    one.noticeWindow()!.webContents.emit('render-process-gone');
    expect([one.noticeWindow(), one.capture.copying()]).toEqual([undefined, null]);
  });

  test('a region that is saved ends the capture; the person says where to, and nothing is kept', async () => {
    const one = rig();
    await one.capture.start('region');
    await one.capture.save('11', { x: 3, y: 3, width: 30, height: 20 }, []);
    await expectNothingLeft(one);
    expect([one.saved, one.kept, one.quickWindow()]).toEqual([[Uint8Array.of(0x89, 0x50)], [], undefined]);
  });

  test('a region that pokes out is cut, one outside is refused', async () => {
    const displays = two();
    const { capture } = rig({ displays });
    await capture.start('region');
    await expect(capture.finish('12', { x: 1080, y: 0, width: 5, height: 5 }, [])).rejects.toMatchObject({ code: 'capture_failed' });
    await capture.finish('12', { x: 1000, y: 1900, width: 500, height: 500 }, []);
    expect(displays[1]!.image.crops).toEqual([{ x: 1000, y: 1900, width: 80, height: 20 }]);
    await expect(capture.finish('12', { x: 0, y: 0, width: 5, height: 5 }, [])).rejects.toMatchObject({ code: 'not_found' });
  });

  test('the quick-ask window grows downwards as far as there is room, and never shrinks', async () => {
    const one = rig();
    await one.capture.start('region');
    await one.capture.finish('11', { x: 300, y: 150, width: 900, height: 600 }, []);
    const { quick } = one;
    // Before it is on the screen: it opens that high.
    quick.grow(300);
    one.quickWindow()!.emit('ready-to-show');
    const heights = [250, 420, 410, 5000].map((height) => {
      quick.grow(height);
      return one.quickWindow()!.bounds;
    });
    expect(heights).toEqual([300, 420, 420, 808].map((height) => ({ x: 813, y: 100, width: 420, height })));
    // The next picture begins again.
    await one.capture.start('region');
    await one.capture.finish('11', { x: 300, y: 150, width: 900, height: 600 }, []);
    expect(one.quickWindow()!.bounds).toEqual({ x: 813, y: 100, width: 420, height: 199 });
    quick.dismiss();
    quick.grow(700);
    expect(one.quickWindow()!.bounds.height).toBe(199);
  });

  test('the quick-ask window is made ahead: hidden until there is a picture to ask about', async () => {
    const one = rig();
    one.capture.prepare();
    const made = one.quickWindow()!;
    made.emit('ready-to-show');
    expect(made.visible).toBe(false);
    await one.capture.start('region');
    await one.capture.finish('11', { x: 300, y: 150, width: 900, height: 600 }, []);
    expect(one.quickWindow()).toBe(made);
    expect(made).toMatchObject({ visible: true, focused: true });
  });

  test('the quick-ask window is used again, and its closing forgets the picture', async () => {
    const one = rig();
    for (const x of [0, 1200]) {
      await one.capture.start('region');
      await one.capture.finish('11', { x, y: 0, width: 300, height: 300 }, []);
    }
    expect(one.double.windows.filter(({ url }) => url.includes('view=quick'))).toHaveLength(1);
    one.quickWindow()!.emit('ready-to-show');
    expect(one.quickWindow()!.bounds.x).toBe(1013);
    one.quickWindow()!.destroy();
    expect(await one.capture.current()).toBeNull();
  });
});

test('the quick-ask window closed from outside is hidden as by its own button, and its page is told to forget', async () => {
  const one = rig({ privateCaptures: true });
  await one.capture.start('region');
  await one.capture.finish('11', { x: 0, y: 0, width: 300, height: 300 }, []);
  const window = one.quickWindow()!;
  window.emit('ready-to-show');
  expect(window.visible).toBe(true);
  window.close();
  expect(window).toMatchObject({ visible: false, destroyed: false });
  expect(one.events.at(-1)).toEqual({ event: 'capture.left', payload: null });
  expect(await one.capture.current()).toBeNull();
});

describe('Esc while a page holds a tool', () => {
  const backs = (one: Rig, index: number): number =>
    one.overlayWindows()[index]!.webContents.sent.filter(([, message]) => (message as { event: string }).event === 'capture.back').length;
  const press = (one: Rig): void => one.double.shortcuts.press('Escape');

  test('is for that page; the next one leaves the capture unless the page still holds something', async () => {
    const one = rig();
    await one.capture.start('region');
    await one.capture.hold('12', true);
    press(one);
    expect([backs(one, 0), backs(one, 1)]).toEqual([0, 1]);
    await one.capture.hold('12', true);
    press(one);
    expect(backs(one, 1)).toBe(2);
    // It does not answer.
    press(one);
    await expectNothingLeft(one);
  });

  test('leaves at once when the tool was put away', async () => {
    const one = rig();
    await one.capture.start('region');
    await one.capture.hold('11', true);
    await one.capture.hold('11', false);
    press(one);
    await expectNothingLeft(one);
  });

  test('leaves at once in the next capture', async () => {
    const one = rig();
    await one.capture.start('region');
    await one.capture.hold('11', true);
    await one.capture.cancel();
    await one.capture.start('region');
    press(one);
    expect(one.overlayWindows()).toEqual([]);
  });
});

describe('pinning', () => {
  const region = { x: 150, y: 300, width: 300, height: 150 };

  async function pinned(count = 1): Promise<Rig> {
    const one = rig();
    for (let number = 1; number <= count; number++) {
      await one.capture.start('region');
      await one.capture.pin('11', region, []);
      one.pinWindows()[number - 1]!.emit('ready-to-show');
    }
    return one;
  }

  test('the region stays where it was, on top, in a window without rights; nothing of it is kept', async () => {
    const one = await pinned();
    expect(one.overlayWindows()).toHaveLength(0);
    expect([one.kept, one.events, one.quickWindow()]).toEqual([[], [], undefined]);
    const [window] = one.pinWindows() as [WindowDouble];
    // At 150 %.
    expect(window.bounds).toEqual({ x: 100, y: 200, width: 200, height: 100 });
    expect([window.alwaysOnTop, window.visible, window.focused]).toEqual(['floating', true, true]);
    expect(window.options).toMatchObject({ frame: false, show: false, resizable: false, transparent: true });
    expect(window.options.webPreferences).toMatchObject({ sandbox: true, contextIsolation: true, nodeIntegration: false });
    expect(window.url).toBe('loupe://app/?view=pin&pin=1');
    expect(one.capture.pins.picture(1)).toEqual({ bytes: Uint8Array.of(0x89, 0x50), size: { width: 300, height: 150 }, opacity: 1 });
  });

  test('what was redacted is in no pinned picture', async () => {
    const one = rig();
    await one.capture.start('region');
    await one.capture.pin('12', { x: 1, y: 1, width: 2, height: 1 }, [{ kind: 'redact', region: { x: 2, y: 1, width: 1, height: 1 } }]);
    // The double hands over 0x80 for every byte of the part, whose width the marks are drawn with.
    expect([...one.capture.pins.picture(1).bytes.subarray(4, 8)]).toEqual([0, 0, 0, 255]);
  });

  test('it moves, grows around its middle and fades, as its page asks', async () => {
    const one = await pinned();
    const [window] = one.pinWindows() as [WindowDouble];
    const { pins } = one.capture;
    pins.move(1, { x: -30, y: 10 });
    expect(window.bounds).toEqual({ x: 70, y: 210, width: 200, height: 100 });
    pins.resize(1, 'larger');
    expect(window.bounds).toEqual({ x: 60, y: 205, width: 220, height: 110 });
    pins.resize(1, 'actual');
    expect(window.bounds).toEqual({ x: 70, y: 210, width: 200, height: 100 });
    pins.fade(1, 'stronger');
    expect(window.webContents.sent).toEqual([]);
    pins.fade(1, 'fainter');
    expect(window.webContents.sent.map(([, message]) => message)).toEqual([{ event: 'pins.faded', payload: { pinId: 1, opacity: 0.85 } }]);
    expect(pins.picture(1).opacity).toBe(0.85);
    for (let time = 0; time < 9; time++) pins.fade(1, 'fainter');
    expect(pins.picture(1).opacity).toBe(0.25);
  });

  test('several are there side by side; the keyboard goes from one to the next; closed, a pin is gone from memory', async () => {
    const one = await pinned(3);
    const windows = one.pinWindows();
    for (const window of windows) window.focused = false;
    one.capture.pins.next(3);
    expect(windows.map(({ focused }) => focused)).toEqual([true, false, false]);
    one.capture.pins.close(2);
    expect(one.pinWindows()).toHaveLength(2);
    expect(() => one.capture.pins.picture(2)).toThrow(LoupeError);
    one.capture.pins.next(1);
    expect(windows[2]!.focused).toBe(true);
  });

  test('its menu does what its keys do, and closes all', async () => {
    const one = await pinned(2);
    const [window] = one.pinWindows() as [WindowDouble];
    window.webContents.emit('context-menu', {}, {});
    const [menu] = one.menus as [MenuItemConstructorOptions[]];
    expect(menu.map(({ label }) => label)).toEqual([
      'Copy Picture',
      'Save Picture As…',
      undefined,
      'Larger',
      'Smaller',
      'Actual Size',
      'Opacity',
      undefined,
      'Close',
      'Close All Pinned Pictures',
    ]);
    const choose = (label: string, among = menu): void => (among.find((item) => item.label === label)!.click as () => void)();
    choose('Save Picture As…');
    expect(one.saved).toEqual([Uint8Array.of(0x89, 0x50)]);
    choose('Larger');
    expect(window.bounds.width).toBe(220);
    const shares = menu.find(({ label }) => label === 'Opacity')!.submenu as MenuItemConstructorOptions[];
    expect(shares.map(({ label, checked }) => [label, checked])).toContainEqual(['100 %', true]);
    choose('55 %', shares);
    expect(one.capture.pins.picture(1).opacity).toBe(0.55);
    choose('Close All Pinned Pictures');
    expect(one.pinWindows()).toHaveLength(0);
  });

  test('a page that dies is loaded again, but not for ever', async () => {
    const one = await pinned();
    const [window] = one.pinWindows() as [WindowDouble];
    for (let time = 0; time < 3; time++) window.webContents.emit('render-process-gone', {}, { reason: 'crashed' });
    expect([window.calls.filter((call) => call === 'reload'), window.destroyed]).toEqual([['reload', 'reload', 'reload'], false]);
    window.webContents.emit('render-process-gone', {}, { reason: 'crashed' });
    expect(window.destroyed).toBe(true);
  });

  test('one on a display that is taken away comes to one that is there', async () => {
    const displays = two();
    const one = rig({ displays });
    await one.capture.start('region');
    await one.capture.pin('12', { x: 0, y: 900, width: 100, height: 100 }, []);
    const [window] = one.pinWindows() as [WindowDouble];
    expect(window.bounds).toMatchObject({ x: -1080, y: 400 });
    displays.pop();
    one.capture.prepare();
    expect(window.bounds).toMatchObject({ x: -60, y: 400 });
  });

  test('a pin that is closed answers nothing but that', async () => {
    const { pins } = rig().capture;
    for (const ask of [() => pins.picture(1), () => pins.move(1, { x: 0, y: 0 }), () => pins.resize(1, 'actual'), () => pins.close(1)])
      expect(ask).toThrow('This pinned picture is closed.');
  });
});

describe('without choosing', () => {
  test('the whole display under the pointer', async () => {
    const displays = two();
    const one = rig({ displays });
    await one.capture.start('display');
    expect(displays[0]!.image.crops).toEqual([{ x: 0, y: 0, width: 2560, height: 1440 }]);
    await expectNothingLeft(one);
  });

  test('the last region again, on the display where it was', async () => {
    const displays = two();
    const one = rig({ displays });
    await one.capture.start('region');
    await one.capture.finish('12', { x: 5, y: 6, width: 70, height: 80 }, []);
    await one.capture.start('last');
    expect(displays[1]!.image.crops).toEqual([
      { x: 5, y: 6, width: 70, height: 80 },
      { x: 5, y: 6, width: 70, height: 80 },
    ]);
    expect(one.overlayWindows()).toHaveLength(0);
    await one.capture.start('region');
    expect((await one.capture.display('12'))?.last).toEqual({ x: 5, y: 6, width: 70, height: 80 });
    expect((await one.capture.display('11'))?.last).toBeNull();
  });

  test.each<[string, RememberedState['lastRegions']]>([
    ['nothing was captured yet', {}],
    ['the display was turned meanwhile', { '12': { region: { x: 5, y: 6, width: 70, height: 80 }, frame: { width: 1920, height: 1080 } } }],
  ])('%s: the person chooses', async (_name, lastRegions) => {
    const one = rig();
    one.remembered.set({ lastDisplay: '12', lastRegions });
    await one.capture.start('last');
    await vi.waitFor(() => expect(one.overlayWindows()).toHaveLength(2));
  });
});

describe('a hotkey for each way', () => {
  const settings = { ...defaultSettings, hotkey: 'Alt+F9', hotkeyDisplay: 'Alt+F10', hotkeyLast: 'Alt+F11', hotkeyText: 'Alt+F12' };

  test('each does what its setting says, and is given back with the others', async () => {
    const one = rig();
    one.hotkeys.want(settings);
    one.double.shortcuts.press('Alt+F12');
    await vi.waitFor(() => expect(one.overlayWindows()).toHaveLength(2));
    expect(one.overlayWindows().map(({ webContents }) => frozenOf(webContents.sent)?.purpose)).toEqual(['text', 'text']);
    one.double.shortcuts.press('Escape');
    one.double.shortcuts.press('Alt+F9');
    await vi.waitFor(() => expect(one.overlayWindows()).toHaveLength(2));
    expect(one.overlayWindows().map(({ webContents }) => frozenOf(webContents.sent)?.purpose)).toEqual(['ask', 'ask']);
    one.double.shortcuts.press('Escape');
    one.double.shortcuts.press('Alt+F10');
    await vi.waitFor(() => expect(one.kept).toHaveLength(1));
    one.double.shortcuts.press('Alt+F11');
    await vi.waitFor(() => expect(one.kept).toHaveLength(2));
    expect(one.kept[1]).toEqual(one.kept[0]);
    one.hotkeys.release();
    expect(one.double.shortcuts.registered.size).toBe(0);
  });

  test('two that change places both work; one that another program has says so alone', () => {
    const one = rig();
    one.hotkeys.want(settings);
    one.hotkeys.want({ ...settings, hotkey: 'Alt+F12', hotkeyText: 'Alt+F9' });
    const statuses = () => Object.values(one.hotkeys.state()).map(({ status }) => status);
    expect(statuses()).toEqual(['registered', 'registered', 'registered', 'registered']);
    one.double.shortcuts.taken.add('Alt+F8');
    one.hotkeys.want({ ...settings, hotkeyDisplay: 'Alt+F8', hotkeyLast: null });
    expect(statuses()).toEqual(['registered', 'taken', 'off', 'registered']);
  });

  test('all rest while a combination is recorded', () => {
    const one = rig();
    one.hotkeys.want(settings);
    one.hotkeys.pause(10_000);
    expect(one.double.shortcuts.registered.size).toBe(0);
    one.hotkeys.resume();
    expect([...one.double.shortcuts.registered.keys()].sort()).toEqual(['Alt+F10', 'Alt+F11', 'Alt+F12', 'Alt+F9']);
  });
});

describe('systems', () => {
  test('Wayland hands over one screen, which is found by its shape', async () => {
    const displays = two();
    const one = rig({ displays, wayland: true });
    one.double.electron.desktopCapturer.getSources = async () => [
      { thumbnail: displays[1]!.image, display_id: '' } as unknown as Electron.DesktopCapturerSource,
    ];
    await one.capture.start('region');
    expect(one.overlayWindows().map(({ url }) => new URL(url).searchParams.get('display'))).toEqual(['12']);
    // The portal would ask whether Loupe may have Esc; the overlay itself hears it.
    expect(one.double.shortcuts.registered.has('Escape')).toBe(false);
    one.overlayWindows()[0]!.webContents.emit('before-input-event', { preventDefault: () => {} }, { type: 'keyDown', key: 'Escape' });
    expect(one.overlayWindows()).toHaveLength(0);
  });

  test('Wayland without a portal for pictures: it is said, and the system is not asked, which Electron 33 does not survive', async () => {
    const one = rig({ wayland: true, mayShare: false });
    const asked = vi.spyOn(one.double.electron.desktopCapturer, 'getSources');
    await expect(one.capture.start('region')).rejects.toMatchObject({
      code: 'capture_failed',
      message: expect.stringContaining('Wayland') as string,
      nextStep: expect.stringContaining('xdg-desktop-portal') as string,
    });
    expect(asked).not.toHaveBeenCalled();
    await expectNothingLeft(one);
  });

  test('Wayland, and the person closed the desktop’s question', async () => {
    const one = rig({ wayland: true });
    one.double.electron.desktopCapturer.getSources = () => Promise.reject(new Error('Failed to get sources.'));
    await expect(one.capture.start('region')).rejects.toMatchObject({
      code: 'capture_failed',
      nextStep: expect.stringMatching(/choose one/) as string,
    });
    await expectNothingLeft(one);
  });

  test('macOS: the truth comes from trying, not from the status', async () => {
    const displays = two();
    const one = rig({ displays, platform: 'darwin' });
    const { electron } = one.double;
    electron.systemPreferences.getMediaAccessStatus = () => 'denied';
    expect((await one.capture.state()).permission).toBe('missing');
    await one.capture.start('region');
    expect((await one.capture.state()).permission).toBe('granted');
    await one.capture.cancel();
    const { getSources } = electron.desktopCapturer;
    electron.desktopCapturer.getSources = () => Promise.reject(new Error('Failed to get sources.'));
    await expect(one.capture.start('region')).rejects.toMatchObject({
      code: 'capture_permission',
      nextStep: expect.stringMatching(/Screen & System Audio Recording/) as string,
    });
    expect((await one.capture.state()).permission).toBe('missing');
    expect(one.overlayWindows()).toHaveLength(0);
    expect(one.events.filter(({ event }) => event === 'capture.changed')).toHaveLength(2);
    electron.desktopCapturer.getSources = getSources;
    await one.capture.start('region');
    await vi.waitFor(() => expect(one.overlayWindows()).toHaveLength(2));
  });

  test('elsewhere no permission is needed', async () => {
    expect((await rig().capture.state()).permission).toBe('not-needed');
  });

  test('sources without the number of their display are taken in order, if the lists agree', () => {
    const displays = [{ id: '1' }, { id: '2' }, { id: '3' }];
    const source = (display_id: string, name: string): { display_id: string; name: string } => ({ display_id, name });
    const found = (sources: ReturnType<typeof source>[]): (string | undefined)[] =>
      displays.map((display) => sourceOf(display, displays, sources)?.name);
    expect(found([source('3', 'c'), source('1', 'a'), source('2', 'b')])).toEqual(['a', 'b', 'c']);
    expect(found([source('', 'a'), source('', 'b'), source('', 'c')])).toEqual(['a', 'b', 'c']);
    expect(found([source('', 'x'), source('2', 'b'), source('', 'y')])).toEqual(['x', 'b', 'y']);
    expect(found([source('', 'x'), source('2', 'b')])).toEqual([undefined, 'b', undefined]);
  });

  test.each<[string[], boolean]>([
    [['workArea'], false],
    [['bounds', 'workArea'], true],
    [['scaleFactor'], true],
    [['rotation', 'bounds', 'workArea'], true],
  ])('a change of %j makes frozen frames wrong: %s', (changed, expected) => {
    expect(outdatesFrames(changed)).toBe(expected);
  });

  test('the shape of a shared screen', () => {
    const displays = [
      { bounds: { x: 0, y: 0, width: 1920, height: 1080 } },
      { bounds: { x: 0, y: 0, width: 1080, height: 1920 } },
      { bounds: { x: 0, y: 0, width: 3440, height: 1440 } },
    ];
    expect(displayOfShape(displays, { width: 2560, height: 1440 })).toBe(displays[0]);
    expect(displayOfShape(displays, { width: 1200, height: 1920 })).toBe(displays[1]);
    expect(displayOfShape(displays, { width: 3440, height: 1440 })).toBe(displays[2]);
  });
});

describe('the hotkey', () => {
  function keys(facts: { taken?: string[]; wayland?: boolean; globalShortcut?: Pick<GlobalShortcut, 'register' | 'unregister'> } = {}): {
    shortcuts: ShortcutDouble;
    hotkey: Hotkey;
    presses: () => number;
    changes: () => number;
  } {
    const shortcuts = new ShortcutDouble();
    for (const accelerator of facts.taken ?? []) shortcuts.taken.add(accelerator);
    const onPress = vi.fn();
    const onChange = vi.fn();
    const hotkey = createHotkey({
      globalShortcut: facts.globalShortcut ?? shortcuts,
      platform: 'linux',
      wayland: facts.wayland ?? false,
      portal: false,
    });
    hotkey.onPress(onPress);
    hotkey.onChange(onChange);
    return { shortcuts, hotkey, presses: () => onPress.mock.calls.length, changes: () => onChange.mock.calls.length };
  }

  test('is registered while it is wanted, and released for another', () => {
    const { shortcuts, hotkey, presses } = keys();
    hotkey.want('CommandOrControl+Shift+Space');
    expect([...shortcuts.registered.keys()]).toEqual(['CommandOrControl+Shift+Space']);
    expect(hotkey.state().status).toBe('registered');
    shortcuts.press('CommandOrControl+Shift+Space');
    expect(presses()).toBe(1);
    hotkey.want('alt+f9');
    expect([...shortcuts.registered.keys()]).toEqual(['Alt+F9']);
    hotkey.want(null);
    expect([...shortcuts.registered.keys()]).toEqual([]);
    expect(hotkey.state().status).toBe('off');
  });

  test('is released at the end', () => {
    const { shortcuts, hotkey } = keys();
    hotkey.want('Alt+F9');
    hotkey.release();
    expect(shortcuts.registered.size).toBe(0);
  });

  test('says when another program has it, and tries again when asked to', () => {
    const { shortcuts, hotkey } = keys({ taken: ['Alt+F9'] });
    hotkey.want('Alt+F9');
    expect(hotkey.state()).toMatchObject({ accelerator: 'Alt+F9', status: 'taken' });
    shortcuts.taken.clear();
    hotkey.want('Alt+F9');
    expect(hotkey.state().status).toBe('registered');
  });

  test('a setting that is no combination is off, with the reason', () => {
    const { hotkey } = keys();
    hotkey.want('Ctrl+Nonsense');
    expect(hotkey.state()).toMatchObject({ status: 'off', advice: expect.stringMatching(/no key called Nonsense/) as string });
  });

  test('a key that Electron does not know counts as taken', () => {
    const { hotkey } = keys({
      globalShortcut: {
        register: () => {
          throw new TypeError('conversion failure');
        },
        unregister: () => {},
      },
    });
    hotkey.want('Ctrl+numadd');
    expect(hotkey.state().status).toBe('taken');
  });

  test('rests while a combination is recorded, and is back afterwards', () => {
    const { shortcuts, hotkey, changes } = keys();
    hotkey.want('Alt+F9');
    hotkey.pause(10_000);
    hotkey.pause(10_000);
    expect(shortcuts.registered.size).toBe(0);
    expect(hotkey.state().status).toBe('registered');
    hotkey.resume();
    expect([...shortcuts.registered.keys()]).toEqual(['Alt+F9']);
    hotkey.pause(10_000);
    hotkey.want('Alt+F9');
    expect([...shortcuts.registered.keys()]).toEqual(['Alt+F9']);
    hotkey.pause(10_000);
    hotkey.want('Alt+F10');
    hotkey.resume();
    expect([...shortcuts.registered.keys()]).toEqual(['Alt+F10']);
    expect(changes()).toBe(2);
    hotkey.pause(10_000);
    shortcuts.taken.add('Alt+F10');
    hotkey.resume();
    expect(hotkey.state().status).toBe('taken');
  });

  test('the rest ends by itself: a window that closes forgets nothing', () => {
    vi.useFakeTimers();
    const { shortcuts, hotkey } = keys();
    hotkey.want('Alt+F9');
    hotkey.pause(60_000);
    vi.advanceTimersByTime(60_000);
    expect([...shortcuts.registered.keys()]).toEqual(['Alt+F9']);
    hotkey.pause(60_000);
    hotkey.release();
    vi.advanceTimersByTime(60_000);
    expect(shortcuts.registered.size).toBe(0);
    vi.useRealTimers();
  });

  test('“press it now” hears it once, without capturing, and proves it', async () => {
    const { shortcuts, hotkey, presses, changes } = keys({ wayland: true });
    hotkey.want('Alt+F9');
    expect(hotkey.state().status).toBe('unsure');
    const test = hotkey.test(10_000);
    shortcuts.press('Alt+F9');
    expect(await test).toBe(true);
    expect(presses()).toBe(0);
    expect(hotkey.state().status).toBe('registered');
    expect(changes()).toBe(2);
    shortcuts.press('Alt+F9');
    expect(presses()).toBe(1);
  });

  test('“press it now” ends by itself, or with the next one', async () => {
    const { hotkey } = keys();
    hotkey.want('Alt+F9');
    expect(await hotkey.test(5)).toBe(false);
    const first = hotkey.test(10_000);
    const second = hotkey.test(5);
    expect(await first).toBe(false);
    expect(await second).toBe(false);
  });
});

describe('for a program', () => {
  const never = new AbortController().signal;
  const region = { x: 300, y: 150, width: 900, height: 600 };

  test('it gets what the person chooses on an overlay that names it, and nothing of it is kept or shown', async () => {
    const one = rig();
    const taken = one.capture.take('notes', never);
    await vi.waitFor(() => expect(one.overlayWindows()).toHaveLength(2));
    expect(one.overlayWindows().map(({ webContents }) => frozenOf(webContents.sent)?.program)).toEqual(['notes', 'notes']);
    await one.capture.finish('11', region, []);
    expect((await taken).length).toBeGreaterThan(0);
    await expectNothingLeft(one);
    expect([one.kept, one.events.filter(({ event }) => event !== 'capture.frozen')]).toEqual([[], []]);
    expect(one.quickWindow()?.visible ?? false).toBe(false);
    expect(one.remembered.get().lastRegions).toEqual({});
    // The next one is the person's again.
    await one.capture.start('region');
    expect(frozenOf(one.overlayWindows()[0]!.webContents.sent)?.program).toBeNull();
    await one.capture.finish('11', region, []);
    expect(one.kept).toHaveLength(1);
  });

  test('left with Esc, or with the text copied instead, it gets nothing', async () => {
    for (const leave of ['cancel', 'text'] as const) {
      const one = rig();
      const taken = one.capture.take('notes', never);
      const refused = expect(taken).rejects.toMatchObject({
        code: 'request_refused',
        message: expect.stringContaining('No picture') as string,
      });
      await vi.waitFor(() => expect(one.overlayWindows()).toHaveLength(2));
      if (leave === 'cancel') await one.capture.cancel();
      else await one.capture.text('11', region, []);
      await refused;
      await expectNothingLeft(one);
    }
  });

  test('never what the person is capturing already, and one program at a time', async () => {
    const one = rig();
    await one.capture.start('region');
    const windows = one.overlayWindows();
    for (const id of ['11', '12']) await one.capture.drawn(id);
    await vi.waitFor(() => expect(windows.map(({ visible }) => visible)).toEqual([true, true]));
    const before = windows.map(({ calls }) => [...calls]);
    await expect(one.capture.take('notes', never)).rejects.toMatchObject({ code: 'request_refused' });
    // The person notices nothing: the keyboard may be on another display by now.
    expect(windows.map(({ calls }) => calls)).toEqual(before);
    await one.capture.finish('11', region, []);
    expect(one.kept).toHaveLength(1);
    const first = one.capture.take('notes', never);
    await vi.waitFor(() => expect(one.overlayWindows()).toHaveLength(2));
    await expect(one.capture.take('other', never)).rejects.toMatchObject({ code: 'request_refused' });
    await one.capture.finish('12', { x: 0, y: 0, width: 50, height: 50 }, []);
    expect((await first).length).toBeGreaterThan(0);
    expect(one.kept).toHaveLength(1);
  });

  test('a program that leaves takes the overlays along, also while the screen is being frozen', async () => {
    for (const isFrozen of [true, false]) {
      const one = rig();
      const leave = new AbortController();
      const taken = one.capture.take('notes', leave.signal);
      const gone = expect(taken).rejects.toMatchObject({ code: 'cancelled' });
      if (isFrozen) await vi.waitFor(() => expect(one.overlayWindows()).toHaveLength(2));
      leave.abort();
      await gone;
      await expectNothingLeft(one);
    }
    // A later end of it ends nobody else's capture.
    const one = rig();
    const leave = new AbortController();
    const taken = one.capture.take('notes', leave.signal);
    await vi.waitFor(() => expect(one.overlayWindows()).toHaveLength(2));
    await one.capture.finish('11', region, []);
    await taken;
    await one.capture.start('region');
    leave.abort();
    expect(one.overlayWindows()).toHaveLength(2);
  });
});
