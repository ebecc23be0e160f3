/** Windows icons: one drawing in several sizes, each a bitmap without its file's header or a PNG. */
import { LoupeError } from '../errors.ts';

const header = 6;
const entryBytes = 16;

export interface IconSize {
  width: number;
  bits: number;
  bytes: Uint8Array;
}

export function isIcon(bytes: Uint8Array): boolean {
  if (bytes.length < header + entryBytes) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [type, count] = [view.getUint16(2, true), view.getUint16(4, true)];
  // Type 2 is a pointer, which is laid out alike.
  return view.getUint16(0, true) === 0 && (type === 1 || type === 2) && count > 0 && bytes[9] === 0;
}

/** In the order of the file. Of entries that point outside it the ones that do not are left. */
export function iconSizes(bytes: Uint8Array, name: string): IconSize[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sizes: IconSize[] = [];
  const count = Math.min(view.getUint16(4, true), Math.floor((bytes.length - header) / entryBytes));
  for (let index = 0; index < count; index++) {
    const at = header + index * entryBytes;
    const length = view.getUint32(at + 8, true);
    const offset = view.getUint32(at + 12, true);
    if (length < 40 || offset + length > bytes.length) continue;
    // A byte, in which 256 does not fit.
    sizes.push({ width: view.getUint8(at) || 256, bits: view.getUint16(at + 6, true), bytes: bytes.subarray(offset, offset + length) });
  }
  if (sizes.length === 0) throw new LoupeError('image_unreadable', `${name} is an icon without a picture that can be read.`);
  return sizes;
}

/** Place of the largest, and of those the one with most colours. */
export function largestSize(sizes: IconSize[]): number {
  const best = sizes.reduce((a, b) => (b.width > a.width || (b.width === a.width && b.bits > a.bits) ? b : a));
  return sizes.indexOf(best);
}
