/** Freeze, choose, keep, ask: the way from the hotkey to the quick-ask window. */
import { drawMarks, type Captured, type CaptureMode, type CaptureState, type Display, type Mark, type Region } from '../contract.ts';
import type { CaptureServices } from '../app.ts';
import { clampRegion, lastRegion, toDesktop, wholeFrame, type Size } from '../services/capture/geometry.ts';
import { LoupeError } from '../errors.ts';
import type { CaptureHost } from '../services/ports.ts';
import { createFrozenScreen, type FrozenScreenParts } from './frozen-screen.ts';
import type { Hotkeys } from './hotkeys.ts';
import type { QuickAsk } from './quick.ts';
import type { Remembered } from './remembered.ts';
import type { Frozen } from './screen.ts';
import { createTextCopies } from './text-copies.ts';
import type { Notice } from './notice.ts';
import type { Pins } from './pins.ts';
import { words } from './words.ts';

export interface CaptureParts extends Omit<FrozenScreenParts, 'permissionChanged' | 'onEnd'> {
  quick: QuickAsk;
  notice: Pick<Notice, 'open' | 'close' | 'onClosed'>;
  pins: Pins;
  /** A picture of these bytes (blue, green, red, one more), as PNG. */
  toPng: (bitmap: Uint8Array, size: Size) => Uint8Array<ArrayBuffer>;
  /** Into the clipboard. Rejects where the system does not take it. */
  writeText: (text: string) => Promise<void>;
  /** Asks the person where to, and says what goes wrong. */
  savePicture: (png: Uint8Array) => void;
  hotkeys: Hotkeys;
  remembered: Remembered;
  services: Pick<CaptureServices, 'addPicture' | 'addPrivately' | 'settings' | 'readText' | 'stopText' | 'emit'>;
  /** Brings the main window to the front. */
  showMain: () => void;
  /** A capture came to nothing, which no window asked for. */
  onFailed: (error: LoupeError) => void;
}

export interface ElectronCapture extends CaptureHost {
  /** Makes the windows ahead: an overlay for each display as they are now, and the quick-ask window. At the start, and when displays come or go. */
  prepare(): void;
  /** At once, or as soon as the person is through with a capture that is running, with what comes of it on the screen. */
  whenOver(act: () => void): void;
}

/** What becomes the picture. */
interface Chosen {
  one: Frozen;
  region: Region;
  marks: readonly Mark[];
}

const testPatienceMs = 10_000;
const recordingPatienceMs = 60_000;

