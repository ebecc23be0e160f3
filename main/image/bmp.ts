/**
 * Windows bitmaps, which libvips does not read: 1 to 32 bits, palettes, masks, run lengths, either
 * order of rows, with the header of a file or without it (clipboards, icons). Every offset is checked,
 * and no work is done that the size of the picture or of the file does not bound.
 */
import { LoupeError } from '../errors.ts';
import type { Pixels } from './raw-pixels.ts';
import { checkPixels } from './limits.ts';

const fileHeader = 14;
/** Length of the header of OS/2 1.x, which has sides of 16 bits and a palette of three bytes an entry. */
const coreHeader = 12;
const infoHeaders = [40, 52, 56, 108, 124];
const methods = { none: 0, runs8: 1, runs4: 2, masks: 3, alphaMasks: 6 } as const;

/** [red, green, blue, alpha]; an alpha of 0 means that there is none. */
type Masks = [number, number, number, number];

interface Header {
  width: number;
  height: number;
  topDown: boolean;
  bits: number;
  method: number;
  masks: Masks;
  /** RGB. */
  palette: Uint8Array;
  /** Of the pixels, from the beginning of `bytes`. */
  start: number;
}

export function isBmp(bytes: Uint8Array): boolean {
  return bytes[0] === 0x42 && bytes[1] === 0x4d;
}

/** A bitmap that begins with its second header. */
export function isDib(bytes: Uint8Array): boolean {
  if (bytes.length < 40) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [planes, bits, method] = [view.getUint16(12, true), view.getUint16(14, true), view.getUint32(16, true)];
  return (
    infoHeaders.includes(view.getUint32(0, true)) && planes === 1 && [1, 4, 8, 16, 24, 32].includes(bits) && method <= methods.alphaMasks
  );
}

export function readBmp(bytes: Uint8Array, name: string): Pixels {
  if (bytes.length < fileHeader + coreHeader) throw broken(name, 'the file ends inside its header');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return decode(bytes, readHeader(view, fileHeader, view.getUint32(10, true), name), name);
}

/** From the second header on, the pixels right behind what it describes. An icon's height counts its mask, too. */
export function readDib(bytes: Uint8Array, name: string, { icon = false } = {}): Pixels {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = readHeader(view, 0, null, name);
  if (!icon) return decode(bytes, header, name);
  const whole = { ...header, height: header.height >> 1 };
  return withIconMask(decode(bytes, whole, name), bytes, whole);
}

function readHeader(view: DataView, at: number, dataOffset: number | null, name: string): Header {
  const length = view.getUint32(at, true);
  const isCore = length === coreHeader;
  // OS/2 2.x cuts its header short anywhere; what is missing is zero.
  if (!isCore && (length < 16 || length > 124)) throw broken(name, `its header claims a length of ${length}`);
  if (at + length > view.byteLength) throw broken(name, 'the file ends inside its header');
  const has = (offset: number): boolean => offset + 4 <= length;
  const width = isCore ? view.getUint16(at + 4, true) : view.getInt32(at + 4, true);
  const signedHeight = isCore ? view.getUint16(at + 6, true) : view.getInt32(at + 8, true);
  const bits = view.getUint16(at + (isCore ? 10 : 14), true);
  const method = !isCore && has(16) ? view.getUint32(at + 16, true) : methods.none;
  const height = Math.abs(signedHeight);
  if (width < 1 || height < 1) throw broken(name, `it claims a size of ${width} x ${signedHeight}`);
  checkPixels(width, height, name);
  checkMethod(bits, method, length, name);

  const masks = readMasks(view, at, length, bits, method, name);
  // With the oldest header that knows masks they follow it.
  const masksBehind = length === 40 && method !== methods.none && method >= methods.masks ? (method === methods.masks ? 12 : 16) : 0;
  const paletteAt = at + length + masksBehind;
  const named = !isCore && has(32) ? view.getUint32(at + 32, true) : 0;
  const most = bits <= 8 ? 2 ** bits : 0;
  const entries = bits > 8 ? 0 : named === 0 ? most : Math.min(named, most);
  const palette = readPalette(view, paletteAt, entries, isCore ? 3 : 4, dataOffset ?? view.byteLength);
  const skipped = bits > 8 ? Math.min(named, 256) : entries;
  return {
    width,
    height,
    topDown: signedHeight < 0,
    bits,
    method,
    masks,
    palette,
    start: dataOffset ?? paletteAt + skipped * (isCore ? 3 : 4),
  };
}

