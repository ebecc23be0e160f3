/**
 * Size of a picture -> tile grid, as the mllama image processor chooses it
 * (huggingface/transformers, models/mllama/image_processing_mllama.py).
 */

export interface Size {
  width: number;
  height: number;
}

/** Pixels, except `arrangement` (tiles). The picture lies in the canvas' upper left corner; the rest is black. */
export interface TileLayout {
  /** 1-based position in `tileArrangements(maxTiles)`. */
  aspectRatioId: number;
  numTiles: number;
  /** Rows and columns of tiles. */
  arrangement: Size;
  canvas: Size;
  resized: Size;
}

/** Every grid of at most `maxTiles` tiles, by height then width: the published table of aspect ratios. */
export function tileArrangements(maxTiles: number): Size[] {
  const arrangements: Size[] = [];
  for (let height = 1; height <= maxTiles; height++) {
    for (let width = 1; width * height <= maxTiles; width++) arrangements.push({ width, height });
  }
  return arrangements;
}

/** `tileSize` in pixels. Picture sides are at least 1. */
export function layOutTiles(picture: Size, tileSize: number, maxTiles: number): TileLayout {
  const arrangements = tileArrangements(maxTiles);
  const index = bestArrangement(picture, arrangements, tileSize);
  const arrangement = arrangements[index]!;
  const canvas = { width: arrangement.width * tileSize, height: arrangement.height * tileSize };
  return {
    aspectRatioId: index + 1,
    numTiles: arrangement.width * arrangement.height,
    arrangement,
    canvas,
    resized: fitToCanvas(picture, canvas, tileSize),
  };
}

/** The least enlargement when one fits whole, else the least reduction; among equals the smallest canvas. */
function bestArrangement(picture: Size, arrangements: Size[], tileSize: number): number {
  let best = 0;
  let bestScale = 0;
  let bestArea = 0;
  for (const [index, { width, height }] of arrangements.entries()) {
    const scale = Math.min((width * tileSize) / picture.width, (height * tileSize) / picture.height);
    const area = width * height;
    const better = bestScale >= 1 ? scale >= 1 && scale < bestScale : scale > bestScale;
    if (better || (scale === bestScale && area < bestArea)) {
      best = index;
      bestScale = scale;
      bestArea = area;
    }
  }
  return best;
}

/** Small pictures grow to one tile at most; the ratio of the sides is kept. */
function fitToCanvas(picture: Size, canvas: Size, tileSize: number): Size {
  const targetWidth = clamp(picture.width, tileSize, canvas.width);
  const targetHeight = clamp(picture.height, tileSize, canvas.height);
  const scaleWidth = targetWidth / picture.width;
  const scaleHeight = targetHeight / picture.height;
  if (scaleWidth < scaleHeight) {
    const height = Math.max(1, Math.floor(picture.height * scaleWidth));
    return { width: targetWidth, height: Math.min(height, targetHeight) };
  }
  const width = Math.max(1, Math.floor(picture.width * scaleHeight));
  return { width: Math.min(width, targetWidth), height: targetHeight };
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
