/** Places of text in a picture: rectangles that may be turned. Pixel i covers [i, i + 1]. */
import type { Quad } from '../contract.ts';

type Point = [x: number, y: number];

export interface Rectangle {
  centre: Point;
  /** Along the direction of reading, and across it. */
  width: number;
  height: number;
  /** From the x axis towards the y axis, in radians. */
  angle: number;
}

/** Corners from the upper left on, clockwise as one reads. */
export function quadOf({ centre: [x, y], width, height, angle }: Rectangle): Quad {
  const [ux, uy] = [(Math.cos(angle) * width) / 2, (Math.sin(angle) * width) / 2];
  const [vx, vy] = [(-Math.sin(angle) * height) / 2, (Math.cos(angle) * height) / 2];
  return [
    [x - ux - vx, y - uy - vy],
    [x + ux - vx, y + uy - vy],
    [x + ux + vx, y + uy + vy],
    [x - ux + vx, y - uy + vy],
  ];
}

export function scaleQuad(quad: Quad, along: number, down: number): Quad {
  const scale = ([x, y]: Point): Point => [x * along, y * down];
  return [scale(quad[0]), scale(quad[1]), scale(quad[2]), scale(quad[3])];
}

/** Nobody can see less. */
export function toTenths(quad: Quad): Quad {
  const round = ([x, y]: Point): Point => [Math.round(x * 10) / 10, Math.round(y * 10) / 10];
  return [round(quad[0]), round(quad[1]), round(quad[2]), round(quad[3])];
}

/** The part of a quad between two places along its direction of reading, each from 0 to 1. */
export function slice([a, b, c, d]: Quad, from: number, to: number): Quad {
  const between = (p: Point, q: Point, at: number): Point => [p[0] + (q[0] - p[0]) * at, p[1] + (q[1] - p[1]) * at];
  return [between(a, b, from), between(a, b, to), between(d, c, to), between(d, c, from)];
}

/** The same place read in another direction: `quarters` quarter turns clockwise. */
export function turn(quad: Quad, quarters: number): Quad {
  const corner = (index: number): Point => quad[(index + quarters) % 4]!;
  return [corner(0), corner(1), corner(2), corner(3)];
}

export const widthOf = ([a, b]: Quad): number => Math.hypot(b[0] - a[0], b[1] - a[1]);
export const heightOf = ([a, , , d]: Quad): number => Math.hypot(d[0] - a[0], d[1] - a[1]);

/** Andrew's monotone chain. Sorts `points`. */
export function convexHull(points: Point[]): Point[] {
  if (points.length < 3) return points;
  points.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const half = (ordered: Iterable<Point>): Point[] => {
    const chain: Point[] = [];
    for (const point of ordered) {
      while (chain.length > 1 && isNoLeftTurn(chain.at(-2)!, chain.at(-1)!, point)) chain.pop();
      chain.push(point);
    }
    // The last one begins the other half.
    chain.pop();
    return chain;
  };
  return [...half(points), ...half(points.toReversed())];
}

function isNoLeftTurn(a: Point, b: Point, c: Point): boolean {
  return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) <= 0;
}

/**
 * The smallest rectangle around a convex hull: one of its sides lies on a side of the hull (Freeman and Shapira, 1975).
 * Turned so that its angle is within 45 degrees of upright.
 */
export function smallestRectangle(hull: readonly Point[]): Rectangle {
  let smallest: Rectangle | null = null;
  for (const [index, [x, y]] of hull.entries()) {
    const [nextX, nextY] = hull[(index + 1) % hull.length]!;
    const around = rectangleAround(hull, Math.atan2(nextY - y, nextX - x));
    if (!smallest || around.width * around.height < smallest.width * smallest.height) smallest = around;
  }
  return upright(smallest!);
}

function rectangleAround(hull: readonly Point[], angle: number): Rectangle {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const [x, y] of hull) {
    const along = x * cos + y * sin;
    const across = y * cos - x * sin;
    left = Math.min(left, along);
    right = Math.max(right, along);
    top = Math.min(top, across);
    bottom = Math.max(bottom, across);
  }
  const [along, across] = [(left + right) / 2, (top + bottom) / 2];
  return { centre: [along * cos - across * sin, along * sin + across * cos], width: right - left, height: bottom - top, angle };
}

function upright(rectangle: Rectangle): Rectangle {
  const quarter = Math.PI / 2;
  const quarters = Math.round(rectangle.angle / quarter);
  const { width, height } = rectangle;
  const lies = quarters % 2 === 0;
  return { ...rectangle, angle: rectangle.angle - quarters * quarter, width: lies ? width : height, height: lies ? height : width };
}
