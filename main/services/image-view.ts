/** What the model sees of a picture of a given size, in words and numbers that the window shows. */
import type { ModelView } from '../contract.ts';
import { layOutTiles, type Size } from '../tiles.ts';

/** The published Instruct checkpoints', for as long as no model is loaded. */
export const publishedVision = { tileSize: 560, maxTiles: 4 };

/**
 * Letters need about so many pixels of height, at the model's scale, to be told apart: most of a
 * 14-pixel patch. Our estimate, on the careful side.
 */
const legibleHeight = 10;
/** Body text of programs and pages is 13 to 16 pixels high; headings are 20 and more. */
const bodyText = 13;
const heading = 20;

export function viewOf(picture: Size, { tileSize, maxTiles }: { tileSize: number; maxTiles: number }): ModelView {
  const { resized, canvas, arrangement } = layOutTiles(picture, tileSize, maxTiles);
  const scale = Math.min(resized.width / picture.width, resized.height / picture.height);
  // Enlarging adds no detail.
  const smallestText = legibleHeight / Math.min(scale, 1);
  return {
    picture: { width: picture.width, height: picture.height },
    resized,
    canvas,
    grid: { columns: arrangement.width, rows: arrangement.height },
    tileSize,
    scale,
    smallestText,
    sharpness: smallestText <= bodyText ? 'sharp' : smallestText <= heading ? 'soft' : 'blurred',
  };
}
