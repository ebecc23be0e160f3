/**
 * Where text is in a picture. The model (a differentiable binarisation network: Liao et al., "Real-time scene text detection
 * with differentiable binarization", AAAI 2020) tells for each pixel how likely it lies in the core of a line of text; cores
 * are cut out at a threshold, and a rectangle is laid around each and grown back to the size of the line.
 */
import { resizeBilinear, type RgbPicture } from '../image/resize.ts';
import type { Quad } from '../contract.ts';
import { convexHull, heightOf, quadOf, scaleQuad, smallestRectangle, type Rectangle } from './quad.ts';

/** Input [1, 3, height, width], output [1, 1, height, width] of probabilities. Sides are multiples of 32. */
export type RunDetector = (input: Float32Array, width: number, height: number) => Promise<Float32Array>;

/** As the model was trained: the first channel is blue, and yet has the mean and deviation of red. */
const mean = [0.485, 0.456, 0.406] as const;
const deviation = [0.229, 0.224, 0.225] as const;
const stride = 32;

/** Probability from which on a pixel belongs to a core, and the mean of a core that counts. */
const pixelThreshold = 0.3;
const coreThreshold = 0.5;
/** Cores are lines shrunk by so many times area / perimeter (the method's "unclip ratio"). */
const growth = 1.6;
const leastSide = 3;
const leastPixels = 10;

/** In one run of the model, which takes about 0.4 kB of memory a pixel. A screen of 1920 x 1080 is read as it is. */
const mostPixels = 2_100_000;
/** Lines lower than this, in pixels of what the model was given, are looked at again, closer. */
const smallLine = 15;
const closerLine = 24;
/** Bands of a large picture overlap by this much, so that every line is whole in one of them. Pixels of what the model is given. */
const overlap = 128;
/** A page of small print has a thousand; noise has no end. */
const mostLines = 3000;

/** Lines, in no order, in pixels of the picture. */
export async function detectLines(picture: RgbPicture, run: RunDetector, signal?: AbortSignal): Promise<Quad[]> {
  const whole = Math.min(1, Math.sqrt(mostPixels / (picture.width * picture.height)));
  const quads = await detectAt(picture, whole, run, signal);
  const heights = quads.map((quad) => heightOf(quad) * whole).sort((a, b) => a - b);
  // Of a quarter of them: where some lines are small, there are likely some that were too small.
  const small = heights[heights.length >> 2];
  // Where nothing was found in a picture that was scaled down, it may have been too small.
  if (small === undefined) return whole < 1 ? detectAt(picture, Math.min(1, 2 * whole), run, signal) : quads;
  return small < smallLine ? detectAt(picture, whole * Math.min(2, closerLine / small), run, signal) : quads;
}

async function detectAt(picture: RgbPicture, scale: number, run: RunDetector, signal: AbortSignal | undefined): Promise<Quad[]> {
  const width = Math.max(1, Math.round(picture.width * scale));
  const height = Math.max(1, Math.round(picture.height * scale));
  const scaled = resizeBilinear(picture, { width, height });
  const bandHeight = Math.max(2 * overlap, Math.floor(mostPixels / width));
  const quads: Quad[] = [];
  for (let top = 0; ; top += bandHeight - overlap) {
    signal?.throwIfAborted();
    const bottom = Math.min(height, top + bandHeight);
    // A line belongs to the band whose own part its middle lies in.
    const from = top === 0 ? 0 : top + overlap / 2;
    const to = bottom === height ? Infinity : bottom - overlap / 2;
    for (const { quad, centre } of await detectIn(scaled, top, bottom, run))
      if (centre >= from && centre < to && quads.length < mostLines)
        quads.push(scaleQuad(quad, picture.width / width, picture.height / height));
    if (bottom === height) return quads;
  }
}

/** Of the rows from `top` to `bottom`. */
async function detectIn(
  picture: RgbPicture,
  top: number,
  bottom: number,
  run: RunDetector,
): Promise<{ quad: Quad; /** y */ centre: number }[]> {
  const width = Math.ceil(picture.width / stride) * stride;
  const height = Math.ceil((bottom - top) / stride) * stride;
  const map = await run(normalised(picture, top, bottom, width, height), width, height);
  return cores(map, width, height).map((rectangle) => {
    const [x, y] = rectangle.centre;
    const centre: [number, number] = [x, y + top];
    return { quad: quadOf({ ...grown(rectangle), centre }), centre: centre[1] };
  });
}

/** [3, height, width]. Beyond the picture its last row and column go on, so that its edge looks like no line. */
function normalised(picture: RgbPicture, top: number, bottom: number, width: number, height: number): Float32Array {
  const plane = width * height;
  const input = new Float32Array(3 * plane);
  for (let y = 0; y < height; y++) {
    const row = Math.min(bottom - 1, top + y) * picture.width;
    for (let x = 0; x < width; x++) {
      const from = (row + Math.min(picture.width - 1, x)) * 3;
      const to = y * width + x;
      for (let channel = 0; channel < 3; channel++) {
        const value = picture.data[from + 2 - channel]! / 255;
        input[channel * plane + to] = (value - mean[channel]!) / deviation[channel]!;
      }
    }
  }
  return input;
}

function grown(rectangle: Rectangle): Rectangle {
  const { width, height } = rectangle;
  const by = (width * height * growth) / (2 * (width + height));
  return { ...rectangle, width: width + 2 * by, height: height + 2 * by };
}

/** A rectangle around each connected set of pixels above the threshold, corners included, that is likely enough as a whole. */
export function cores(map: Float32Array, width: number, height: number): Rectangle[] {
  const seen = new Uint8Array(map.length);
  const stack = new Int32Array(map.length);
  /** Of the set at hand: first and last column in each row. Its convex hull needs no more. */
  const first = new Int32Array(height).fill(width);
  const last = new Int32Array(height).fill(-1);
  const found: Rectangle[] = [];
  for (let start = 0; start < map.length; start++) {
    if (seen[start] || map[start]! <= pixelThreshold) continue;
    seen[start] = 1;
    stack[0] = start;
    let top = 1;
    let pixels = 0;
    let sum = 0;
    let lowest = 0;
    while (top > 0) {
      const at = stack[--top]!;
      const y = Math.floor(at / width);
      const x = at - y * width;
      pixels++;
      sum += map[at]!;
      lowest = Math.max(lowest, y);
      first[y] = Math.min(first[y]!, x);
      last[y] = Math.max(last[y]!, x);
      for (let nextY = Math.max(0, y - 1); nextY <= Math.min(height - 1, y + 1); nextY++) {
        for (let nextX = Math.max(0, x - 1); nextX <= Math.min(width - 1, x + 1); nextX++) {
          const next = nextY * width + nextX;
          if (seen[next] || map[next]! <= pixelThreshold) continue;
          seen[next] = 1;
          stack[top++] = next;
        }
      }
    }
    // The search goes row by row: the first pixel of a set that it meets is in the set's highest row.
    const highest = Math.floor(start / width);
    const outline: [number, number][] = [];
    for (let y = highest; y <= lowest; y++) {
      const [left, right] = [first[y]!, last[y]! + 1];
      outline.push([left, y], [right, y], [left, y + 1], [right, y + 1]);
      first[y] = width;
      last[y] = -1;
    }
    if (pixels < leastPixels || sum / pixels < coreThreshold) continue;
    const rectangle = smallestRectangle(convexHull(outline));
    if (Math.min(rectangle.width, rectangle.height) >= leastSide) found.push(rectangle);
  }
  return found;
}
