/**
 * What the picture process remembers: a picture is decoded for its thumbnail and soon asked about, and then asked about again
 * with every question that follows. So the last decoded picture stays, and the tiles of the last few.
 */
import { createHash } from 'node:crypto';
import type { ImageSource } from '../protocol.ts';
import { decodeImage, type DecodedPicture } from './decode.ts';
import { cutTiles, type PreparedImage, type Vision } from './prepare.ts';
import { readImageSource } from './source.ts';

/** Larger pictures are decoded again: 16 megapixels. */
const decodedBytes = 48 * 2 ** 20;
/** Eight pictures of four tiles of 560 pixels. */
const tilesBytes = 32 * 2 ** 20;

export interface OpenedPicture {
  bytes: Uint8Array;
  name: string;
  /** SHA-256 of the file. */
  hash: string;
  picture: DecodedPicture;
}

export interface DecodedPictures {
  /** `page`: of a file that holds several; from 1 on. */
  open(source: ImageSource, page?: number): Promise<OpenedPicture>;
  tiles(source: ImageSource, vision: Vision): Promise<PreparedImage>;
}

export function createDecodedPictures(decode: typeof decodeImage = decodeImage): DecodedPictures {
  let last: { key: string; picture: DecodedPicture } | null = null;
  /** The most recent one is the last. */
  const prepared = new Map<string, PreparedImage>();

  async function decodeOnce({ bytes, name, hash }: Omit<OpenedPicture, 'picture'>, page?: number): Promise<DecodedPicture> {
    const key = `${hash} ${page ?? ''}`;
    if (last?.key === key) return last.picture;
    const picture = await decode(bytes, name, page);
    last = picture.data.length <= decodedBytes ? { key, picture } : null;
    return picture;
  }

  function keep(key: string, image: PreparedImage): void {
    prepared.set(key, image);
    let sum = 0;
    for (const [older, { tiles }] of [...prepared].reverse()) {
      sum += tiles.length;
      if (sum > tilesBytes) prepared.delete(older);
    }
  }

  return {
    async open(source, page) {
      const file = await readHashed(source);
      return { ...file, picture: await decodeOnce(file, page) };
    },
    async tiles(source, vision) {
      const file = await readHashed(source);
      const key = `${file.hash} ${vision.tileSize} ${vision.maxTiles}`;
      const image = prepared.get(key) ?? cutTiles(await decodeOnce(file), vision);
      prepared.delete(key);
      keep(key, image);
      return image;
    },
  };
}

async function readHashed(source: ImageSource): Promise<Omit<OpenedPicture, 'picture'>> {
  const { bytes, name } = await readImageSource(source);
  return { bytes, name, hash: createHash('sha256').update(bytes).digest('hex') };
}
