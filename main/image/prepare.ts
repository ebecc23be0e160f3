/**
 * A picture file -> the tiles that the model sees.
 *
 * Any format becomes 8-bit sRGB, upright, on one ground; then Pillow's resize, black padding
 * and the cut into tiles, so that a picture gives the bytes of the reference processor.
 */
import { createHash } from 'node:crypto';
import type { ImageInput } from '../native-surface.ts';
import type { ImageSource } from '../services/ports.ts';
import { decodeImage } from './decode.ts';
import { resizeBilinear, type RgbPicture } from './resize.ts';
import { readImageSource } from './source.ts';
import { layOutTiles, type TileLayout } from '../tiles.ts';

export interface Vision {
  tileSize: number;
  maxTiles: number;
}

export interface PreparedImage extends ImageInput {
  /** Pixels, upright. */
  width: number;
  height: number;
  layout: TileLayout;
}

export async function prepareImage(source: ImageSource, vision: Vision): Promise<PreparedImage> {
  const { bytes, name } = await readImageSource(source);
  return cutTiles(await decodeImage(bytes, name), vision);
}

export function cutTiles(picture: RgbPicture, { tileSize, maxTiles }: Vision): PreparedImage {
  const layout = layOutTiles(picture, tileSize, maxTiles);
  const resized = resizeBilinear(picture, layout.resized);
  const tiles = new Uint8Array(layout.numTiles * tileSize * tileSize * 3);
  for (let y = 0; y < resized.height; y++) {
    const tileRow = Math.floor(y / tileSize) * layout.arrangement.width;
    for (let x = 0; x < resized.width; x += tileSize) {
      const tile = tileRow + x / tileSize;
      const from = (y * resized.width + x) * 3;
      const run = Math.min(tileSize, resized.width - x) * 3;
      tiles.set(resized.data.subarray(from, from + run), (tile * tileSize + (y % tileSize)) * tileSize * 3);
    }
  }
  const { aspectRatioId, numTiles } = layout;
  const hash = createHash('sha256').update(`${tileSize} ${maxTiles} ${aspectRatioId}\n`).update(tiles).digest('hex');
  return { hash, tiles, numTiles, aspectRatioId, width: picture.width, height: picture.height, layout };
}
