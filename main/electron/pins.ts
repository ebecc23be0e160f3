/** Pictures pinned to the screen: a small window for each, on top of everything, until it is closed. What it shows is in memory alone. */
import type { BrowserWindow, BrowserWindowConstructorOptions, MenuItemConstructorOptions } from 'electron';
import type { EventMessage } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import type { Rect, ScreenDisplay, Size } from '../services/capture/geometry.ts';
import { movePin, placePin, resizePin, type PinPlace } from '../services/capture/pin-geometry.ts';
import type { PinHost } from '../services/ports.ts';
import { entry } from './entries.ts';
import { broadcast } from './ipc.ts';
import { pageUrl, webPreferences } from './options.ts';
import { words } from './words.ts';

export interface PinsParts {
  createWindow: (options: BrowserWindowConstructorOptions) => BrowserWindow;
  platform: NodeJS.Platform;
  preload: string;
  icon: string;
  displays: () => readonly ScreenDisplay[];
  /** Asks where to, and writes it there. */
  savePicture: (png: Uint8Array) => void;
  popUp: (template: MenuItemConstructorOptions[], window: BrowserWindow) => void;
}

export interface Pins extends PinHost {
  /** `size`: of the picture, in its pixels; `crop`: where it lies on the desktop, DIP. */
  open(png: Uint8Array<ArrayBuffer>, size: Size, crop: Rect): void;
  /** Displays came or went: none is left where it cannot be reached. */
  follow(): void;
  owns(contentsId: number): boolean;
  closeAll(): void;
}

interface Pinned {
  id: number;
  window: BrowserWindow;
  png: Uint8Array<ArrayBuffer>;
  size: Size;
  /** On the screen, DIP. */
  natural: Size;
  place: PinPlace;
  opacity: number;
  /** How often its page has died. */
  deaths: number;
}

const opacities = [1, 0.85, 0.7, 0.55, 0.4, 0.25] as const;
/** A page that dies more often than this is not loaded again. */
const deathsTolerated = 3;

export function createPins({ createWindow, platform, preload, icon, displays, savePicture, popUp }: PinsParts): Pins {
  /** In the order in which they were pinned. */
  let all: Pinned[] = [];
  let lastId = 0;

  const areas = (): Rect[] => displays().map(({ workArea }) => workArea);

  function find(pinId: number): Pinned {
    const pinned = all.find(({ id }) => id === pinId);
    if (!pinned) throw new LoupeError('not_found', words.pin.closed, words.pin.closedNext);
    return pinned;
  }

  function put(pinned: Pinned, place: PinPlace): void {
    pinned.place = place;
    pinned.window.setBounds(place.bounds);
  }

  function setOpacity(pinned: Pinned, opacity: number): void {
    pinned.opacity = opacity;
    const faded: EventMessage = { event: 'pins.faded', payload: { pinId: pinned.id, opacity } };
    broadcast([pinned.window.webContents], faded);
  }

  function menuOf(pinned: Pinned): MenuItemConstructorOptions[] {
    const { id, window, png, opacity } = pinned;
    const text = words.pin;
    const { width, height } = pinned.place.bounds;
    return [
      // The picture is in the middle wherever it is smaller than its window.
      { label: text.copy, click: entry(() => window.webContents.copyImageAt(Math.floor(width / 2), Math.floor(height / 2))) },
      { label: text.save, click: entry(() => savePicture(png)) },
      { type: 'separator' },
      { label: text.larger, click: entry(() => resize(id, 'larger')) },
      { label: text.smaller, click: entry(() => resize(id, 'smaller')) },
      { label: text.actual, click: entry(() => resize(id, 'actual')) },
      {
        label: text.opacity,
        submenu: opacities.map((value) => ({
          label: text.percent(value),
          type: 'radio' as const,
          checked: value === opacity,
          click: entry(() => setOpacity(pinned, value)),
        })),
      },
      { type: 'separator' },
      { label: text.close, click: entry(() => close(id)) },
      ...(all.length > 1 ? [{ label: text.closeAll, click: entry(closeAll) }] : []),
    ];
  }

  const resize: PinHost['resize'] = (pinId, to) => {
    const pinned = find(pinId);
    put(pinned, resizePin(pinned.place, to, pinned.natural, areas()));
  };

  const close: PinHost['close'] = (pinId) => find(pinId).window.destroy();

  function closeAll(): void {
    for (const { window } of all) window.destroy();
  }

  function listen(pinned: Pinned): void {
    const { window } = pinned;
    window.once(
      'closed',
      entry(() => {
        all = all.filter((one) => one !== pinned);
      }),
    );
    window.webContents.on(
      'render-process-gone',
      entry((_event, { reason }) => {
        if (reason === 'clean-exit') return;
        if (++pinned.deaths > deathsTolerated) window.destroy();
        else window.reload();
      }),
    );
    window.webContents.on(
      'context-menu',
      entry(() => popUp(menuOf(pinned), window)),
    );
    window.once(
      'ready-to-show',
      entry(() => {
        window.show();
        // Again: window managers place new windows, and on the way to a display of another scale the size changes.
        window.setBounds(pinned.place.bounds);
        window.focus();
      }),
    );
  }

  return {
    open(png, { width, height }, crop) {
      const place = placePin(crop, areas());
      const id = ++lastId;
      const window = createWindow(pinOptions(place.bounds, platform, preload, icon));
      const pinned: Pinned = { id, window, png, size: { width, height }, natural: crop, place, opacity: opacities[0], deaths: 0 };
      all = [...all, pinned];
      window.setAlwaysOnTop(true, 'floating');
      if (platform === 'darwin') window.setVisibleOnAllWorkspaces(true, { visibleOnFullScreen: true, skipTransformProcessType: true });
      listen(pinned);
      void window.loadURL(pageUrl({ view: 'pin', pin: id })).catch(() => window.destroy());
    },
    follow() {
      const there = areas();
      for (const pinned of all) put(pinned, movePin(pinned.place, { x: 0, y: 0 }, there));
    },
    owns: (contentsId) => all.some(({ window }) => window.webContents.id === contentsId),
    closeAll,

    picture(pinId) {
      const { png, size, opacity } = find(pinId);
      return { bytes: png, size, opacity };
    },
    move(pinId, by) {
      const pinned = find(pinId);
      put(pinned, movePin(pinned.place, by, areas()));
    },
    resize,
    fade(pinId, to) {
      const pinned = find(pinId);
      const at = opacities.findIndex((value) => value === pinned.opacity) + (to === 'fainter' ? 1 : -1);
      const next = opacities[at];
      if (next !== undefined) setOpacity(pinned, next);
    },
    next(pinId) {
      const at = all.indexOf(find(pinId));
      all[(at + 1) % all.length]?.window.focus();
    },
    close,
  };
}

/** In the list of windows, so that the keyboard finds it again. What is around a faded picture, or beside a narrow one, is clear. */
export function pinOptions(bounds: Rect, platform: NodeJS.Platform, preload: string, icon: string): BrowserWindowConstructorOptions {
  return {
    ...bounds,
    show: false,
    frame: false,
    ...(platform === 'darwin' ? { type: 'panel' } : { icon }),
    transparent: true,
    hasShadow: false,
    resizable: false,
    minimizable: false,
    maximizable: false,
    fullscreenable: false,
    enableLargerThanScreen: true,
    alwaysOnTop: true,
    acceptFirstMouse: true,
    webPreferences: webPreferences(preload),
  };
}
