/** Freeze, choose, keep, ask: the way from the hotkey to the quick-ask window. */
import type { CaptureState, Display, Picture, Region } from '../contract.ts';
import type { CaptureServices } from '../app.ts';
import { clampRegion, lastRegion, toDesktop, wholeFrame, type ScreenDisplay } from '../services/capture/geometry.ts';
import { LoupeError } from '../errors.ts';
import type { CaptureHost } from '../services/ports.ts';
import { encodeBitmap } from './bitmap.ts';
import type { Hotkey } from './hotkey.ts';
import type { Overlays } from './overlay.ts';
import type { QuickAsk } from './quick.ts';
import type { Remembered } from './remembered.ts';
import type { Frozen, ScreenAccess } from './screen.ts';
import { createTextCopies } from './text-copies.ts';
import type { Notice } from './notice.ts';
import { words } from './words.ts';

export interface CaptureParts {
  screen: ScreenAccess;
  overlays: Overlays;
  quick: QuickAsk;
  notice: Pick<Notice, 'open' | 'close'>;
  /** Into the clipboard. */
  writeText: (text: string) => void;
  hotkey: Hotkey;
  remembered: Remembered;
  services: Pick<CaptureServices, 'addPicture' | 'readText' | 'stopText' | 'emit'>;
  /** Takes our own windows out of the way; answers how to bring them back. */
  hideWindows: () => Promise<() => void>;
}

export interface ElectronCapture extends CaptureHost {
  /** The frozen picture of a display, as a file that a page can show. */
  frame(displayId: string): { bytes: Uint8Array; mediaType: string } | null;
  /** The state changed from outside, as by the hotkey. */
  changed(): void;
  /** The quick-ask window was closed: there is no picture to ask about. */
  quickClosed(): void;
}

type Mode = 'region' | 'display' | 'last';

/** A capture from its first press until it has a picture or is over. */
interface Running {
  /** It was left before the screen was frozen. */
  isCancelled: boolean;
  /** Pressed again after that: to be begun as soon as this one is out of the way. */
  next: Mode | null;
}

const testPatienceMs = 10_000;
const recordingPatienceMs = 60_000;

export function createElectronCapture(parts: CaptureParts): ElectronCapture {
  const { screen, overlays, quick, hotkey, remembered, services, hideWindows } = parts;
  const copies = createTextCopies(parts);
  /** One capture at a time, from the hotkey to its picture. */
  let running: Running | null = null;
  let frozen: Frozen[] = [];
  /** Tells addresses of one capture from those of the next. */
  let round = 0;
  let comeBack: () => void = () => {};
  let current: Picture | null = null;

  const state = (): CaptureState => ({ by: 'app', reason: null, hotkey: hotkey.state(), permission: screen.permission() });

  function end(): void {
    overlays.close();
    frozen = [];
    running = null;
    comeBack();
    comeBack = () => {};
  }

  /** False when it was cancelled on the way. */
  async function freeze(capture: Running): Promise<boolean> {
    const before = screen.permission();
    try {
      comeBack = await hideWindows();
      if (capture.isCancelled) return false;
      frozen = await screen.freeze();
      return !capture.isCancelled;
    } catch (error) {
      if (!capture.isCancelled) throw error;
      return false;
    } finally {
      if (screen.permission() !== before) services.emit({ event: 'capture.changed', payload: state() });
    }
  }

  async function start(mode: Mode): Promise<void> {
    if (running?.isCancelled) running.next = mode;
    // It is on its way, or there: the person wants this one.
    else if (running) overlays.raise();
    if (running) return;
    const capture: Running = { isCancelled: false, next: null };
    running = capture;
    let isFrozen = false;
    try {
      overlays.begin();
      isFrozen = await freeze(capture);
    } finally {
      if (!isFrozen) end();
    }
    if (isFrozen) {
      round++;
      const chosen = chosenBy(mode);
      if (chosen) await keep(...chosen);
      else overlays.open(frozenDisplays(), screen.pointedAt(frozenDisplays()));
    } else if (capture.next) await start(capture.next);
  }

  function cancel(): void {
    if (frozen.length > 0) end();
    else if (running) {
      // The system cannot be interrupted; what it answers is thrown away.
      running.isCancelled = true;
      running.next = null;
    }
  }

  async function keep({ display, image, size }: Frozen, region: Region): Promise<void> {
    let bytes: Uint8Array;
    try {
      bytes = new Uint8Array(image.crop(region).toPNG());
    } finally {
      end();
    }
    const picture = await services.addPicture(bytes, words.capture.pictureName);
    const { lastRegions } = remembered.get();
    remembered.set({ lastDisplay: display.id, lastRegions: { ...lastRegions, [display.id]: { region, frame: size } } });
    current = picture;
    services.emit({ event: 'capture.taken', payload: picture });
    quick.open(toDesktop(display, size, region), display.workArea);
  }

  const frozenDisplays = (): ScreenDisplay[] => frozen.map(({ display }) => display);

  const lastOn = ({ display, size }: Frozen): Region | null => lastRegion(remembered.get().lastRegions[display.id], size);

  /** What needs no choosing: the display under the pointer, or the last region where it still fits. */
  function chosenBy(mode: Mode): [Frozen, Region] | null {
    if (mode === 'display') {
      const under = screen.pointedAt(frozenDisplays());
      const one = frozen.find(({ display }) => display === under);
      return one ? [one, wholeFrame(one.size)] : null;
    }
    if (mode === 'last') {
      const one = frozen.find(({ display }) => display.id === remembered.get().lastDisplay);
      const region = one && lastOn(one);
      return one && region ? [one, region] : null;
    }
    return null;
  }

  function frozenOf(displayId: string): Frozen {
    const one = frozen.find(({ display }) => display.id === displayId);
    if (!one) throw new LoupeError('not_found', words.capture.over, words.capture.overNext);
    return one;
  }

  function chosenOn(displayId: string, wanted: Region): [Frozen, Region] {
    const one = frozenOf(displayId);
    const region = clampRegion(wanted, one.size);
    if (!region) throw new LoupeError('capture_failed', words.capture.outside);
    return [one, region];
  }

  return {
    state: async () => state(),
    changed: () => services.emit({ event: 'capture.changed', payload: state() }),

    start,

    async display(displayId): Promise<Display> {
      const one = frozenOf(displayId);
      const { display, size } = one;
      return {
        id: display.id,
        name: display.name,
        size: { width: size.width, height: size.height },
        url: `/capture/${display.id}?${round}`,
        last: lastOn(one),
      };
    },

    drawn: async (displayId) => overlays.show(displayId),

    async finish(displayId, wanted) {
      await keep(...chosenOn(displayId, wanted));
    },

    async text(displayId, wanted) {
      const [{ display, image }, region] = chosenOn(displayId, wanted);
      let png: Uint8Array;
      try {
        png = new Uint8Array(image.crop(region).toPNG());
      } finally {
        end();
      }
      copies.start(png, display.workArea);
    },
    copying: copies.state,
    stopCopying: copies.stop,

    cancel: async () => cancel(),
    current: async () => current,
    quickClosed: () => {
      current = null;
    },
    testHotkey: () => hotkey.test(testPatienceMs),
    pauseHotkey: async (paused) => (paused ? hotkey.pause(recordingPatienceMs) : hotkey.resume()),

    frame(displayId) {
      const one = frozen.find(({ display }) => display.id === displayId);
      if (!one) return null;
      return { bytes: encodeBitmap(one.image.toBitmap(), one.size.width, one.size.height), mediaType: 'image/bmp' };
    },
  };
}