export function createElectronCapture(parts: CaptureParts): ElectronCapture {
  const { screen, overlays, times, quick, notice, pins, hotkeys, remembered, services, showMain, onFailed, toPng, savePicture } = parts;
  const copies = createTextCopies(parts);
  const frozen = createFrozenScreen({ ...parts, permissionChanged: changed, onEnd: ended });
  let current: Captured | null = null;
  /** The conversation that is captured for; null: a new one. */
  let madeFor: number | null = null;
  /** The program that gets what is captured; null: the person does. */
  let taking: { program: string; give: (png: Uint8Array) => void; refuse: () => void } | null = null;
  let purpose: Display['purpose'] = 'ask';
  /** What waits for the end of the capture. */
  let waiting: (() => void)[] = [];
  /** The picture of a capture that is over is on its way to the quick-ask window. */
  let isKeeping = false;

  overlays.onCancel(frozen.cancel);
  overlays.onDrawn(() => times.step('drawn'));
  overlays.onShown(() => times.step('shown'));
  overlays.onStuck(() => {
    frozen.cancel();
    onFailed(new LoupeError('capture_failed', words.capture.notDrawn, words.capture.overNext));
  });
  notice.onClosed(copies.stop);
  hotkeys.onChange(changed);
  // There is no picture to ask about.
  quick.onClosed(() => {
    current = null;
    services.emit({ event: 'capture.left', payload: null });
  });

  function ended(): void {
    taking?.refuse();
    if (!isKeeping) goOn();
  }

  function goOn(): void {
    const acts = waiting;
    waiting = [];
    for (const act of acts) act();
  }

  function state(): CaptureState {
    return { by: 'app', reason: null, hotkeys: hotkeys.state(), permission: screen.permission() };
  }

  function changed(): void {
    services.emit({ event: 'capture.changed', payload: state() });
  }

  /** The part of a frozen display as PNG, with its marks. The capture is over, whatever comes of it. */
  function cut({ one, region, marks }: Chosen): Uint8Array<ArrayBuffer> {
    try {
      const part = one.image.crop(region);
      if (marks.length === 0) return new Uint8Array(part.toPNG());
      const bitmap = part.toBitmap();
      drawMarks(bitmap, region, marks, 'bgr');
      return toPng(bitmap, region);
    } finally {
      frozen.end();
    }
  }

  async function add(bytes: Uint8Array): Promise<Captured> {
    const name = words.capture.pictureName;
    if (madeFor === null && services.settings().privateCaptures) return services.addPrivately(bytes, name);
    return { picture: await services.addPicture(bytes, name, madeFor), conversationId: null };
  }

  async function keep(chosen: Chosen): Promise<void> {
    isKeeping = true;
    try {
      await keepChosen(chosen);
    } finally {
      isKeeping = false;
      goOn();
    }
  }

  async function keepChosen(chosen: Chosen): Promise<void> {
    const { one, region } = chosen;
    // Before the end of the capture, which takes from it what it waits for.
    const program = taking;
    taking = null;
    if (program) return giveTo(program, chosen);
    const conversationId = madeFor;
    const captured = await add(cut(chosen));
    const { picture } = captured;
    const { display, size } = one;
    const { lastRegions } = remembered.get();
    remembered.set({ lastDisplay: display.id, lastRegions: { ...lastRegions, [display.id]: { region, frame: size } } });
    if (conversationId !== null) {
      services.emit({ event: 'capture.attached', payload: { conversationId, picture } });
      return showMain();
    }
    current = captured;
    services.emit({ event: 'capture.taken', payload: captured });
    quick.open(toDesktop(display, size, region), display.workArea, picture);
  }

  function giveTo({ give, refuse }: NonNullable<typeof taking>, chosen: Chosen): void {
    try {
      give(cut(chosen));
    } catch (error) {
      refuse();
      throw error;
    }
  }

  const lastOn = ({ display, size }: Frozen): Region | null => lastRegion(remembered.get().lastRegions[display.id], size);

  /** What needs no choosing: the display under the pointer, or the last region where it still fits. */
  function chosenBy(mode: CaptureMode): Chosen | null {
    if (mode === 'region' || mode === 'text') return null;
    const one = mode === 'display' ? frozen.pointedAt() : frozen.find(remembered.get().lastDisplay ?? '');
    const region = one && (mode === 'display' ? wholeFrame(one.size) : lastOn(one));
    return one && region ? { one, region, marks: [] } : null;
  }

  function pageOf(one: Frozen): Display {
    const { display, image, size, windows } = one;
    return {
      id: display.id,
      name: display.name,
      size: { width: size.width, height: size.height },
      pixels: image.toBitmap() as Buffer<ArrayBuffer>,
      windows,
      capture: frozen.round(),
      last: lastOn(one),
      program: taking?.program ?? null,
      purpose,
    };
  }

  function frozenOf(displayId: string): Frozen {
    const one = frozen.find(displayId);
    if (!one) throw new LoupeError('not_found', words.capture.over, words.capture.overNext);
    return one;
  }

  function chosenOn(displayId: string, wanted: Region, marks: readonly Mark[]): Chosen {
    const one = frozenOf(displayId);
    const region = clampRegion(wanted, one.size);
    if (!region) throw new LoupeError('capture_failed', words.capture.outside);
    return { one, region, marks };
  }

  return {
    state: async () => state(),

    async start(wanted, conversationId = null) {
      const mode = await frozen.freeze(wanted);
      if (!mode) return;
      madeFor = conversationId;
      purpose = mode === 'text' ? 'text' : 'ask';
      const chosen = chosenBy(mode);
      if (chosen) await keep(chosen);
      else frozen.open(pageOf);
    },

    async take(program, signal) {
      const refused = new LoupeError('request_refused', words.capture.notTaken, words.capture.notTakenNext);
      const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
      // A person who is capturing notices nothing of it.
      if (frozen.isRunning()) throw refused;
      // Once it is frozen: what is begun for the program before that would take the picture of a person who is capturing already.
      const mode = await frozen.freeze('region');
      if (!mode) throw refused;
      purpose = 'ask';
      const mine = { program, give: resolve, refuse: () => reject(refused) };
      taking = mine;
      const leave = (): void => {
        reject(new LoupeError('cancelled', words.capture.programLeft));
        if (taking === mine) frozen.cancel();
      };
      signal.addEventListener('abort', leave, { once: true });
      if (signal.aborted) leave();
      else frozen.open(pageOf);
      return promise.finally(() => {
        signal.removeEventListener('abort', leave);
        if (taking === mine) taking = null;
      });
    },

    prepare() {
      frozen.follow();
      pins.follow();
      quick.prepare();
    },

    whenOver(act) {
      if (frozen.isRunning() || isKeeping) waiting.push(act);
      else act();
    },

    async display(displayId) {
      const one = frozen.find(displayId);
      return one ? pageOf(one) : null;
    },

    drawn: async (displayId) => overlays.drawn(displayId),
    hold: async (displayId, holds) => overlays.hold(displayId, holds),

    async finish(displayId, wanted, marks) {
      await keep(chosenOn(displayId, wanted, marks));
    },

    async text(displayId, wanted, marks) {
      const chosen = chosenOn(displayId, wanted, marks);
      copies.start(cut(chosen), chosen.one.display.workArea);
    },
    async save(displayId, wanted, marks) {
      savePicture(cut(chosenOn(displayId, wanted, marks)));
    },
    async pin(displayId, wanted, marks) {
      const chosen = chosenOn(displayId, wanted, marks);
      const { display, size } = chosen.one;
      pins.open(cut(chosen), chosen.region, toDesktop(display, size, chosen.region));
    },
    pins,
    copying: copies.state,
    stopCopying: copies.stop,

    cancel: async () => frozen.cancel(),
    current: async () => current,
    testHotkey: (mode) => hotkeys.test(mode, testPatienceMs),
    pauseHotkey: async (paused) => (paused ? hotkeys.pause(recordingPatienceMs) : hotkeys.resume()),
  };
}
