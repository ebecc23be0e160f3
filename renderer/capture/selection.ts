/**
 * The geometry of selecting a region. Everything is in whole pixels of the frame (the frozen screen,
 * or the picture that is cropped); CSS pixels appear only in `Projection` and the two functions that
 * cross it. A selection names pixels, not the lines between them: a drag from pixel a to pixel b
 * holds both.
 */
import type { Region } from '../../main/contract.ts';

export interface Size {
  width: number;
  height: number;
}

export interface Point {
  x: number;
  y: number;
}

/** Compass directions: north is the upper edge. */
export type Handle = 'nw' | 'n' | 'ne' | 'e' | 'se' | 's' | 'sw' | 'w';
export const handles: readonly Handle[] = ['nw', 'n', 'ne', 'e', 'se', 's', 'sw', 'w'];

// --- CSS pixels and frame pixels

/** Where a frame is shown: `shown` in CSS pixels, from the same origin as pointer positions. */
export interface Projection {
  frame: Size;
  shown: { x: number; y: number; width: number; height: number };
}

/** The frame pixel under a CSS position, the nearest one for positions outside. */
export function toPixel({ frame, shown }: Projection, at: Point): Point {
  // Positions on the line between two pixels come out a hair below it at fractional scales.
  const index = (offset: number, pixels: number, css: number) => Math.floor((offset * pixels) / css + 1e-6);
  return {
    x: clamp(index(at.x - shown.x, frame.width, shown.width), 0, frame.width - 1),
    y: clamp(index(at.y - shown.y, frame.height, shown.height), 0, frame.height - 1),
  };
}

/** The CSS rectangle that a region covers. */
export function toCss({ frame, shown }: Projection, region: Region): Region {
  return {
    x: shown.x + (region.x * shown.width) / frame.width,
    y: shown.y + (region.y * shown.height) / frame.height,
    width: (region.width * shown.width) / frame.width,
    height: (region.height * shown.height) / frame.height,
  };
}

/** Where a frame is shown in an area: as large as it fits, in the middle, and filling the area where only rounding is between them. */
export function fit(frame: Size, area: Size): Projection['shown'] {
  const scale = Math.min(area.width / frame.width, area.height / frame.height);
  const width = frame.width * scale;
  const height = frame.height * scale;
  if (area.width - width <= 1 && area.height - height <= 1) return { x: 0, y: 0, ...area };
  return { x: (area.width - width) / 2, y: (area.height - height) / 2, width, height };
}

// --- regions

export function whole(frame: Size): Region {
  return { x: 0, y: 0, width: frame.width, height: frame.height };
}

/** What is selected before the keyboard has said more: the middle half. */
export function middle(frame: Size): Region {
  const width = Math.max(1, Math.round(frame.width / 2));
  const height = Math.max(1, Math.round(frame.height / 2));
  return { x: Math.floor((frame.width - width) / 2), y: Math.floor((frame.height - height) / 2), width, height };
}

/** The smallest region that holds both pixels. */
export function between(a: Point, b: Point): Region {
  return { x: Math.min(a.x, b.x), y: Math.min(a.y, b.y), width: Math.abs(a.x - b.x) + 1, height: Math.abs(a.y - b.y) + 1 };
}

/** A region that lies in the frame; its size is kept as far as the frame allows. */
export function clampRegion(region: Region, frame: Size): Region {
  const width = clamp(region.width, 1, frame.width);
  const height = clamp(region.height, 1, frame.height);
  return { x: clamp(region.x, 0, frame.width - width), y: clamp(region.y, 0, frame.height - height), width, height };
}

export function moveBy(region: Region, by: Point, frame: Size): Region {
  return clampRegion({ ...region, x: region.x + by.x, y: region.y + by.y }, frame);
}

/** The edges that a handle names follow `to`; past the opposite edge the region turns over. */
export function resizeTo(region: Region, handle: Handle, to: Point): Region {
  const left = region.x;
  const top = region.y;
  const right = region.x + region.width - 1;
  const bottom = region.y + region.height - 1;
  const [x0, x1] = handle.includes('w') ? [right, to.x] : handle.includes('e') ? [left, to.x] : [left, right];
  const [y0, y1] = handle.includes('n') ? [bottom, to.y] : handle.includes('s') ? [top, to.y] : [top, bottom];
  return between({ x: x0, y: y0 }, { x: x1, y: y1 });
}

/** Moves the right or lower edge; the upper left corner stays. */
export function stretchBy(region: Region, by: Point, frame: Size): Region {
  return {
    ...region,
    width: clamp(region.width + by.x, 1, frame.width - region.x),
    height: clamp(region.height + by.y, 1, frame.height - region.y),
  };
}

