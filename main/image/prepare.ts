/**
 * A picture file -> the tiles that the model sees.
 *
 * Any format becomes 8-bit sRGB, upright, on white; then Pillow's resize, black padding
 * and the cut into tiles, so that a picture gives the bytes of the reference processor.
 */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import sharp from 'sharp';
import { LoupeError } from '../services/errors.ts';
import type { ImageInput } from '../engine/addon.ts';
import type { ImageSource } from '../services/ports.ts';
import { isBmp, readBmp } from './bmp.ts';
import { resizeBilinear, type RgbPicture } from './resize.ts';
import { layOutTiles, type TileLayout } from './tiles.ts';

/** A hundred-megapixel camera is read; what is larger would take gigabytes to decode. */
export const maxPixels = 120_000_000;
const maxFileBytes = 512 * 1024 * 1024;

// One picture at a time: no cache to grow, and no threads taken from the engine.
sharp.cache(false);
sharp.concurrency(1);

export interface Vision {
  tileSize: number;
  maxTiles: number;
}

export interface PreparedImage extends ImageInput {
  /** Pixels, upright. */
  width: number;
  height: number;
  layout: TileLayout;
}

export async function prepareImage(source: ImageSource, vision: Vision): Promise<PreparedImage> {
  const { bytes, name } = await readImageSource(source);
  return cutTiles(await decodeImage(bytes, name), vision);
}

export function cutTiles(picture: RgbPicture, { tileSize, maxTiles }: Vision): PreparedImage {
  const layout = layOutTiles(picture, tileSize, maxTiles);
  const resized = resizeBilinear(picture, layout.resized);
  const tiles = new Uint8Array(layout.numTiles * tileSize * tileSize * 3);
  for (let y = 0; y < resized.height; y++) {
    const tileRow = Math.floor(y / tileSize) * layout.arrangement.width;
    for (let x = 0; x < resized.width; x += tileSize) {
      const tile = tileRow + x / tileSize;
      const from = (y * resized.width + x) * 3;
      const run = Math.min(tileSize, resized.width - x) * 3;
      tiles.set(resized.data.subarray(from, from + run), (tile * tileSize + (y % tileSize)) * tileSize * 3);
    }
  }
  const { aspectRatioId, numTiles } = layout;
  const hash = createHash('sha256').update(`${tileSize} ${maxTiles} ${aspectRatioId}\n`).update(tiles).digest('hex');
  return { hash, tiles, numTiles, aspectRatioId, width: picture.width, height: picture.height, layout };
}

export async function readImageSource(source: ImageSource): Promise<{ bytes: Uint8Array; name: string }> {
  return 'path' in source ? readImageFile(source.path) : source;
}

async function readImageFile(path: string): Promise<{ bytes: Uint8Array; name: string }> {
  const name = basename(path);
  const file = await open(path).catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'ENOENT' ? 'does not exist' : `cannot be opened (${error.code ?? error.message})`;
    throw new LoupeError('image_missing', `The picture ${path} ${why}.`);
  });
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new LoupeError('image_missing', `${path} is not a file.`);
    if (stat.size > maxFileBytes) {
      throw new LoupeError('image_too_large', `${name} has ${megabytes(stat.size)} MB; at most ${megabytes(maxFileBytes)} MB are read.`);
    }
    return { bytes: await file.readFile(), name };
  } finally {
    await file.close();
  }
}

/** Upright 8-bit RGB; what is transparent lies on white. */
export async function decodeImage(bytes: Uint8Array, name: string): Promise<RgbPicture> {
  if (bytes.length === 0) throw new LoupeError('image_empty', `${name} is empty (0 bytes).`);
  const format = sniff(bytes);
  if (format === 'bmp') return readBmp(bytes, name, maxPixels);
  if (format === 'heic') {
    throw new LoupeError('image_unreadable', `${name} is a HEIC picture, which Loupe cannot decode.`, 'Export it as JPEG or PNG.');
  }
  if (format === 'pdf') {
    throw new LoupeError('image_unreadable', `${name} is a PDF, and Loupe reads pictures only.`, 'Open the page and capture it, or export it as PNG.');
  }
  if (format === null) {
    throw new LoupeError('image_unreadable', `${name} is no picture that Loupe knows (PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF).`);
  }
  await checkSize(bytes, name);
  try {
    const { data, info } = await sharp(bytes, { failOn: 'error', limitInputPixels: maxPixels, pages: 1 })
      .autoOrient()
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, data: toRgbOnWhite(data, info.channels) };
  } catch (error) {
    throw unreadable(name, error);
  }
}

