/** A picture file -> upright 8-bit RGB: the page that is looked at, on the ground that shows most. */
import type { PagePart } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import { sniff, type Format } from './formats.ts';
import { layOnGround, type Ground } from './ground.ts';
import { openPages, type PageFile } from './pages.ts';
import { readPixels, unreadable, type ReadPixels } from './pixels.ts';
import type { RgbPicture } from './resize.ts';

export interface DecodedPicture extends RgbPicture {
  /** Which of several it is; null where the file holds one picture. */
  part: PagePart | null;
  /** Null where nothing is transparent. */
  ground: Ground | null;
  /** The file ends before its picture does. */
  cutOff: boolean;
}

/** `number` from 1 on; without it the usual page. Whatever a decoder trips over is the picture's fault, and said of it by name. */
export async function decodeImage(bytes: Uint8Array, name: string, number?: number): Promise<DecodedPicture> {
  try {
    return await decodePage(bytes, name, number);
  } catch (error) {
    throw error instanceof LoupeError ? error : unreadable(name, error);
  }
}

async function decodePage(bytes: Uint8Array, name: string, number?: number): Promise<DecodedPicture> {
  const format = recognise(bytes, name);
  const file = await openPages(bytes, format, name);
  if (!file) {
    if (number !== undefined && number !== 1) throw noSuchPage(name, 'page', 1);
    return finish(await readPixels(bytes, format, name), null);
  }
  const chosen = number ?? (await file.usual());
  checkNumber(file, chosen, name);
  for await (const pixels of file.read(chosen, 1)) {
    const part = file.count > 1 ? { unit: file.unit, number: chosen, count: file.count } : null;
    return finish({ ...pixels, cutOff: false }, part);
  }
  throw noSuchPage(name, file.unit, file.offered);
}

function finish({ cutOff, ...pixels }: ReadPixels, part: PagePart | null): DecodedPicture {
  return { ...layOnGround(pixels), part, cutOff };
}

export function recognise(bytes: Uint8Array, name: string): Format {
  if (bytes.length === 0) throw new LoupeError('image_empty', `${name} is empty (0 bytes).`);
  const format = sniff(bytes);
  if (format === 'heic') {
    throw new LoupeError('image_unreadable', `${name} is a HEIC picture, which Loupe cannot decode.`, 'Export it as JPEG or PNG.');
  }
  if (format === 'pdf') {
    throw new LoupeError(
      'image_unreadable',
      `${name} is a PDF, and Loupe reads pictures only.`,
      'Open the page and capture it, or export it as PNG.',
    );
  }
  if (format === null) {
    throw new LoupeError('image_unreadable', `${name} is not a picture that Loupe knows (PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF, ICO).`);
  }
  return format;
}

function checkNumber({ unit, count, offered }: PageFile, number: number, name: string): void {
  if (number > count) throw noSuchPage(name, unit, count);
  if (number > offered) {
    throw new LoupeError(
      'image_too_large',
      `${name} has ${count} frames; only the first ${offered === 1 ? '' : `${offered} `}can be opened.`,
      'Choose an earlier one, or save that frame as a picture.',
    );
  }
}

function noSuchPage(name: string, unit: PagePart['unit'], count: number): LoupeError {
  return new LoupeError(
    'usage',
    `${name} has ${count === 1 ? `only one ${unit}` : `${count} ${unit}s`}.`,
    `Choose ${count === 1 ? 'that one' : `one from 1 to ${count}`}.`,
  );
}
