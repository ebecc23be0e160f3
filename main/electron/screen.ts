/** The screen as it is: displays, and one picture of each, at its own pixels. */
import type { DesktopCapturer, DesktopCapturerSource, Display, NativeImage, Screen, Size, SystemPreferences } from 'electron';
import type { CaptureState, Region } from '../contract.ts';
import { displayAt, onFrame, physicalSize, type Rect, type ScreenDisplay } from '../services/capture/geometry.ts';
import { LoupeError } from '../errors.ts';
import { answer } from './entries.ts';
import { words } from './words.ts';

/** A display and the picture of it. */
export interface Frozen {
  display: ScreenDisplay;
  image: NativeImage;
  /** Of the picture, in its pixels. */
  size: Size;
  /** Of the desktop's windows, from the front to the back, in its pixels. None where the system does not tell. */
  windows: Region[];
}

export interface ScreenAccess {
  displays(): ScreenDisplay[];
  /** The one under the pointer, of these. */
  pointedAt(displays: readonly ScreenDisplay[]): ScreenDisplay | null;
  /** Throws `capture_failed` or `capture_permission`. */
  freeze(): Promise<Frozen[]>;
  permission(): CaptureState['permission'];
}

export interface ScreenParts {
  screen: Pick<Screen, 'getAllDisplays' | 'getCursorScreenPoint'>;
  desktopCapturer: Pick<DesktopCapturer, 'getSources'>;
  systemPreferences: Pick<SystemPreferences, 'getMediaAccessStatus'>;
  platform: NodeJS.Platform;
  /** The desktop asks which screen to share, and shows one. */
  wayland: boolean;
  /** Where windows are, from the front to the back, in pixels of the whole screen. None where the system does not tell. */
  findWindows: () => Promise<Rect[]>;
  /** Wayland only: false where the desktop hands no program a picture. */
  mayShare: () => Promise<boolean>;
}

export function createScreen({
  screen,
  desktopCapturer,
  systemPreferences,
  platform,
  wayland,
  findWindows,
  mayShare,
}: ScreenParts): ScreenAccess {
  /** What the last probe said; macOS's own answer is "denied" before it was ever asked, and stale after a change. */
  let probed: CaptureState['permission'] | null = platform === 'darwin' ? null : 'not-needed';

  const displays = (): ScreenDisplay[] => screen.getAllDisplays().map(describeDisplay);

  async function pictures(size: Size): Promise<DesktopCapturerSource[]> {
    try {
      return await answer(desktopCapturer.getSources({ types: ['screen'], thumbnailSize: size }));
    } catch (error) {
      throw new LoupeError('capture_failed', words.capture.noDisplay, wayland ? words.capture.portalNext : undefined, { cause: error });
    }
  }

  /** macOS tells the truth only to who tries: one pixel is enough, and makes it ask the first time. */
  async function probe(): Promise<void> {
    if (platform !== 'darwin') return;
    const sources = await pictures({ width: 1, height: 1 }).catch(() => []);
    probed = sources.some(({ thumbnail }) => !thumbnail.isEmpty()) ? 'granted' : 'missing';
    if (probed === 'missing') throw new LoupeError('capture_permission', words.permission.missing, words.permission.next);
  }

  return {
    displays,
    pointedAt: (candidates) => displayAt(candidates, screen.getCursorScreenPoint()),
    permission: () => probed ?? (systemPreferences.getMediaAccessStatus('screen') === 'granted' ? 'granted' : 'missing'),
    async freeze() {
      await probe();
      const all = displays();
      if (wayland) {
        if (!(await mayShare())) throw new LoupeError('capture_failed', words.capture.noScreenCast, words.capture.noScreenCastNext);
        return freezeShared(all, await pictures(largest(all)));
      }
      // Beside the pictures, which take longer.
      const found = findWindows();
      // A source is scaled to the size that is asked for: each size of display is asked for by itself, so that none is.
      const bySize = new Map<string, Promise<DesktopCapturerSource[]>>();
      const frozen: Frozen[] = [];
      for (const display of all) {
        const size = physicalSize(display);
        const key = `${size.width} x ${size.height}`;
        const asked = bySize.get(key) ?? pictures(size);
        bySize.set(key, asked);
        const image = sourceOf(display, all, await asked)?.thumbnail;
        if (!image || image.isEmpty()) continue;
        const frame = image.getSize();
        frozen.push({ display, image, size: frame, windows: onFrame(display, frame, await found) });
      }
      if (frozen.length === 0) throw new LoupeError('capture_failed', words.capture.noDisplay);
      return frozen;
    },
  };
}

/** The picture of a display: by the system's own number, or, where it gives none, by the order of both lists. */
export function sourceOf<Source extends Pick<DesktopCapturerSource, 'display_id'>>(
  display: Pick<ScreenDisplay, 'id'>,
  displays: readonly Pick<ScreenDisplay, 'id'>[],
  sources: readonly Source[],
): Source | null {
  const named = sources.find(({ display_id: id }) => id === display.id);
  if (named) return named;
  const known = new Set(displays.map(({ id }) => id));
  const anonymous = sources.filter(({ display_id: id }) => !known.has(id));
  const unmatched = displays.filter(({ id }) => !sources.some((source) => source.display_id === id));
  if (anonymous.length !== unmatched.length) return null;
  return anonymous[unmatched.findIndex(({ id }) => id === display.id)] ?? null;
}

/** What changed of a display makes its frozen picture wrong. Overlays themselves can make panels go, which changes the work area. */
export function outdatesFrames(changed: readonly string[]): boolean {
  return changed.some((metric) => metric !== 'workArea');
}

/** Wayland's portal hands over one screen without saying which: it is the display whose shape it has. */
function freezeShared(displays: readonly ScreenDisplay[], sources: readonly DesktopCapturerSource[]): Frozen[] {
  const image = sources[0]?.thumbnail;
  const display = image && displayOfShape(displays, image.getSize());
  if (!display || image.isEmpty()) throw new LoupeError('capture_failed', words.capture.noDisplay, words.capture.portalNext);
  return [{ display, image, size: image.getSize(), windows: [] }];
}

export function displayOfShape<Candidate extends Pick<ScreenDisplay, 'bounds'>>(
  displays: readonly Candidate[],
  { width, height }: Size,
): Candidate | undefined {
  const difference = ({ bounds }: Candidate): number => Math.abs(Math.log(((bounds.width / bounds.height) * height) / width));
  return [...displays].sort((a, b) => difference(a) - difference(b))[0];
}

function largest(displays: readonly ScreenDisplay[]): Size {
  const sizes = displays.map(physicalSize);
  return { width: Math.max(...sizes.map(({ width }) => width)), height: Math.max(...sizes.map(({ height }) => height)) };
}

function describeDisplay({ id, label, bounds, workArea, scaleFactor }: Display, index: number): ScreenDisplay {
  return { id: String(id), name: label || words.capture.display(index + 1), bounds: { ...bounds }, workArea: { ...workArea }, scaleFactor };
}
