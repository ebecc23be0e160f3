/** A line of text, cut out of its picture and set upright at the height that the recogniser was trained with. */
import type { RgbPicture } from '../image/resize.ts';
import type { Quad } from '../contract.ts';
import { heightOf, slice, widthOf } from './quad.ts';

export const lineHeight = 48;
const leastWidth = 16;
/** Longer lines are read in pieces: about 130 characters. */
const mostWidth = 3200;

export interface LineImage {
  /** [3, lineHeight, width], blue first, from -1 to 1. */
  data: Float32Array;
  width: number;
}

/** Bilinear samples, averaged over a square where the line is scaled down. */
export function cropLine(picture: RgbPicture, quad: Quad): LineImage {
  const tall = Math.max(1, heightOf(quad));
  const width = Math.max(leastWidth, Math.ceil((widthOf(quad) / tall) * lineHeight));
  const data = new Float32Array(3 * lineHeight * width);
  const [[left, top], [rightX, rightY], , [downX, downY]] = quad;
  const samples = Math.max(1, Math.round(tall / lineHeight));
  const share = 1 / (samples * samples * 127.5);
  const plane = lineHeight * width;
  const { data: pixels } = picture;
  const row = picture.width * 3;
  const lastX = picture.width - 1;
  const lastY = picture.height - 1;
  // Plain numbers throughout: this runs for every pixel of every line.
  for (let y = 0; y < lineHeight; y++) {
    for (let x = 0; x < width; x++) {
      let red = 0;
      let green = 0;
      let blue = 0;
      for (let down = 0; down < samples; down++) {
        const across = (y + (down + 0.5) / samples) / lineHeight;
        for (let right = 0; right < samples; right++) {
          const along = (x + (right + 0.5) / samples) / width;
          // Of the nearest pixels' centres, which lie at half; what is outside is as the edge is.
          const atX = Math.min(lastX, Math.max(0, left + (rightX - left) * along + (downX - left) * across - 0.5));
          const atY = Math.min(lastY, Math.max(0, top + (rightY - top) * along + (downY - top) * across - 0.5));
          const x0 = Math.floor(atX);
          const y0 = Math.floor(atY);
          const fx = atX - x0;
          const fy = atY - y0;
          const a = y0 * row + x0 * 3;
          const b = x0 < lastX ? a + 3 : a;
          const below = y0 < lastY ? row : 0;
          const c = a + below;
          const d = b + below;
          const wa = (1 - fx) * (1 - fy);
          const wb = fx * (1 - fy);
          const wc = (1 - fx) * fy;
          const wd = fx * fy;
          red += pixels[a]! * wa + pixels[b]! * wb + pixels[c]! * wc + pixels[d]! * wd;
          green += pixels[a + 1]! * wa + pixels[b + 1]! * wb + pixels[c + 1]! * wc + pixels[d + 1]! * wd;
          blue += pixels[a + 2]! * wa + pixels[b + 2]! * wb + pixels[c + 2]! * wc + pixels[d + 2]! * wd;
        }
      }
      const to = y * width + x;
      data[to] = blue * share - 1;
      data[plane + to] = green * share - 1;
      data[2 * plane + to] = red * share - 1;
    }
  }
  return { data, width };
}

/** Where to cut a line that is too long to be read at once: in the emptiest column near each even part. Places from 0 to 1. */
export function cutPlaces({ data, width }: LineImage): number[] {
  const parts = Math.ceil(width / mostWidth);
  return Array.from({ length: parts - 1 }, (_, index) => {
    const ideal = Math.round((width * (index + 1)) / parts);
    let best = ideal;
    let least = Infinity;
    for (let x = Math.max(0, ideal - 2 * lineHeight); x < Math.min(width, ideal + 2 * lineHeight); x++) {
      const variation = variationOf(data, width, x);
      if (variation >= least) continue;
      least = variation;
      best = x;
    }
    return best / width;
  });
}

/** How much a column of the green plane differs from its neighbours below and around, where letters are. */
function variationOf(data: Float32Array, width: number, column: number): number {
  let sum = 0;
  for (let x = Math.max(0, column - 4); x <= Math.min(width - 1, column + 4); x++) {
    for (let y = 1; y < lineHeight; y++) {
      const at = lineHeight * width + y * width + x;
      sum += Math.abs(data[at]! - data[at - width]!);
    }
  }
  return sum;
}

/** The line, or its pieces where it is too long. */
export function piecesOf(picture: RgbPicture, quad: Quad): { quad: Quad; image: LineImage }[] {
  const image = cropLine(picture, quad);
  if (image.width <= mostWidth) return [{ quad, image }];
  const places = [0, ...cutPlaces(image), 1];
  return places.slice(1).map((to, index) => {
    const piece = slice(quad, places[index]!, to);
    return { quad: piece, image: cropLine(picture, piece) };
  });
}
