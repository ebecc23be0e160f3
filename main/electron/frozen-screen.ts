/** Every display as it was when a capture began, from the first press until there is a picture or it is left. */
import type { ScreenDisplay } from '../services/capture/geometry.ts';
import type { CaptureMode, Display } from '../contract.ts';
import type { CaptureTimes } from './capture-times.ts';
import type { Overlays } from './overlay.ts';
import type { Frozen, ScreenAccess } from './screen.ts';

export interface FrozenScreenParts {
  screen: ScreenAccess;
  overlays: Overlays;
  times: CaptureTimes;
  /** Takes our own windows out of the way; returns a function that brings them back. */
  hideWindows: () => Promise<() => void>;
  /** Freezing has asked the system, which may have asked the person. */
  permissionChanged: () => void;
  /** Nothing is frozen any more, with a picture or without. */
  onEnd: () => void;
}

export interface FrozenScreen {
  /**
   * Resolves with what was asked for last, once every display is frozen; with null when it was left on the way, or when another
   * capture is: then that one comes to the front.
   */
  freeze(mode: CaptureMode): Promise<CaptureMode | null>;
  /** Lets a person choose on the overlays, whose pages show this. */
  open(page: (frozen: Frozen) => Display): void;
  /** Displays came or went: the overlays follow. */
  follow(): void;
  /** Overlays go, our windows come back. */
  end(): void;
  cancel(): void;
  find(displayId: string): Frozen | undefined;
  /** Null when the pointer is on none that is frozen. */
  pointedAt(): Frozen | undefined;
  /** From the press on, until there is a picture or it is left. */
  isRunning(): boolean;
  /** Tells addresses of one capture from those of the next. */
  round(): number;
}

interface Running {
  /** It was left before the screen was frozen. */
  isCancelled: boolean;
  /** Pressed again after that: to be begun as soon as this one is out of the way. */
  next: CaptureMode | null;
}

export function createFrozenScreen({ screen, overlays, times, hideWindows, permissionChanged, onEnd }: FrozenScreenParts): FrozenScreen {
  /** One capture at a time, from the hotkey to its picture. */
  let running: Running | null = null;
  let frozen: Frozen[] = [];
  let round = 0;
  let comeBack: () => void = () => {};

  const displays = (): ScreenDisplay[] => frozen.map(({ display }) => display);

  function end(): void {
    overlays.close();
    // In the place of one that ended the capture by its own end.
    overlays.prepare(screen.displays());
    frozen = [];
    running = null;
    comeBack();
    comeBack = () => {};
    onEnd();
  }

  /** False when it was cancelled on the way. */
  async function take(capture: Running): Promise<boolean> {
    const before = screen.permission();
    try {
      comeBack = await hideWindows();
      times.step('aside');
      if (capture.isCancelled) return false;
      frozen = await screen.freeze();
      times.step('frozen');
      return !capture.isCancelled;
    } catch (error) {
      if (!capture.isCancelled) throw error;
      return false;
    } finally {
      if (screen.permission() !== before) permissionChanged();
    }
  }

  async function freeze(mode: CaptureMode): Promise<CaptureMode | null> {
    if (running?.isCancelled) running.next = mode;
    // It is on its way, or there: the person wants this one.
    else if (running) overlays.raise();
    if (running) return null;
    const capture: Running = { isCancelled: false, next: null };
    running = capture;
    times.begin();
    let isFrozen = false;
    try {
      overlays.begin();
      isFrozen = await take(capture);
    } finally {
      if (!isFrozen) end();
    }
    if (!isFrozen) return capture.next && freeze(capture.next);
    round++;
    return mode;
  }

  return {
    freeze,
    open(page) {
      const shown = frozen.map((one) => ({ display: one.display, page: page(one) }));
      overlays.open(shown, screen.pointedAt(displays()));
    },
    follow: () => overlays.prepare(screen.displays()),
    end,
    cancel() {
      if (frozen.length > 0) end();
      else if (running) {
        // The system cannot be interrupted; what it answers is thrown away.
        running.isCancelled = true;
        running.next = null;
      }
    },
    find: (displayId) => frozen.find(({ display }) => display.id === displayId),
    pointedAt() {
      const under = screen.pointedAt(displays());
      return frozen.find(({ display }) => display === under);
    },
    isRunning: () => running !== null,
    round: () => round,
  };
}