async function checkSize(bytes: Uint8Array, name: string): Promise<void> {
  const { width, height } = await sharp(bytes, { limitInputPixels: false })
    .metadata()
    .catch((error: unknown) => {
      throw unreadable(name, error);
    });
  if (width * height > maxPixels) {
    const found = Math.round((width * height) / 1e6);
    throw new LoupeError(
      'image_too_large',
      `${name} has ${width} x ${height} pixels (${found} megapixels); at most ${maxPixels / 1e6} megapixels are read.`,
    );
  }
}

type Format = 'png' | 'jpeg' | 'gif' | 'webp' | 'tiff' | 'avif' | 'heic' | 'bmp' | 'pdf';

/** By the first bytes; decoders that nobody asked for (SVG, PDF) are never reached. */
function sniff(bytes: Uint8Array): Format | null {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 64)).toString('latin1');
  if (head.startsWith('\x89PNG\r\n\x1a\n')) return 'png';
  if (head.startsWith('\xff\xd8\xff')) return 'jpeg';
  if (/^GIF8[79]a/.test(head)) return 'gif';
  if (/^RIFF[^]{4}WEBP/.test(head)) return 'webp';
  if (/^(II[*+]\0|MM\0[*+])/.test(head)) return 'tiff';
  if (/^[^]{4}ftyp/.test(head)) {
    if (/avi[fs]/.test(head.slice(8))) return 'avif';
    return /hei[cxms]|hev[cx]|mif1/.test(head.slice(8)) ? 'heic' : null;
  }
  if (/^[^]{0,8}%PDF-/.test(head)) return 'pdf';
  return isBmp(bytes) ? 'bmp' : null;
}

/** Browsers show all formats that we read, except TIFF. */
export function shownByBrowsers(bytes: Uint8Array): boolean {
  return sniff(bytes) !== 'tiff';
}

/**
 * Grey (1), grey + alpha (2), RGB (3) or RGBA (4 channels) to RGB. Alpha as Pillow's
 * `alpha_composite` on opaque white rounds it: weights of 7 fractional bits, then a division
 * by 255 as (v + v / 256) / 256.
 */
export function toRgbOnWhite(data: Uint8Array, channels: number): Uint8Array {
  if (channels === 3) return data;
  const rgb = new Uint8Array((data.length / channels) * 3);
  const hasAlpha = channels === 2 || channels === 4;
  // Where green and blue lie beyond red: grey pictures have one value for all.
  const [green, blue] = channels < 3 ? [0, 0] : [1, 2];
  let to = 0;
  for (let from = 0; from < data.length; from += channels) {
    const alpha = hasAlpha ? data[from + channels - 1]! : 255;
    rgb[to] = onWhite(data[from]!, alpha);
    rgb[to + 1] = onWhite(data[from + green]!, alpha);
    rgb[to + 2] = onWhite(data[from + blue]!, alpha);
    to += 3;
  }
  return rgb;
}

function onWhite(value: number, alpha: number): number {
  if (alpha === 255) return value;
  const sum = (value * alpha + 255 * (255 - alpha) + 128) << 7;
  return (((sum >> 8) + sum) >> 8) >> 7;
}

function unreadable(name: string, error: unknown): LoupeError {
  const why = (error instanceof Error ? error.message : String(error)).split('\n')[0]!.trim();
  return new LoupeError('image_unreadable', `${name} is damaged or cut short (${why}).`, undefined, { cause: error });
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1024 / 1024);
}
