/**
 * Frames of an animated PNG. libvips reads only the still picture in the file, so a frame is given to it as a PNG of its
 * own, and laid over the frames before it as the format says.
 */
import type { Pixels } from './raw-pixels.ts';
import { pngChunk } from './png.ts';

interface Chunk {
  type: string;
  data: Uint8Array;
}

interface Frame {
  x: number;
  y: number;
  width: number;
  height: number;
  /** 0: stays, 1: is cleared, 2: what was there before comes back. */
  dispose: number;
  /** Over what there is, instead of in its place. */
  blend: boolean;
  parts: Uint8Array[];
}

export interface Apng {
  width: number;
  height: number;
  frames: Frame[];
  /** The header of the file and what the decoder has to know of its colours. */
  header: Uint8Array;
  shared: Chunk[];
}

const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const colourChunks = ['PLTE', 'tRNS', 'gAMA', 'cHRM', 'sRGB', 'iCCP', 'cICP'];

/** Null for a still picture. */
export function readApng(bytes: Uint8Array): Apng | null {
  const shared: Chunk[] = [];
  const frames: Frame[] = [];
  let header: Uint8Array | null = null;
  let animated = false;
  for (const { type, data } of chunks(bytes)) {
    if (type === 'IHDR' && data.length === 13) header ??= data;
    else if (type === 'acTL') animated = true;
    else if (type === 'IDAT' && !animated) return null;
    else if (colourChunks.includes(type)) shared.push({ type, data });
    else if (type === 'fcTL' && data.length === 26) frames.push(readControl(data));
    else if (type === 'IDAT') frames.at(-1)?.parts.push(data);
    else if (type === 'fdAT') frames.at(-1)?.parts.push(data.subarray(4));
  }
  if (!header || !animated) return null;
  const [width, height] = sideOf(header, 0);
  // What has no pixels, or lies outside the picture, is not a frame.
  const whole = frames.filter((frame) => frame.parts.length > 0 && frame.x + frame.width <= width && frame.y + frame.height <= height);
  return whole.length > 1 ? { width, height, frames: whole, header, shared } : null;
}

function* chunks(bytes: Uint8Array): Generator<Chunk> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = signature.length; at + 12 <= bytes.length;) {
    const length = view.getUint32(at);
    if (at + 12 + length > bytes.length) return;
    yield { type: Buffer.from(bytes.subarray(at + 4, at + 8)).toString('latin1'), data: bytes.subarray(at + 8, at + 8 + length) };
    at += 12 + length;
  }
}

function sideOf(data: Uint8Array, at: number): [number, number] {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return [view.getUint32(at), view.getUint32(at + 4)];
}

function readControl(data: Uint8Array): Frame {
  const [width, height] = sideOf(data, 4);
  const [x, y] = sideOf(data, 12);
  return { width, height, x, y, dispose: data[24]!, blend: data[25] === 1, parts: [] };
}

/** The frames in order, each as it is shown: RGBA. `decode` reads a PNG as RGBA. */
export async function* apngFrames(
  { width, height, frames, header, shared }: Apng,
  decode: (png: Uint8Array) => Promise<Pixels>,
): AsyncGenerator<Pixels> {
  const canvas = new Uint8Array(width * height * 4);
  for (const [index, frame] of frames.entries()) {
    const size = Buffer.alloc(8);
    size.writeUInt32BE(frame.width, 0);
    size.writeUInt32BE(frame.height, 4);
    const own = [
      { type: 'IHDR', data: Buffer.concat([size, header.subarray(8)]) },
      ...shared,
      ...frame.parts.map((data) => ({ type: 'IDAT', data })),
      { type: 'IEND', data: new Uint8Array() },
    ];
    const { data } = await decode(Buffer.concat([signature, ...own.map((chunk) => pngChunk(chunk.type, chunk.data))]));
    const before = frame.dispose === 2 ? canvas.slice() : null;
    lay(data, frame, canvas, width);
    yield { width, height, channels: 4, data: canvas.slice() };
    // Before the first frame there is nothing to come back.
    if (frame.dispose === 1 || (frame.dispose === 2 && index === 0)) clear(frame, canvas, width);
    else if (before) canvas.set(before);
  }
}

function lay(data: Uint8Array, { x, y, width, height, blend }: Frame, canvas: Uint8Array, canvasWidth: number): void {
  for (let row = 0; row < height; row++) {
    const to = ((y + row) * canvasWidth + x) * 4;
    const from = data.subarray(row * width * 4, (row + 1) * width * 4);
    if (blend) blendRow(from, canvas.subarray(to, to + width * 4));
    else canvas.set(from, to);
  }
}

function blendRow(from: Uint8Array, to: Uint8Array): void {
  for (let at = 0; at < from.length; at += 4) {
    const alpha = from[at + 3]!;
    if (alpha === 0) continue;
    const under = (to[at + 3]! * (255 - alpha)) / 255;
    const all = alpha + under;
    for (let channel = 0; channel < 3; channel++) {
      to[at + channel] = Math.round((from[at + channel]! * alpha + to[at + channel]! * under) / all);
    }
    to[at + 3] = Math.round(all);
  }
}

function clear({ x, y, width, height }: Frame, canvas: Uint8Array, canvasWidth: number): void {
  for (let row = 0; row < height; row++) canvas.fill(0, ((y + row) * canvasWidth + x) * 4, ((y + row) * canvasWidth + x + width) * 4);
}
