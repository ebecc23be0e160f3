/**
 * The directories of a TIFF: how many pages it has, and a copy in which one page is the only one. libvips is never
 * shown the whole chain, so that no chain, however long or circular, costs more than this walk.
 */

/** Pages beyond are not counted: a file of so many small ones is made to hurt. */
const countedPages = 65_536;

export interface TiffPage {
  /** Of its directory. */
  offset: number;
  /** Of the field in the directory that names the next one. */
  nextField: number;
}

interface Layout {
  view: DataView;
  little: boolean;
  big: boolean;
}

/** Without thumbnails, reduced copies and masks of pages. Empty where the file has no directory that can be read. */
export function tiffPages(bytes: Uint8Array): TiffPage[] {
  const layout = layoutOf(bytes);
  const pages: TiffPage[] = [];
  const others: TiffPage[] = [];
  const seen = new Set<number>();
  let offset = readOffset(layout, firstField(layout));
  while (offset !== null && offset !== 0 && !seen.has(offset) && seen.size < countedPages) {
    seen.add(offset);
    const directory = readDirectory(layout, offset);
    if (!directory) break;
    (directory.isPage ? pages : others).push({ offset, nextField: directory.nextField });
    offset = readOffset(layout, directory.nextField);
  }
  return pages.length > 0 ? pages : others;
}

/** The bytes with this page as the only one. */
export function isolatePage(bytes: Uint8Array, page: TiffPage): Uint8Array {
  // Not `slice`, which of a Buffer is the same memory.
  const copy = new Uint8Array(bytes);
  const layout = layoutOf(copy);
  writeOffset(layout, firstField(layout), page.offset);
  writeOffset(layout, page.nextField, 0);
  return copy;
}

function layoutOf(bytes: Uint8Array): Layout {
  return {
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    little: bytes[0] === 0x49,
    big: bytes[2] === 43 || bytes[3] === 43,
  };
}

function firstField({ big }: Layout): number {
  return big ? 8 : 4;
}

/** Null outside the file. */
function readOffset({ view, little, big }: Layout, at: number): number | null {
  if (at + (big ? 8 : 4) > view.byteLength) return null;
  const offset = big ? Number(view.getBigUint64(at, little)) : view.getUint32(at, little);
  return offset < view.byteLength ? offset : null;
}

function writeOffset({ view, little, big }: Layout, at: number, offset: number): void {
  if (big) view.setBigUint64(at, BigInt(offset), little);
  else view.setUint32(at, offset, little);
}

const newSubfileType = 254;
/** Bits of it: a reduced copy, a mask. */
const notAPage = 0b101;

function readDirectory({ view, little, big }: Layout, offset: number): { isPage: boolean; nextField: number } | null {
  const countBytes = big ? 8 : 2;
  const entryBytes = big ? 20 : 12;
  if (offset + countBytes > view.byteLength) return null;
  const entries = big ? Number(view.getBigUint64(offset, little)) : view.getUint16(offset, little);
  const nextField = offset + countBytes + entries * entryBytes;
  if (entries === 0 || nextField + (big ? 8 : 4) > view.byteLength) return null;
  // Entries stand in the order of their numbers, and this is the lowest of all.
  const first = offset + countBytes;
  const type = view.getUint16(first, little) === newSubfileType ? view.getUint32(first + (big ? 12 : 8), little) : 0;
  return { isPage: (type & notAPage) === 0, nextField };
}
