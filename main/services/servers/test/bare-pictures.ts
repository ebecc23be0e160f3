import sharp from 'sharp';
import { barePicture } from '../../../image/picture-operations.ts';
import type { PictureWorker } from '../../ports.ts';

/** Without a process of its own. */
export const barePictures: Pick<PictureWorker, 'bare'> = { bare: (source) => barePicture(source) };

/** A picture that can be read: a PNG of one colour. */
export function plainPng(background: string): Promise<Buffer> {
  return sharp({ create: { width: 2, height: 1, channels: 3, background } })
    .png()
    .toBuffer();
}
