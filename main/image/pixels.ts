/** A file, or one page of it, as pixels: upright 8-bit sRGB, transparency still in it. */
import sharp, { type Metadata, type Sharp, type SharpOptions } from 'sharp';
import { LoupeError } from '../errors.ts';
import { asStill } from './avif.ts';
import { readBmp, readDib } from './bmp.ts';
import type { Format } from './formats.ts';
import type { Pixels } from './raw-pixels.ts';
import { checkPixels, maxPixels } from './limits.ts';

// One picture at a time: no cache to grow, and no threads taken from the engine.
sharp.cache(false);
sharp.concurrency(1);

/** `cutOff`: the file ends before its picture does; what is missing is grey. */
export type ReadPixels = Pixels & { cutOff: boolean };

/** What the header says, with its size checked: nothing is decoded before. */
export async function readHeader(bytes: Uint8Array, name: string): Promise<Metadata> {
  const header = await sharp(bytes, { limitInputPixels: false })
    .metadata()
    .catch((error: unknown) => {
      throw unreadable(name, error);
    });
  checkPixels(header.width, header.pageHeight ?? header.height, name);
  return header;
}

/** `page` from 0 on. */
export async function readPixels(bytes: Uint8Array, format: Format, name: string, page = 0): Promise<ReadPixels> {
  if (format === 'bmp') return { ...readBmp(bytes, name), cutOff: false };
  if (format === 'dib') return { ...readDib(bytes, name), cutOff: false };
  const file = format === 'avif' ? asStill(bytes) : bytes;
  await readHeader(file, name);
  try {
    return format === 'jpeg' ? await readJpeg(file, name) : { ...(await decode(file, { page, pages: 1 })), cutOff: false };
  } catch (error) {
    throw error instanceof LoupeError ? error : unreadable(name, error);
  }
}

/** Frames of an animation in order, RGBA: in one go, because each builds on those before it. */
export async function readFrames(bytes: Uint8Array, name: string, from: number, count: number): Promise<Pixels[]> {
  try {
    const { width, height, channels, data } = await toPixels(
      sharp(bytes, { failOn: 'error', limitInputPixels: false, page: from, pages: count }),
    );
    const frameHeight = height / count;
    return Array.from({ length: count }, (_, index) => ({
      width,
      height: frameHeight,
      channels,
      data: data.subarray(index * width * frameHeight * channels, (index + 1) * width * frameHeight * channels),
    }));
  } catch (error) {
    throw unreadable(name, error);
  }
}

export function readPng(bytes: Uint8Array): Promise<Pixels> {
  return toPixels(sharp(bytes, { failOn: 'error', limitInputPixels: maxPixels }).ensureAlpha());
}

const endMarker = Uint8Array.of(0xff, 0xd9);
const endsEarly = /premature end of (JPEG image|data segment)/i;

/**
 * Cameras and downloads leave files that end early. Browsers show what there is; so does this, and says so. Where
 * only the end marker is missing, nothing is lost and there is nothing to say.
 */
async function readJpeg(bytes: Uint8Array, name: string): Promise<ReadPixels> {
  const attempt = (file: Uint8Array, failOn: SharpOptions['failOn']): Promise<Pixels | Error> =>
    decode(file, { failOn }).catch((error: Error) => error);
  let read = await attempt(bytes, 'warning');
  // Most warnings are about nothing that is seen.
  if (read instanceof Error && !endsEarly.test(read.message)) read = await attempt(bytes, 'error');
  if (!(read instanceof Error)) return { ...read, cutOff: false };
  if (!endsEarly.test(read.message)) throw read;
  const closed = Buffer.concat([bytes, endMarker]);
  for (const failOn of ['warning', 'error'] as const) {
    const ended = await attempt(closed, failOn);
    if (!(ended instanceof Error)) return { ...ended, cutOff: false };
    if (endsEarly.test(ended.message)) break;
  }
  const part = await decode(closed, { failOn: 'none' });
  if (isPlain(belowFirstRows(part))) {
    throw new LoupeError('image_unreadable', `${name} is cut off before any of its picture.`, 'Copy or download it again.');
  }
  return { ...part, cutOff: true };
}

/** The decoder makes something up for the block in which the file ends. */
function belowFirstRows({ width, height, channels, data }: Pixels): Pixels {
  const skipped = height > 32 ? 16 : 0;
  return { width, height: height - skipped, channels, data: data.subarray(skipped * width * channels) };
}

function decode(bytes: Uint8Array, options: SharpOptions): Promise<Pixels> {
  return toPixels(sharp(bytes, { failOn: 'error', limitInputPixels: maxPixels, ...options }));
}

async function toPixels(image: Sharp): Promise<Pixels> {
  const { data, info } = await image.autoOrient().toColourspace('srgb').raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, channels: info.channels, data };
}

/** Of 255: what a lossy format makes of one colour. */
const noise = 24;
/** A pointer in a corner makes no picture; one short word does. */
const exceptions = 1 / 10_000;

/** All of one colour, or almost. */
export function isPlain({ width, height, channels, data }: Pixels): boolean {
  const allowed = Math.floor(width * height * exceptions);
  const middle = (Math.floor(height / 2) * width + Math.floor(width / 2)) * channels;
  // The pixel in the middle may be the exception; a corner is not one then.
  return [middle, 0].some((from) => differing(data, channels, from, allowed) <= allowed);
}

/** Pixels unlike this one; counting ends once there are too many. */
function differing(data: Uint8Array, channels: number, from: number, allowed: number): number {
  let found = 0;
  for (let at = 0; at < data.length && found <= allowed; at += channels) {
    for (let channel = 0; channel < channels; channel++) {
      if (Math.abs(data[at + channel]! - data[from + channel]!) <= noise) continue;
      found++;
      break;
    }
  }
  return found;
}

export function unreadable(name: string, error: unknown): LoupeError {
  // What the decoder says is for the log: "Input buffer has corrupt header" helps nobody who has a picture to ask about.
  return new LoupeError('image_unreadable', `${name} is damaged or cut short.`, undefined, { cause: error });
}
