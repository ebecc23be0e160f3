/** What lies under the transparent parts of a picture: one choice for the model, previews, crops and compositions. */
import type { Pixels } from './raw-pixels.ts';
import type { RgbPicture } from './resize.ts';

export type Ground = 'white' | 'black' | 'grey';

const values: Record<Ground, number> = { white: 255, black: 0, grey: 128 };

/** Neighbours that differ by more (of 255) are told apart. */
const edge = 24;
/** White is what such pictures are meant for, as a rule: another ground has to show so much more. */
const advantage = 1.25;
/** Pixels that are looked at, at most about so many. */
const sampled = 4_000_000;

/** On white as ever, unless what is drawn would vanish there. `ground` is null where nothing is transparent. */
export function layOnGround(pixels: Pixels): RgbPicture & { ground: Ground | null } {
  const { width, height, channels, data } = pixels;
  const ground = isTransparent(pixels) ? chooseGround(pixels) : null;
  return { width, height, data: toRgbOn(data, channels, ground ?? 'white'), ground };
}

function isTransparent({ channels, data }: Pixels): boolean {
  if (channels % 2 === 1) return false;
  for (let at = channels - 1; at < data.length; at += channels) if (data[at]! < 255) return true;
  return false;
}

/** The ground on which most neighbouring pixels can be told apart. */
export function chooseGround({ width, height, channels, data }: Pixels): Ground {
  const edges: Record<Ground, number> = { white: 0, black: 0, grey: 0 };
  const step = Math.max(1, Math.ceil((width * height) / sampled));
  for (let y = 0; y < height; y += step) {
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * channels;
      if (x + 1 < width) countEdge(edges, data, channels, at, at + channels);
      if (y + 1 < height) countEdge(edges, data, channels, at, at + width * channels);
    }
  }
  if (edges.black > edges.white * advantage && edges.black >= edges.grey * 0.9) return 'black';
  return edges.grey > edges.white * advantage ? 'grey' : 'white';
}

function countEdge(edges: Record<Ground, number>, data: Uint8Array, channels: number, a: number, b: number): void {
  const alphaA = data[a + channels - 1]!;
  const alphaB = data[b + channels - 1]!;
  if (alphaA === 0 && alphaB === 0) return;
  const lightA = lightness(data, channels, a);
  const lightB = lightness(data, channels, b);
  for (const ground of ['white', 'black', 'grey'] as const) {
    const under = values[ground];
    const difference = (lightA - under) * alphaA - (lightB - under) * alphaB;
    if (Math.abs(difference) > edge * 255) edges[ground]++;
  }
}

/** 0 to 255, as the eye weighs the colours. */
function lightness(data: Uint8Array, channels: number, at: number): number {
  return channels === 2 ? data[at]! : (data[at]! * 77 + data[at + 1]! * 150 + data[at + 2]! * 29) / 256;
}

/**
 * Grey (1), grey + alpha (2), RGB (3) or RGBA (4 channels) to RGB. Alpha as Pillow's
 * `alpha_composite` on an opaque ground rounds it: weights of 7 fractional bits, then a division
 * by 255 as (v + v / 256) / 256.
 */
export function toRgbOn(data: Uint8Array, channels: number, ground: Ground): Uint8Array {
  if (channels === 3) return data;
  const under = values[ground];
  const rgb = new Uint8Array((data.length / channels) * 3);
  const hasAlpha = channels === 2 || channels === 4;
  // Where green and blue lie beyond red: grey pictures have one value for all.
  const [green, blue] = channels < 3 ? [0, 0] : [1, 2];
  let to = 0;
  for (let from = 0; from < data.length; from += channels) {
    const alpha = hasAlpha ? data[from + channels - 1]! : 255;
    rgb[to] = onto(data[from]!, alpha, under);
    rgb[to + 1] = onto(data[from + green]!, alpha, under);
    rgb[to + 2] = onto(data[from + blue]!, alpha, under);
    to += 3;
  }
  return rgb;
}

function onto(value: number, alpha: number, under: number): number {
  if (alpha === 255) return value;
  const sum = (value * alpha + under * (255 - alpha) + 128) << 7;
  return (((sum >> 8) + sum) >> 8) >> 7;
}
