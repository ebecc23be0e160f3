/** A frozen display as a canvas. */
import type { Display } from '../../main/contract.ts';

/** Drags look for lines beside them at each step. */
export const readable: CanvasRenderingContext2DSettings = { alpha: false, willReadFrequently: true };

export function frameOf({ pixels, size }: Pick<Display, 'pixels' | 'size'>): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = size.width;
  canvas.height = size.height;
  canvas.getContext('2d', readable)?.putImageData(new ImageData(opaque(pixels), size.width, size.height), 0, 0);
  return canvas;
}

/** Blue, green, red and a byte without meaning become red, green, blue and 255. */
export function opaque(pixels: Uint8Array): Uint8ClampedArray<ArrayBuffer> {
  const result = new Uint8ClampedArray(pixels.length);
  // A word a pixel takes a quarter of the time; every system that Loupe runs on has the low byte first.
  const to = new Uint32Array(result.buffer);
  const from = pixels.byteOffset % 4 === 0 ? pixels : pixels.slice();
  const words = new Uint32Array(from.buffer, from.byteOffset, to.length);
  for (let at = 0; at < to.length; at++) {
    const word = words[at]!;
    to[at] = 0xff000000 | ((word & 0xff) << 16) | (word & 0xff00) | ((word >>> 16) & 0xff);
  }
  return result;
}
