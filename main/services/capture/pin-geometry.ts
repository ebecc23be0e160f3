/** Where a pinned picture lies and how large it is, as pure functions. All in DIP; windows are whole. */
import type { PinMove, PinResize } from '../../contract.ts';
import type { Point, Rect, Size } from './geometry.ts';

/** A window smaller than this can be neither seen nor taken hold of; the picture then lies in its middle. */
const leastSide = 48;
/** How much of a pin stays on a display, whatever moves it. */
const grip = 40;
/** Each step is a tenth; from about a fifth to four times its size. */
const growth = 1.1;
const steps = { least: -16, most: 14 };

export interface PinPlace {
  bounds: Rect;
  /** Of the bounds, before they were rounded: a pin that grows and shrinks again is where it was. */
  middle: Point;
  /** Of size, from the picture's own. */
  step: number;
}

/** Over the part of the screen that it shows. */
export function placePin(crop: Rect, areas: readonly Rect[]): PinPlace {
  return placeAround({ x: crop.x + crop.width / 2, y: crop.y + crop.height / 2 }, 0, crop, areas);
}

export function movePin({ bounds, middle, step }: PinPlace, by: PinMove, areas: readonly Rect[]): PinPlace {
  const moved = reachable({ ...bounds, x: bounds.x + by.x, y: bounds.y + by.y }, areas);
  return { bounds: moved, middle: { x: middle.x + moved.x - bounds.x, y: middle.y + moved.y - bounds.y }, step };
}

/** Its middle stays. `natural`: the picture's size on the screen. */
export function resizePin({ middle, step }: PinPlace, to: PinResize, natural: Size, areas: readonly Rect[]): PinPlace {
  const wanted = to === 'actual' ? 0 : step + (to === 'larger' ? 1 : -1);
  return placeAround(middle, clamp(wanted, steps.least, steps.most), natural, areas);
}

function placeAround(middle: Point, step: number, natural: Size, areas: readonly Rect[]): PinPlace {
  const { width, height } = sizeAt(natural, step);
  const wanted = { x: Math.round(middle.x - width / 2), y: Math.round(middle.y - height / 2), width, height };
  return movePin({ bounds: wanted, middle, step }, { x: 0, y: 0 }, areas);
}

/** Where it is, or as near to that as leaves it on a display: displays go, and drags go too far. */
export function reachable(bounds: Rect, areas: readonly Rect[]): Rect {
  const places = areas.map((area) => ({
    ...bounds,
    x: clamp(bounds.x, area.x + Math.min(grip, area.width) - bounds.width, area.x + area.width - Math.min(grip, bounds.width)),
    // Nothing above the display: its upper edge is what windows are held by.
    y: clamp(bounds.y, area.y, area.y + area.height - Math.min(grip, bounds.height)),
  }));
  const distance = ({ x, y }: Rect): number => Math.hypot(x - bounds.x, y - bounds.y);
  return places.toSorted((a, b) => distance(a) - distance(b))[0] ?? bounds;
}

function sizeAt({ width, height }: Size, at: number): Size {
  const scale = growth ** at;
  return { width: Math.max(leastSide, Math.round(width * scale)), height: Math.max(leastSide, Math.round(height * scale)) };
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
