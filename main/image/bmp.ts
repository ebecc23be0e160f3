/** Uncompressed Windows bitmaps of 24 or 32 bits; libvips reads none. Every offset is checked. */
import { LoupeError } from '../services/errors.ts';
import type { RgbPicture } from './resize.ts';

const uncompressed = 0;
const bitFields = 3;

export function isBmp(bytes: Uint8Array): boolean {
  return bytes[0] === 0x42 && bytes[1] === 0x4d;
}

/** A fourth byte per pixel is ignored, as most viewers do: files rarely mean it as transparency. */
export function readBmp(bytes: Uint8Array, name: string, maxPixels: number): RgbPicture {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 54) throw broken(name, 'the file ends inside its header');
  const dataOffset = view.getUint32(10, true);
  const headerSize = view.getUint32(14, true);
  if (headerSize < 40) throw broken(name, 'it is in the OS/2 variant of the format, which Loupe does not read');
  const width = view.getInt32(18, true);
  const signedHeight = view.getInt32(22, true);
  const height = Math.abs(signedHeight);
  const bits = view.getUint16(28, true);
  const compression = view.getUint32(30, true);
  if (width < 1 || height < 1) throw broken(name, `it claims a size of ${width} x ${signedHeight}`);
  if (bits !== 24 && bits !== 32) throw broken(name, `it has ${bits} bits per pixel; Loupe reads bitmaps of 24 and 32`);
  const order = byteOrder(view, bits, compression, name);
  if (width * height > maxPixels) {
    throw new LoupeError('image_too_large', `${name} has ${width} x ${height} pixels; at most ${maxPixels} are read.`);
  }
  const pixelBytes = bits / 8;
  const rowBytes = Math.ceil((width * pixelBytes) / 4) * 4;
  if (dataOffset + rowBytes * height > bytes.length) throw broken(name, 'the file ends before its last row');

  const data = new Uint8Array(width * height * 3);
  let to = 0;
  for (let y = 0; y < height; y++) {
    // A positive height means that the last row comes first.
    const row = signedHeight > 0 ? height - 1 - y : y;
    let from = dataOffset + row * rowBytes;
    for (let x = 0; x < width; x++) {
      data[to] = bytes[from + order[0]]!;
      data[to + 1] = bytes[from + order[1]]!;
      data[to + 2] = bytes[from + order[2]]!;
      to += 3;
      from += pixelBytes;
    }
  }
  return { width, height, data };
}

/** Where red, green and blue lie in a pixel. */
function byteOrder(view: DataView, bits: number, compression: number, name: string): [number, number, number] {
  if (compression === uncompressed) return [2, 1, 0];
  if (compression !== bitFields || bits !== 32 || view.byteLength < 66) {
    throw broken(name, `it is compressed (method ${compression}); Loupe reads uncompressed bitmaps`);
  }
  const place = (offset: number): number => {
    const byte = [0xff, 0xff00, 0xff0000, 0xff000000].indexOf(view.getUint32(offset, true));
    if (byte < 0) throw broken(name, 'its colours are not eight bits each');
    return byte;
  };
  return [place(54), place(58), place(62)];
}

function broken(name: string, why: string): LoupeError {
  return new LoupeError('image_unreadable', `${name} cannot be read as a bitmap: ${why}.`);
}