function checkMethod(bits: number, method: number, length: number, name: string): void {
  // In the headers of OS/2 2.x these numbers mean other things.
  const isInfo = infoHeaders.includes(length);
  const fits =
    (method === methods.none && [1, 4, 8, 16, 24, 32].includes(bits)) ||
    (method === methods.runs8 && bits === 8) ||
    (method === methods.runs4 && bits === 4) ||
    (isInfo && (method === methods.masks || method === methods.alphaMasks) && (bits === 16 || bits === 32));
  if (!fits) throw broken(name, `it has ${bits} bits per pixel in the method ${method}, which Loupe does not read`);
}

function readMasks(view: DataView, at: number, length: number, bits: number, method: number, name: string): Masks {
  if (method !== methods.masks && method !== methods.alphaMasks) {
    return bits === 16 ? [0x7c00, 0x3e0, 0x1f, 0] : [0xff0000, 0xff00, 0xff, 0];
  }
  const count = length >= 56 || method === methods.alphaMasks ? 4 : 3;
  if (at + 40 + count * 4 > view.byteLength) throw broken(name, 'the file ends inside its header');
  const masks: Masks = [0, 0, 0, 0];
  for (let channel = 0; channel < count; channel++) {
    const mask = view.getUint32(at + 40 + channel * 4, true);
    const low = lowestBit(mask);
    const isRun = mask === 0 || ((mask / low + 1) & (mask / low)) === 0;
    if (!isRun || (bits === 16 && mask > 0xffff)) throw broken(name, 'the masks of its colours are not runs of bits');
    masks[channel] = mask;
  }
  return masks;
}

function lowestBit(mask: number): number {
  return (mask & -mask) >>> 0;
}

/** What the file does not have is black. */
function readPalette(view: DataView, at: number, entries: number, entryBytes: number, end: number): Uint8Array {
  const palette = new Uint8Array(entries * 3);
  for (let index = 0; index < entries; index++) {
    const from = at + index * entryBytes;
    if (from + 3 > Math.min(end, view.byteLength)) break;
    palette.set([view.getUint8(from + 2), view.getUint8(from + 1), view.getUint8(from)], index * 3);
  }
  return palette;
}

function decode(bytes: Uint8Array, header: Header, name: string): Pixels {
  if (header.method === methods.runs8 || header.method === methods.runs4) return fromPalette(readRuns(bytes, header, name), header);
  const { width, height, bits, start } = header;
  const rowBytes = rowLength(width, bits);
  if (start < coreHeader || start + rowBytes * height > bytes.length) throw broken(name, 'the file ends before its last row');
  return bits <= 8 ? fromPalette(readIndices(bytes, header, rowBytes), header) : readColours(bytes, header, rowBytes);
}

function rowLength(width: number, bits: number): number {
  return Math.ceil((width * bits) / 32) * 4;
}

/** Where a row of the picture, counted from the top, lies in the file. */
function rowAt({ height, topDown, start }: Header, y: number, rowBytes: number): number {
  return start + (topDown ? y : height - 1 - y) * rowBytes;
}

function readIndices(bytes: Uint8Array, header: Header, rowBytes: number): Uint8Array {
  const { width, height, bits } = header;
  const indices = new Uint8Array(width * height);
  const mask = 2 ** bits - 1;
  const perByte = 8 / bits;
  let to = 0;
  for (let y = 0; y < height; y++) {
    const row = rowAt(header, y, rowBytes);
    for (let x = 0; x < width; x++) {
      const shift = 8 - bits - (x % perByte) * bits;
      indices[to++] = (bytes[row + Math.floor(x / perByte)]! >> shift) & mask;
    }
  }
  return indices;
}

/** Indices beyond the palette are black. */
function fromPalette(indices: Uint8Array, { width, height, palette }: Header): Pixels {
  const data = new Uint8Array(width * height * 3);
  for (let at = 0; at < indices.length; at++) {
    const from = indices[at]! * 3;
    if (from + 3 > palette.length) continue;
    data[at * 3] = palette[from]!;
    data[at * 3 + 1] = palette[from + 1]!;
    data[at * 3 + 2] = palette[from + 2]!;
  }
  return { width, height, channels: 3, data };
}

