/** The drawing of a page -> a file that a window shows. */
import sharp from 'sharp';
import type { PageDrawing, PagePicture } from '../services/ports.ts';

/** Pages are mostly plain: more effort costs more time than it saves bytes. */
const effort = 4;

/** Never wider than the page was drawn, which is the size of a scan. */
export async function pagePicture({ data, width, height }: PageDrawing, wanted: number): Promise<PagePicture> {
  const picture = sharp(data, { raw: { width, height, channels: 3 } });
  const fitted = width > wanted ? picture.resize({ width: wanted }) : picture;
  return { bytes: await fitted.png({ compressionLevel: effort }).toBuffer(), mediaType: 'image/png' };
}
