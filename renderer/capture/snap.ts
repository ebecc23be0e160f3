/**
 * What a selection snaps to: the windows that were on the screen, where the system tells of them, and straight lines of the picture. All
 * in pixels of the frame. A boundary is the line before the pixel of its number: a region from 3 that is 2 wide has the boundaries 3 and 5.
 */
import type { Region } from '../../main/contract.ts';
import type { Drag, Point, Size } from './selection.ts';

export type Side = 'w' | 'e' | 'n' | 's';
type Axis = 'x' | 'y';
type Span = readonly [from: number, to: number];

/** The straight lines of a picture. */
export interface Lines {
  /** The boundary of one at most `reach` pixels from `at` that goes along nearly all of the span; null where there is none. */
  near(axis: Axis, at: number, along: Span, reach: number): number | null;
}

export interface Snap {
  /** From the front to the back. */
  windows: readonly Region[];
  lines: Lines;
}

/** The window that is seen there. */
export function windowAt(windows: readonly Region[], { x, y }: Point): Region | null {
  return windows.find((one) => x >= one.x && x < one.x + one.width && y >= one.y && y < one.y + one.height) ?? null;
}

/** For keys: the window behind the one that is selected, after the last the first. Those that others cover are left out. */
export function nextWindow(windows: readonly Region[], selection: Region | null): Region | null {
  const seen = windows.filter((one, index) => !windows.slice(0, index).some((front) => covers(front, one)));
  const at = seen.findIndex((one) => selection && covers(one, selection) && covers(selection, one));
  return seen[(at + 1) % seen.length] ?? null;
}

function covers(front: Region, one: Region): boolean {
  return front.x <= one.x && front.y <= one.y && front.x + front.width >= one.x + one.width && front.y + front.height >= one.y + one.height;
}

/** Those that a drag has moved. Past the opposite side, a handle moves that one. */
export function movedSides(drag: Drag, region: Region): Side[] {
  if (drag.kind === 'move') return [];
  if (drag.kind === 'draw') return ['w', 'e', 'n', 's'];
  return (['w', 'e', 'n', 's'] as const).filter((side) => boundaryOf(region, side) !== boundaryOf(drag.origin, side));
}

/** The region with these sides where something is to snap to within `reach`. It never becomes empty. */
export function snapped(region: Region, sides: readonly Side[], frame: Size, snap: Snap, reach: number): Region {
  const across = alongAxis('x', region, sides, frame, snap, reach);
  return alongAxis('y', across, sides, frame, snap, reach);
}

function alongAxis(axis: Axis, region: Region, sides: readonly Side[], frame: Size, snap: Snap, reach: number): Region {
  const [low, high] = axis === 'x' ? (['w', 'e'] as const) : (['n', 's'] as const);
  const to = (side: Side): number => {
    const at = boundaryOf(region, side);
    return sides.includes(side) ? (nearest(axis, at, region, frame, snap, reach) ?? at) : at;
  };
  const [from, end] = [to(low), to(high)];
  if (end <= from) return region;
  return axis === 'x' ? { ...region, x: from, width: end - from } : { ...region, y: from, height: end - from };
}

function boundaryOf({ x, y, width, height }: Region, side: Side): number {
  return { w: x, e: x + width, n: y, s: y + height }[side];
}

/** Windows first: their edges are known, not guessed. */
function nearest(axis: Axis, at: number, region: Region, frame: Size, { windows, lines }: Snap, reach: number): number | null {
  const along = spanOf(region, axis);
  const edges = [
    0,
    axis === 'x' ? frame.width : frame.height,
    ...windows.flatMap((window) =>
      sidesAlong(axis)
        .filter((side) => isSeen(window, side, along, windows))
        .map((side) => boundaryOf(window, side)),
    ),
  ].filter((edge) => Math.abs(edge - at) <= reach);
  if (edges.length === 0) return lines.near(axis, at, along, reach);
  return edges.reduce((best, edge) => (Math.abs(edge - at) < Math.abs(best - at) ? edge : best));
}

function sidesAlong(axis: Axis): Side[] {
  return axis === 'x' ? ['w', 'e'] : ['n', 's'];
}

/** What lies beside a boundary of this axis. */
function spanOf({ x, y, width, height }: Region, axis: Axis): Span {
  return axis === 'x' ? [y, y + height] : [x, x + width];
}

/** In how many places along a side it is looked for windows in front. */
const looks = 5;

/** Whether a part of this side of a window is beside the span, and not behind another window. */
function isSeen(window: Region, side: Side, along: Span, windows: readonly Region[]): boolean {
  const axis = side === 'w' || side === 'e' ? 'x' : 'y';
  const own = spanOf(window, axis);
  const [from, to] = [Math.max(own[0], along[0]), Math.min(own[1], along[1])];
  if (to <= from) return false;
  // The pixel of the window beside the boundary.
  const at = side === 'w' || side === 'n' ? boundaryOf(window, side) : boundaryOf(window, side) - 1;
  return Array.from({ length: looks }, (_, look) => Math.floor(from + ((to - from) * (look + 0.5)) / looks)).some((place) => {
    const point = axis === 'x' ? { x: at, y: place } : { x: place, y: at };
    return windowAt(windows, point) === window;
  });
}

// --- lines of the picture

/** A shorter side has too little beside it to tell a line from a letter. Pixels. */
const leastLine = 24;
/** How much of the side a line goes along: corners are round. */
const mostOfIt = 0.9;
/** By how much a channel of two neighbours differs at a line; shadows change by less from pixel to pixel. */
const contrast = 10;
/** At most so many places along a side are looked at. */
const places = 256;

/** `read`: four bytes a pixel of a part of the picture. */
export function pictureLines(read: (part: Region) => ArrayLike<number>, frame: Size): Lines {
  return {
    near(axis, at, [from, to], reach) {
      const length = to - from;
      if (length < leastLine) return null;
      const first = Math.max(1, at - reach);
      const last = Math.min((axis === 'x' ? frame.width : frame.height) - 1, at + reach);
      if (last < first) return null;
      const across = last - first + 2;
      const part =
        axis === 'x' ? { x: first - 1, y: from, width: across, height: length } : { x: from, y: first - 1, width: length, height: across };
      const pixels = read(part);
      /** Bytes from one pixel to the next, across the side and along it. */
      const [next, down] = axis === 'x' ? [4, 4 * across] : [4 * length, 4];
      const step = Math.max(1, Math.ceil(length / places));
      let best: number | null = null;
      for (let boundary = first; boundary <= last; boundary++) {
        if (best !== null && Math.abs(boundary - at) >= Math.abs(best - at)) continue;
        if (shareOfLine(pixels, (boundary - first) * next, next, down, length, step) >= mostOfIt) best = boundary;
      }
      return best;
    },
  };
}

/** In how much of the length two neighbouring rows or columns of pixels differ. */
function shareOfLine(pixels: ArrayLike<number>, start: number, next: number, down: number, length: number, step: number): number {
  let looked = 0;
  let different = 0;
  for (let place = 0; place < length; place += step) {
    const at = start + place * down;
    looked++;
    if ([0, 1, 2].some((channel) => Math.abs(pixels[at + channel]! - pixels[at + next + channel]!) >= contrast)) different++;
  }
  return different / looked;
}