/** 16, 24 or 32 bits. Alpha counts where a mask names it and not all of it is zero, as browsers have it. */
function readColours(bytes: Uint8Array, header: Header, rowBytes: number): Pixels {
  const { width, height, bits, masks } = header;
  const pixelBytes = bits / 8;
  const channels = masks[3] === 0 ? 3 : 4;
  const scales = masks.map((mask) => ({ mask, low: lowestBit(mask), most: mask === 0 ? 0 : mask / lowestBit(mask) }));
  const data = new Uint8Array(width * height * channels);
  let visible = false;
  let to = 0;
  for (let y = 0; y < height; y++) {
    let from = rowAt(header, y, rowBytes);
    for (let x = 0; x < width; x++) {
      let value = 0;
      for (let byte = pixelBytes - 1; byte >= 0; byte--) value = value * 256 + bytes[from + byte]!;
      for (let channel = 0; channel < channels; channel++) {
        const { mask, low, most } = scales[channel]!;
        data[to + channel] = most === 0 ? 0 : Math.round((((value & mask) >>> 0) / low / most) * 255);
      }
      if (channels === 4 && data[to + 3] !== 0) visible = true;
      to += channels;
      from += pixelBytes;
    }
  }
  if (channels === 4 && !visible) for (let at = 3; at < data.length; at += 4) data[at] = 255;
  return { width, height, channels, data };
}

/** RLE8 and RLE4: pairs of bytes, a run or an escape. Each step advances in the file, and none is longer than 255 pixels. */
function readRuns(bytes: Uint8Array, { width, height, topDown, method, start }: Header, name: string): Uint8Array {
  const indices = new Uint8Array(width * height);
  const isNibbles = method === methods.runs4;
  let at = start;
  let x = 0;
  let y = 0;
  /** What goes beyond the edge is dropped without a step for each pixel of it. */
  const put = (count: number, index: (step: number) => number): void => {
    const row = (topDown ? y : height - 1 - y) * width;
    const fitting = Math.min(count, width - x);
    for (let step = 0; step < fitting; step++) indices[row + x + step] = index(step);
    x += count;
  };
  while (y < height) {
    // Some writers leave the end mark out; a file that ends before its last row is cut off.
    if (at + 2 > bytes.length) {
      if (y >= height - 1) break;
      throw broken(name, 'the file ends before its last row');
    }
    const count = bytes[at]!;
    const value = bytes[at + 1]!;
    at += 2;
    if (count > 0) {
      put(count, (step) => (isNibbles ? nibble(value, step) : value));
    } else if (value === 0) {
      x = 0;
      y++;
    } else if (value === 1) {
      break;
    } else if (value === 2) {
      x += bytes[at] ?? 0;
      y += bytes[at + 1] ?? 0;
      at += 2;
    } else {
      const length = isNibbles ? Math.ceil(value / 2) : value;
      if (at + length > bytes.length) throw broken(name, 'the file ends inside a run');
      const from = at;
      put(value, (step) => (isNibbles ? nibble(bytes[from + (step >> 1)]!, step) : bytes[from + step]!));
      at += length + (length % 2);
    }
  }
  return indices;
}

function nibble(value: number, step: number): number {
  return step % 2 === 0 ? value >> 4 : value & 15;
}

/** An icon's mask of one bit follows its pixels; it counts where they have no alpha of their own. */
function withIconMask(pixels: Pixels, bytes: Uint8Array, header: Header): Pixels {
  const { width, height, data, channels } = pixels;
  const rgba = new Uint8Array(width * height * 4);
  const maskRow = rowLength(width, 1);
  const colourRow = rowLength(width, header.bits);
  const maskStart = header.start + colourRow * height;
  let visible = false;
  for (let y = 0; y < height; y++) {
    const row = rowAt({ ...header, start: maskStart }, y, maskRow);
    const colours = rowAt(header, y, colourRow);
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      rgba.set(data.subarray(at * channels, at * channels + 3), at * 4);
      const own = header.bits === 32 ? bytes[colours + x * 4 + 3]! : 0;
      const masked = ((bytes[row + (x >> 3)] ?? 0) >> (7 - (x & 7))) & 1;
      rgba[at * 4 + 3] = header.bits === 32 ? own : masked === 1 ? 0 : 255;
      visible ||= rgba[at * 4 + 3] !== 0;
    }
  }
  if (!visible) for (let at = 3; at < rgba.length; at += 4) rgba[at] = 255;
  return { width, height, channels: 4, data: rgba };
}

function broken(name: string, why: string): LoupeError {
  return new LoupeError('image_unreadable', `${name} cannot be read as a bitmap: ${why}.`);
}
