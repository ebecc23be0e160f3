/** The pictures of a conversation as addresses that hold them: written anew, without what a camera or a program had put beside them. */
import { pictureUrl, shownMessages, type Conversation } from '../../main/contract.ts';
import type { SharedPictures } from './page.ts';

/** More pixels than a page shows, fewer than a camera takes. */
const longestSide = 2_000;
const quality = 0.9;

/** Does not reject: what cannot be had is null. */
export async function sharedPictures(conversation: Conversation): Promise<SharedPictures> {
  const hashes = new Set(shownMessages(conversation).flatMap(({ pictures }) => pictures.map(({ hash }) => hash)));
  const pictures = new Map<string, string | null>();
  // One after the other: each is decoded whole.
  for (const hash of hashes) pictures.set(hash, await addressOf(hash).catch(() => null));
  return pictures;
}

async function addressOf(hash: string): Promise<string> {
  const image = new Image();
  image.src = pictureUrl(hash, 'full');
  await image.decode();
  const scale = Math.min(1, longestSide / Math.max(image.naturalWidth, image.naturalHeight));
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(image.naturalWidth * scale));
  canvas.height = Math.max(1, Math.round(image.naturalHeight * scale));
  const context = canvas.getContext('2d')!;
  context.imageSmoothingQuality = 'high';
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL('image/webp', quality);
}
