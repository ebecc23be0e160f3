/** A frozen frame as a file that a page can show at once: compressing 33 MB of 4K pixels would take most of a second. */

const headerBytes = 54;

/** Windows bitmap of `width * height` BGRX pixels, rows from the top. The fourth byte is ignored. */
export function encodeBitmap(pixels: Uint8Array, width: number, height: number): Uint8Array {
  if (pixels.length !== width * height * 4)
    throw new RangeError(`${width} x ${height} pixels are ${width * height * 4} bytes, not ${pixels.length}`);
  const file = new Uint8Array(headerBytes + pixels.length);
  const view = new DataView(file.buffer);
  file.set([0x42, 0x4d]);
  view.setUint32(2, file.length, true);
  view.setUint32(10, headerBytes, true);
  view.setUint32(14, 40, true);
  view.setInt32(18, width, true);
  // Negative: the first row is the upper one.
  view.setInt32(22, -height, true);
  view.setUint16(26, 1, true);
  view.setUint16(28, 32, true);
  view.setUint32(34, pixels.length, true);
  file.set(pixels, headerBytes);
  return file;
}
