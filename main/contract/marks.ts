/** What a person marks on a capture before it is used. Window and app draw with this, so that what was seen is what is kept. */
import * as v from 'valibot';
import { count, region, type Region } from './common.ts';

const point = v.strictObject({ x: count, y: count });

/** In pixels of the display that was captured. */
export const mark = v.variant('kind', [
  /** Nothing of what is there is left. */
  v.strictObject({ kind: v.literal('redact'), region }),
  /** The tip lies at `to`. */
  v.strictObject({ kind: v.literal('arrow'), from: point, to: point }),
]);
/** Of one capture. */
export const mostMarks = 200;
export const marks = v.pipe(v.array(mark), v.maxLength(mostMarks));

export type Mark = v.InferOutput<typeof mark>;
type Point = v.InferOutput<typeof point>;
type Colour = readonly [red: number, green: number, blue: number];

export const redactColour: Colour = [0, 0, 0];
/** Red in white: one of the two shows on any ground. */
export const arrowColours: { line: Colour; edge: Colour } = { line: [214, 40, 40], edge: [255, 255, 255] };
export const arrowEdge = 2;

/** Shaft and head as convex polygons, which overlap; grown by `edge` pixels on all sides. */
export function arrowShapes(from: Point, to: Point, edge = 0): Point[][] {
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  const along = { x: (to.x - from.x) / length, y: (to.y - from.y) / length };
  const width = Math.min(Math.max(length / 16, 4), 12);
  const head = Math.min(width * 3.5, length * 0.6);
  /** `ahead` of the beginning, `aside` of the line. */
  const at = (ahead: number, aside: number): Point => ({
    x: from.x + 0.5 + along.x * ahead - along.y * aside,
    y: from.y + 0.5 + along.y * ahead + along.x * aside,
  });
  const [half, wing] = [width / 2, head * 0.45];
  const base = length - head;
  return [
    [at(0, -half), at(base + 1, -half), at(base + 1, half), at(0, half)],
    [at(base, -wing), at(length, 0), at(base, wing)],
  ].map((shape) => grown(shape, edge));
}

/** A convex polygon with its sides moved outwards. */
function grown(shape: readonly Point[], by: number): Point[] {
  if (by === 0) return [...shape];
  const sides = shape.map((a, index) => {
    const b = shape[(index + 1) % shape.length]!;
    const length = Math.hypot(b.x - a.x, b.y - a.y) || 1;
    const out = { x: (b.y - a.y) / length, y: (a.x - b.x) / length };
    return { a: { x: a.x + out.x * by, y: a.y + out.y * by }, d: { x: b.x - a.x, y: b.y - a.y } };
  });
  return sides.map((side, index) => {
    const before = sides.at(index - 1)!;
    const cross = before.d.x * side.d.y - before.d.y * side.d.x;
    const t = ((side.a.x - before.a.x) * side.d.y - (side.a.y - before.a.y) * side.d.x) / (cross || 1);
    return { x: before.a.x + before.d.x * t, y: before.a.y + before.d.y * t };
  });
}

/**
 * Draws marks, in their order, into four bytes a pixel of the part `of` of a display.
 * `order`: of the first three bytes, as canvases and as systems have them. What lies outside of the part is left out.
 */
export function drawMarks(pixels: Uint8Array | Uint8ClampedArray, of: Region, all: readonly Mark[], order: 'rgb' | 'bgr'): void {
  for (const one of all) {
    if (one.kind === 'redact') fillRegion(pixels, of, one.region, order);
    else {
      for (const shape of arrowShapes(one.from, one.to, arrowEdge)) fillShape(pixels, of, shape, arrowColours.edge, order);
      for (const shape of arrowShapes(one.from, one.to)) fillShape(pixels, of, shape, arrowColours.line, order);
    }
  }
}

function fillRegion(pixels: Uint8Array | Uint8ClampedArray, of: Region, { x, y, width, height }: Region, order: 'rgb' | 'bgr'): void {
  const [left, right] = [Math.max(x, of.x) - of.x, Math.min(x + width, of.x + of.width) - of.x];
  const [top, bottom] = [Math.max(y, of.y) - of.y, Math.min(y + height, of.y + of.height) - of.y];
  for (let row = top; row < bottom; row++)
    for (let column = left; column < right; column++) blend(pixels, 4 * (row * of.width + column), redactColour, 1, order);
}

/** Rows of a pixel that are looked at, for soft edges. */
const subRows = 4;

function fillShape(
  pixels: Uint8Array | Uint8ClampedArray,
  of: Region,
  shape: readonly Point[],
  colour: Colour,
  order: 'rgb' | 'bgr',
): void {
  const places = shape.map(({ x, y }) => ({ x: x - of.x, y: y - of.y }));
  const top = Math.max(0, Math.floor(Math.min(...places.map(({ y }) => y))));
  const bottom = Math.min(of.height, Math.ceil(Math.max(...places.map(({ y }) => y))));
  for (let row = top; row < bottom; row++) {
    const spans = Array.from({ length: subRows }, (_, index) => spanAt(places, row + (index + 0.5) / subRows)).filter(
      (span) => span !== null,
    );
    const left = Math.max(0, Math.floor(Math.min(...spans.map(([from]) => from))));
    const right = Math.min(of.width, Math.ceil(Math.max(...spans.map(([, to]) => to))));
    for (let column = left; column < right; column++) {
      const covered = spans.reduce((sum, [from, to]) => sum + Math.max(0, Math.min(to, column + 1) - Math.max(from, column)), 0);
      if (covered > 0) blend(pixels, 4 * (row * of.width + column), colour, covered / subRows, order);
    }
  }
}

/** Where a line across a convex polygon enters and leaves it. */
function spanAt(shape: readonly Point[], y: number): [number, number] | null {
  const crossings = shape.flatMap((a, index) => {
    const b = shape[(index + 1) % shape.length]!;
    return a.y <= y === b.y <= y ? [] : [a.x + ((y - a.y) / (b.y - a.y)) * (b.x - a.x)];
  });
  return crossings.length < 2 ? null : [Math.min(...crossings), Math.max(...crossings)];
}

function blend(pixels: Uint8Array | Uint8ClampedArray, at: number, colour: Colour, share: number, order: 'rgb' | 'bgr'): void {
  for (let channel = 0; channel < 3; channel++) {
    const wanted = colour[order === 'rgb' ? channel : 2 - channel]!;
    pixels[at + channel] = Math.round(pixels[at + channel]! * (1 - share) + wanted * share);
  }
  pixels[at + 3] = 255;
}
