/**
 * Where things are on the screen, as pure functions. Two units meet here and nowhere else:
 *
 * - DIP, the unit of the desktop: whole numbers, one space for all displays, negative left of or
 *   above the primary display. Windows and the pointer are measured in it.
 * - Frame pixels: those of a display's frozen picture, from its upper left corner.
 *
 * The scale between them is taken from the frame as it came, never from `scaleFactor`: that one is
 * rounded by some systems, and a frame is what the user looks at. Rotation needs no conversion:
 * bounds and frames are both as the display is looked at.
 */
import type { Region } from '../../contract.ts';

export interface Point {
  x: number;
  y: number;
}

export interface Size {
  width: number;
  height: number;
}

/** In DIP. */
export type Rect = Point & Size;

export interface ScreenDisplay {
  id: string;
  name: string;
  /** DIP. */
  bounds: Rect;
  /** `bounds` without panels and docks. DIP. */
  workArea: Rect;
  /** Frame pixels per DIP, according to the system. */
  scaleFactor: number;
}

/**
 * Pixels of a display. DIP are whole numbers, so that a fractional scale loses the exact size;
 * of what is possible, the size that panels have is taken: sides are multiples of 8, or (1366)
 * even. A size that misses by one would blur every letter of the frame.
 */
export function physicalSize({ bounds, scaleFactor }: Pick<ScreenDisplay, 'bounds' | 'scaleFactor'>): Size {
  return { width: physicalSide(bounds.width, scaleFactor), height: physicalSide(bounds.height, scaleFactor) };
}

function physicalSide(dip: number, scale: number): number {
  const exact = dip * scale;
  if (Number.isInteger(scale)) return exact;
  for (const step of [8, 2]) {
    const nearest = Math.round(exact / step) * step;
    // A display that lies beside another loses a part of a DIP at both edges: one in all.
    if (Math.abs(nearest - exact) <= scale) return nearest;
  }
  return Math.round(exact);
}

/** The display that holds the point, else (in a gap) the nearest. */
export function displayAt<Display extends Pick<ScreenDisplay, 'bounds'>>(displays: readonly Display[], point: Point): Display | null {
  let best: Display | null = null;
  let bestDistance = Infinity;
  for (const display of displays) {
    const distance = squaredDistance(display.bounds, point);
    if (distance < bestDistance) [best, bestDistance] = [display, distance];
  }
  return best;
}

/** To the nearest pixel inside: right and lower edges belong to the neighbour. */
function squaredDistance(rect: Rect, point: Point): number {
  const dx = Math.max(rect.x - point.x, 0, point.x - (rect.x + rect.width - 1));
  const dy = Math.max(rect.y - point.y, 0, point.y - (rect.y + rect.height - 1));
  return dx * dx + dy * dy;
}

/** The smallest rectangle around all; null without any. */
export function union(rects: readonly Rect[]): Rect | null {
  if (rects.length === 0) return null;
  const x = Math.min(...rects.map((rect) => rect.x));
  const y = Math.min(...rects.map((rect) => rect.y));
  return {
    x,
    y,
    width: Math.max(...rects.map((rect) => rect.x + rect.width)) - x,
    height: Math.max(...rects.map((rect) => rect.y + rect.height)) - y,
  };
}

/** A desktop rectangle as pixels of the display's frame: every pixel that it touches. Null when it touches none. */
export function toFrame(display: Pick<ScreenDisplay, 'bounds'>, frame: Size, rect: Rect): Region | null {
  const { bounds } = display;
  const across = frame.width / bounds.width;
  const down = frame.height / bounds.height;
  return clampRegion(
    {
      x: (rect.x - bounds.x) * across,
      y: (rect.y - bounds.y) * down,
      width: rect.width * across,
      height: rect.height * down,
    },
    frame,
  );
}

/** Less of a window than this on a display is nothing to choose. Frame pixels. */
const leastOfWindow = 16;

/**
 * Windows, in pixels of the whole screen, as parts of a display's frame; those that are elsewhere are left out. All displays of such a
 * screen have one scale (X11).
 */
export function onFrame({ bounds }: Pick<ScreenDisplay, 'bounds'>, frame: Size, windows: readonly Rect[]): Region[] {
  const [left, top] = [Math.round((bounds.x * frame.width) / bounds.width), Math.round((bounds.y * frame.height) / bounds.height)];
  return windows
    .map(({ x, y, width, height }) => clampRegion({ x: x - left, y: y - top, width, height }, frame))
    .filter((region) => region !== null)
    .filter(({ width, height }) => width >= leastOfWindow && height >= leastOfWindow);
}

/** Where a part of the frame lies on the desktop, in DIP that need not be whole. */
export function toDesktop(display: Pick<ScreenDisplay, 'bounds'>, frame: Size, region: Region): Rect {
  const { bounds } = display;
  const across = bounds.width / frame.width;
  const down = bounds.height / frame.height;
  return {
    x: bounds.x + region.x * across,
    y: bounds.y + region.y * down,
    width: region.width * across,
    height: region.height * down,
  };
}

/** Products of scales miss whole numbers by this much at most, far below any pixel. */
const noise = 1e-6;

/** The whole pixels that a rectangle touches, cut to the frame. Null when none is left. */
export function clampRegion(rect: Region, frame: Size): Region | null {
  const left = Math.max(0, Math.floor(rect.x + noise));
  const top = Math.max(0, Math.floor(rect.y + noise));
  const right = Math.min(frame.width, Math.ceil(rect.x + rect.width - noise));
  const bottom = Math.min(frame.height, Math.ceil(rect.y + rect.height - noise));
  if (right <= left || bottom <= top) return null;
  return { x: left, y: top, width: right - left, height: bottom - top };
}

