/** Sequences of AVIF pictures. The decoder reads the still picture that comes with one, once the file calls itself still. */

/** Length in frames, 1 for a still picture. */
export function sequenceLength(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (brandOf(bytes) !== 'avis') return 1;
  let box = { from: 0, to: bytes.length };
  for (const type of ['moov', 'trak', 'mdia', 'minf', 'stbl', 'stsz']) {
    const inner = findBox(view, box, type);
    if (!inner) return 1;
    box = inner;
  }
  // Version and flags, a size that all share, the count.
  return box.from + 12 <= box.to ? Math.max(1, view.getUint32(box.from + 8)) : 1;
}

/** The file as a still picture. */
export function asStill(bytes: Uint8Array): Uint8Array {
  if (brandOf(bytes) !== 'avis') return bytes;
  const still = new Uint8Array(bytes);
  still.set(Buffer.from('avif', 'latin1'), 8);
  return still;
}

function brandOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(8, 12)).toString('latin1');
}

interface Box {
  from: number;
  to: number;
}

/** What is inside the first box of a type. Boxes of 64-bit lengths hold pixels, and none is of these types. */
function findBox(view: DataView, { from, to }: Box, type: string): Box | null {
  const wanted = Buffer.from(type, 'latin1').readUInt32BE();
  for (let at = from; at + 8 <= to;) {
    const length = view.getUint32(at);
    if (length < 8 || at + length > to) return null;
    if (view.getUint32(at + 4) === wanted) return { from: at + 8, to: at + length };
    at += length;
  }
  return null;
}
