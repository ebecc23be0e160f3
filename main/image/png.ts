/** Chunks of PNG files, for what libvips does not write. */
import { crc32 } from 'node:zlib';

/** Signature and IHDR, which always comes first. */
const headerBytes = 33;

export function pngChunk(type: string, data: Uint8Array): Buffer {
  const chunk = Buffer.alloc(data.length + 12);
  chunk.writeUInt32BE(data.length, 0);
  chunk.write(type, 4, 'latin1');
  chunk.set(data, 8);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, data.length + 8)), data.length + 8);
  return chunk;
}

/** The file with a line of text in it, which no viewer shows. `text` is Latin-1. */
export function withComment(png: Uint8Array, text: string): Uint8Array {
  const comment = pngChunk('tEXt', Buffer.from(`Comment\0${text}`, 'latin1'));
  return Buffer.concat([png.subarray(0, headerBytes), comment, png.subarray(headerBytes)]);
}
