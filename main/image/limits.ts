/** How much of a picture is read, and the sentences for what is more. */
import { LoupeError } from '../errors.ts';

/** A hundred-megapixel camera is read; what is larger would take gigabytes to decode. */
export const maxPixels = 120_000_000;
export const maxFileBytes = 512_000_000;

export function checkPixels(width: number, height: number, name: string): void {
  if (width * height <= maxPixels) return;
  const size = `${width} x ${height} pixels (${justAbove(width * height, 1e6)} megapixels)`;
  throw new LoupeError(
    'image_too_large',
    `${name} has ${size}; at most ${maxPixels / 1e6} megapixels are read.`,
    'Crop it to the part that matters, or save it at a smaller size.',
  );
}

export function checkFileSize(bytes: number, name: string): void {
  if (bytes <= maxFileBytes) return;
  throw new LoupeError('image_too_large', `${name} has ${justAbove(bytes, 1e6)} MB; at most ${maxFileBytes / 1e6} MB are read.`);
}

/** Rounded up: what is over a limit must not read as the limit itself. */
export function justAbove(amount: number, unit: number): string {
  return String(Math.ceil((amount / unit) * 100) / 100);
}
