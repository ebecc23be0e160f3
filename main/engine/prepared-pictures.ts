/** Pictures as they reach the engine: their tiles, prepared elsewhere and for this model. */
import { LoupeError } from '../errors.ts';
import type { ModelInfo } from '../native-surface.ts';
import type { Body, ChatMessage, ImageSeen, PreparedPicture } from '../protocol.ts';

export function picturesOf(messages: ChatMessage[], model: ModelInfo): PreparedPicture[] {
  const images = messages.flatMap(({ content }) => content.flatMap((part) => (part.type === 'image' ? [part.image] : [])));
  return images.map((image) => preparedFor(image, model));
}

export function preparedFor(image: Body<'trace'>['images'][number], { vision }: ModelInfo): PreparedPicture {
  if (!vision) throw new LoupeError('image_unseen', 'The loaded model reads text only; it cannot see pictures.');
  if (!('tiles' in image)) throw new LoupeError('protocol', 'A picture came to the engine without its tiles.');
  if (image.tiles.length !== image.numTiles * vision.tileSize ** 2 * 3)
    throw new LoupeError('protocol', 'The tiles of a picture were prepared for another model.');
  return image;
}

/** What the addon asks for, and no more. */
export function nativeImage({
  hash,
  tiles,
  numTiles,
  aspectRatioId,
}: PreparedPicture): Pick<PreparedPicture, 'hash' | 'tiles' | 'numTiles' | 'aspectRatioId'> {
  return { hash, tiles, numTiles, aspectRatioId };
}

export function seen({ hash, width, height, layout: { resized, canvas, arrangement } }: PreparedPicture): ImageSeen {
  return { hash, width, height, resized, canvas, arrangement };
}
