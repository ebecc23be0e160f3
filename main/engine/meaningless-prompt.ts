/** Prompts for measuring: of any length, with a picture of any number of tiles, and never one that a cache has seen. */
import { createCipheriv } from 'node:crypto';
import { LoupeError } from '../errors.ts';
import type { ImageInput, ModelInfo } from '../native-surface.ts';

/** What such a prompt needs to know of a model. */
export type Measured = Pick<ModelInfo, 'vocabularySize' | 'imageToken' | 'vision'>;

/** By tiles: one above the other, as the supported arrangements are numbered. */
const columns = [1, 5, 7, 8];

/**
 * `count` tokens from the lower half of the vocabulary, where no special ones are; with a picture it and a token in front of it
 * come first. The same arguments give the same prompt.
 */
export function meaninglessPrompt(
  { vocabularySize, imageToken, vision }: Measured,
  count: number,
  seed: number,
  picture?: { tiles: number; seed: number } | undefined,
): { tokens: Int32Array; images: ImageInput[] } {
  const words = new Uint32Array(noise(seed, count * 4).buffer);
  const most = Math.max(1, Math.floor(vocabularySize / 2));
  const text = Array.from(words, (word) => withoutImage(word % most, imageToken, most));
  if (!picture) return { tokens: Int32Array.from(text), images: [] };
  const aspectRatioId = columns[picture.tiles - 1];
  if (!vision || imageToken === null) throw new LoupeError('usage', 'This model reads text only; there is no picture to measure.');
  if (aspectRatioId === undefined || picture.tiles > vision.maxTiles)
    throw new LoupeError('usage', `This model sees at most ${vision.maxTiles} tiles, not ${picture.tiles}.`);
  const { tiles: numTiles } = picture;
  const tiles = noise(picture.seed, numTiles * vision.tileSize ** 2 * 3);
  return {
    tokens: Int32Array.from([picture.seed % 2, imageToken, ...text]),
    images: [{ hash: `noise ${numTiles} ${picture.seed}`, tiles, numTiles, aspectRatioId }],
  };
}

function withoutImage(token: number, imageToken: number | null, most: number): number {
  return token === imageToken ? (token + 1) % most : token;
}

/** A cipher's key stream: fast, and without a pattern that a model could see. */
function noise(seed: number, bytes: number): Uint8Array<ArrayBuffer> {
  const key = Buffer.alloc(16);
  key.writeUInt32LE(seed >>> 0);
  return new Uint8Array(createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(bytes)));
}