// --- pointer

/** What a drag does. `origin` is the region, `from` the pixel, where it began. */
export type Drag =
  { kind: 'draw'; from: Point } | { kind: 'move'; from: Point; origin: Region } | { kind: 'resize'; handle: Handle; origin: Region };

export function dragTo(drag: Drag, to: Point, frame: Size): Region {
  switch (drag.kind) {
    case 'draw':
      return between(drag.from, to);
    case 'move':
      return moveBy(drag.origin, { x: to.x - drag.from.x, y: to.y - drag.from.y }, frame);
    case 'resize':
      return resizeTo(drag.origin, drag.handle, to);
  }
}

/**
 * What the pointer is over. `reach`: how far from an edge, in CSS pixels, it still takes hold of it;
 * inside, a quarter of the region at most, so that small regions can be moved, too.
 */
export function hit(projection: Projection, selection: Region | null, at: Point, reach: number): Handle | 'inside' | 'outside' {
  if (!selection) return 'outside';
  const css = toCss(projection, selection);
  const across = edge(at.x - css.x, css.width, reach, 'w', 'e');
  const down = edge(at.y - css.y, css.height, reach, 'n', 's');
  if (across === null || down === null) return 'outside';
  const found = `${down}${across}`;
  return found === '' ? 'inside' : (found as Handle);
}

/** Null outside; '' between the edges. */
function edge<Low extends string, High extends string>(
  offset: number,
  length: number,
  reach: number,
  low: Low,
  high: High,
): Low | High | '' | null {
  if (offset < -reach || offset > length + reach) return null;
  const inner = Math.min(reach, length / 4);
  if (offset <= inner) return low;
  if (offset >= length - inner) return high;
  return '';
}

/** What pressing the pointer begins. */
export function beginDrag(projection: Projection, selection: Region | null, at: Point, reach: number): Drag {
  const from = toPixel(projection, at);
  const over = hit(projection, selection, at, reach);
  if (!selection || over === 'outside') return { kind: 'draw', from };
  return over === 'inside' ? { kind: 'move', from, origin: selection } : { kind: 'resize', handle: over, origin: selection };
}

// --- keyboard

export interface Keys {
  /** As in KeyboardEvent. */
  key: string;
  shiftKey: boolean;
  altKey: boolean;
  ctrlKey: boolean;
  metaKey: boolean;
}

/** `changed` is where to look: the corner that the key moved. */
export type KeyResult =
  { kind: 'select'; region: Region; changed: Point } | { kind: 'clear' } | { kind: 'finish'; region: Region } | { kind: 'cancel' };

/**
 * Arrows move by one pixel (Shift: ten), with Alt or Ctrl they move the lower right corner; without
 * a selection the first one makes one. Enter takes the selection, or all; F takes all, A selects
 * all, R takes the last region again; Backspace drops the selection; Esc leaves. Null: not ours.
 */
export function pressKey(keys: Keys, selection: Region | null, frame: Size, last: Region | null): KeyResult | null {
  const by = stepOf(keys);
  if (by) {
    if (!selection) return select(middle(frame), 'start');
    return keys.altKey || keys.ctrlKey ? select(stretchBy(selection, by, frame), 'end') : select(moveBy(selection, by, frame), 'start');
  }
  const plain = !keys.altKey && !keys.ctrlKey && !keys.metaKey;
  switch (keys.key) {
    case 'Escape':
      return { kind: 'cancel' };
    case 'Enter':
      return { kind: 'finish', region: selection ?? whole(frame) };
    case 'Backspace':
    case 'Delete':
      return selection ? { kind: 'clear' } : null;
    case 'f':
    case 'F':
      return plain ? { kind: 'finish', region: whole(frame) } : null;
    case 'a':
    case 'A':
      return keys.altKey ? null : select(whole(frame), 'end');
    case 'r':
    case 'R':
      return plain && last ? { kind: 'finish', region: clampRegion(last, frame) } : null;
    default:
      return null;
  }
}

/** What an arrow key moves by: a pixel, or ten with Shift. Null for other keys. */
export function stepOf({ key, shiftKey, metaKey }: Keys): Point | null {
  const direction = arrows[key];
  if (!direction || metaKey) return null;
  const step = shiftKey ? 10 : 1;
  return { x: direction.x * step, y: direction.y * step };
}

const arrows: Partial<Record<string, Point>> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

function select(region: Region, corner: 'start' | 'end'): KeyResult {
  const changed = corner === 'start' ? { x: region.x, y: region.y } : { x: region.x + region.width - 1, y: region.y + region.height - 1 };
  return { kind: 'select', region, changed };
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