export function wholeFrame({ width, height }: Size): Region {
  return { x: 0, y: 0, width, height };
}

/** What was captured last on a display, with the size of the frame that it was part of. */
export interface LastRegion {
  region: Region;
  frame: Size;
}

/** The region again, unless the display has another size or turn meanwhile: then it would show something else. */
export function lastRegion(last: LastRegion | undefined, frame: Size): Region | null {
  if (!last || last.frame.width !== frame.width || last.frame.height !== frame.height) return null;
  const { x, y, width, height } = last.region;
  return x + width <= frame.width && y + height <= frame.height ? last.region : null;
}

/** Width of the quick-ask window, DIP. */
export const quickAskWidth = 420;

/** Between crop and window, and between window and the edges of the screen, DIP. */
const gap = 12;

/** Of the quick-ask window, DIP: what it opens with beside the picture, how high a picture is shown at most, and room for a short answer. */
const quickAsk = { beside: 198, picture: 240, answered: 560 };

/** How high the quick-ask window opens for a picture of this size, which it never enlarges. DIP. */
export function quickAskHeight({ width, height }: Size): number {
  const shown = Math.min(1, (quickAskWidth - 2 * gap) / width, quickAsk.picture / height);
  return quickAsk.beside + Math.round(height * shown);
}

/** Where the quick-ask window opens, `height` high, with room below it for an answer; and how high it may grow there. All in DIP. */
export function openQuickAsk(crop: Rect, workArea: Rect, height: number): { bounds: Rect; most: number } {
  const area = inside(workArea);
  const place = placeQuickAsk(crop, area, { width: quickAskWidth, height: Math.max(quickAsk.answered, height) });
  return { bounds: { ...place, height: Math.min(height, place.height) }, most: area.y + area.height - place.y };
}

/** Away from the edges, where that leaves enough. */
function inside(area: Rect): Rect {
  const across = area.width >= quickAskWidth + 2 * gap ? gap : 0;
  const down = area.height >= quickAsk.answered + 2 * gap ? gap : 0;
  return { x: area.x + across, y: area.y + down, width: area.width - 2 * across, height: area.height - 2 * down };
}

/**
 * Where the quick-ask window goes: beside the crop, level with its top, right of it if there is
 * room, else left, below, above. Where there is room on no side, it covers as little of the crop
 * as it can. Always inside the work area, smaller if need be. All in DIP; the result is whole.
 */
export function placeQuickAsk(crop: Rect, workArea: Rect, wanted: Size): Rect {
  const width = Math.min(wanted.width, workArea.width);
  const height = Math.min(wanted.height, workArea.height);
  const farX = workArea.x + workArea.width - width;
  const farY = workArea.y + workArea.height - height;
  const level = { x: clamp(Math.round(crop.x), workArea.x, farX), y: clamp(Math.round(crop.y), workArea.y, farY) };
  const right = { x: Math.ceil(crop.x + crop.width) + gap, y: level.y };
  const left = { x: Math.floor(crop.x) - gap - width, y: level.y };
  const below = { x: level.x, y: Math.ceil(crop.y + crop.height) + gap };
  const above = { x: level.x, y: Math.floor(crop.y) - gap - height };
  const fits = ({ x, y }: Point): boolean => x >= workArea.x && x <= farX && y >= workArea.y && y <= farY;
  // Without the gap a side may still have room for the window itself.
  const sides = [right, left, below, above].map(({ x, y }) => ({ x: clamp(x, workArea.x, farX), y: clamp(y, workArea.y, farY) }));
  const place = [right, left, below, above].find(fits) ?? leastCovering(sides, { width, height }, crop);
  return { ...place, width, height };
}

function leastCovering(places: readonly Point[], size: Size, crop: Rect): Point {
  let [best] = places as [Point, ...Point[]];
  for (const place of places) {
    if (overlap({ ...place, ...size }, crop) < overlap({ ...best, ...size }, crop)) best = place;
  }
  return best;
}

/** Area that two rectangles share. */
export function overlap(a: Rect, b: Rect): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return Math.max(0, width) * Math.max(0, height);
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}

/** How much of a window must lie on the screens for a person to get hold of it, DIP. */
const grip: Size = { width: 120, height: 40 };

/**
 * Where a window opens that was at `saved` when it was last closed: there, if enough of its upper
 * edge is still on a display, else in the middle of `home` (the work area of the primary
 * display). Never larger than the display that it opens on, never smaller than `least` unless
 * that display is.
 */
export function restoreWindow(
  saved: Rect | null,
  displays: readonly Pick<ScreenDisplay, 'workArea'>[],
  home: Rect,
  wanted: Size,
  least: Size,
): Rect {
  const host = saved && displays.map(({ workArea }) => workArea).find((area) => holdsGrip(saved, area));
  if (!saved || !host) {
    const width = Math.min(wanted.width, home.width);
    const height = Math.min(wanted.height, home.height);
    return { x: Math.round(home.x + (home.width - width) / 2), y: Math.round(home.y + (home.height - height) / 2), width, height };
  }
  const width = Math.min(Math.max(saved.width, least.width), host.width);
  const height = Math.min(Math.max(saved.height, least.height), host.height);
  return { x: saved.x, y: Math.max(saved.y, host.y), width, height };
}

/** Windows are moved by their upper edge. */
function holdsGrip(window: Rect, area: Rect): boolean {
  const edge = { x: window.x, y: window.y, width: window.width, height: Math.min(window.height, grip.height) };
  const across = Math.min(edge.x + edge.width, area.x + area.width) - Math.max(edge.x, area.x);
  const down = Math.min(edge.y + edge.height, area.y + area.height) - Math.max(edge.y, area.y);
  return across >= Math.min(grip.width, edge.width) && down >= edge.height / 2;
}
