/** What the picture process does: decode, describe, cut, compose. Bytes in, bytes out. */
import sharp, { type OverlayOptions, type Sharp } from 'sharp';
import type { Pages, PagePart, Region } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import type { ImageSource, PictureFacts } from '../services/ports.ts';
import { layOutComposition, type ComposeLayout } from './compose.ts';
import { recognise } from './decode.ts';
import { createDecodedPictures, type DecodedPictures } from './decoded.ts';
import { shownByBrowsers } from './formats.ts';
import { unreadable } from './pixels.ts';
import type { Pixels } from './raw-pixels.ts';
import { layOnGround } from './ground.ts';
import { openPages, type PageFile } from './pages.ts';
import { withComment } from './png.ts';
import type { RgbPicture } from './resize.ts';
import { readImageSource } from './source.ts';

const thumbnailSide = 320;
const previewSide = 200;
const previewsAtOnce = 6;
const photographs: readonly string[] = ['jpeg', 'webp', 'avif'];
const paper = { r: 255, g: 255, b: 255 };

export async function inspectPicture(
  source: ImageSource,
  page?: number,
  pictures: DecodedPictures = createDecodedPictures(),
): Promise<PictureFacts> {
  const { bytes, hash, picture } = await pictures.open(source, page);
  const { width, height, part, ground, cutOff } = picture;
  const thumbnail = await small(picture, thumbnailSide);
  // Where a browser would choose another page, lay it on another ground or fill up what is missing, it gets what the model gets.
  const isSame = shownByBrowsers(bytes) && !part && ground === null && !cutOff;
  const png = isSame ? null : await asSharp(picture).png().toBuffer();
  return { width, height, thumbnail, display: part && png ? withComment(png, noteOf(part, hash)) : png, part, ground, cutOff };
}

/** So that equal pages, of one file or of two, are pictures of their own: pictures are told apart by their bytes. */
function noteOf({ unit, number, count }: PagePart, wholeHash: string): string {
  return `${unit} ${number} of ${count} of ${wholeHash}`;
}

export async function previewPages(source: ImageSource, from: number): Promise<Pages | null> {
  const { bytes, name } = await readImageSource(source);
  const format = recognise(bytes, name);
  const file = await openPages(bytes, format, name).catch((error: unknown) => {
    throw error instanceof LoupeError ? error : unreadable(name, error);
  });
  if (!file) return null;
  const { unit, count, offered } = file;
  const previews: Pages['previews'] = [];
  for (let number = from; number <= Math.min(offered, from + previewsAtOnce - 1); number++)
    previews.push({ number, width: 0, height: 0, preview: null });
  await fillPreviews(previews, file);
  return { unit, count, offered, previews };
}

/** A page that cannot be read does not keep the others from being shown; a frame does: the ones after it build on it. */
async function fillPreviews(previews: Pages['previews'], file: PageFile): Promise<void> {
  let reading: AsyncGenerator<Pixels> | null = null;
  for (const preview of previews) {
    try {
      reading ??= file.read(preview.number, previewsAtOnce);
      const { value } = await reading.next();
      if (!value) return;
      const picture = layOnGround(value);
      preview.preview = (await small(picture, previewSide)).toString('base64');
      preview.width = picture.width;
      preview.height = picture.height;
    } catch {
      if (file.unit === 'frame') return;
      reading = null;
    }
  }
}

function small(picture: RgbPicture, side: number): Promise<Buffer> {
  return asSharp(picture).resize(side, side, { fit: 'inside', withoutEnlargement: true }).webp({ quality: 82 }).toBuffer();
}

export async function cropPicture(
  source: ImageSource,
  { x, y, width, height }: Region,
  opened: DecodedPictures = createDecodedPictures(),
): Promise<Uint8Array> {
  const { name, picture } = await opened.open(source);
  if (x + width > picture.width || y + height > picture.height) {
    throw new LoupeError(
      'usage',
      `The region ${width} x ${height} at ${x}, ${y} lies outside ${name} (${picture.width} x ${picture.height}).`,
      'Choose a region inside the picture.',
    );
  }
  return asSharp(picture).extract({ left: x, top: y, width, height }).png().toBuffer();
}

/**
 * The picture as it is seen: upright, on its ground, and nothing that a camera or a program has put beside it or behind it. Photographs stay
 * photographs (JPEG, with all of their colour); everything else goes without loss (PNG).
 */
export async function barePicture(source: ImageSource, opened: DecodedPictures = createDecodedPictures()): Promise<Uint8Array> {
  const { bytes, name, picture } = await opened.open(source);
  const isPhotograph = photographs.includes(recognise(bytes, name));
  // Written from pixels: there is nothing else that could come along.
  const written = asSharp(picture);
  return (isPhotograph ? written.jpeg({ quality: 95, chromaSubsampling: '4:4:4' }) : written.png()).toBuffer();
}

export async function composePictures(
  sources: ImageSource[],
  layout: ComposeLayout,
  labels: boolean,
  opened: DecodedPictures = createDecodedPictures(),
): Promise<Uint8Array> {
  const pictures: RgbPicture[] = [];
  for (const source of sources) pictures.push((await opened.open(source)).picture);
  const { width, height, positions } = layOutComposition(pictures, layout, labels);
  const layers: OverlayOptions[] = [];
  for (const [index, position] of positions.entries()) {
    const scaled = await asSharp(pictures[index]!)
      .resize(position.width, position.height, { fit: 'fill' })
      .png({ compressionLevel: 1 })
      .toBuffer();
    layers.push({ input: scaled, left: position.x, top: position.y });
    if (position.label) layers.push({ input: labelImage(index, position.label.size), left: position.label.x, top: position.label.y });
  }
  return sharp({ create: { width, height, channels: 3, background: paper } })
    .composite(layers)
    .png()
    .toBuffer();
}

function asSharp({ data, width, height }: RgbPicture): Sharp {
  return sharp(data, { raw: { width, height, channels: 3 } });
}

/** Strokes of A to F on a 10 x 14 grid: drawn, so that no font is needed. */
const letters = [
  'M1 13L5 1L9 13M2.5 9H7.5',
  'M1.5 13V1H5.5C10 1 10 7 5.5 7H1.5M5.5 7C10.5 7 10.5 13 5.5 13H1.5',
  'M9 3C6 -.5 1 1 1 7C1 13 6 14.5 9 11',
  'M1.5 13V1H4C11 1 11 13 4 13Z',
  'M8.5 1H1.5V13H8.5M1.5 7H7',
  'M8.5 1H1.5V13M1.5 7H7',
];

/** A letter at the left of a square, with a little air below. */
function labelImage(index: number, size: number): Buffer {
  const height = size * 0.7;
  const scale = height / 14;
  return Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${size}" height="${size}">
      <g transform="translate(${size * 0.08} ${size * 0.1}) scale(${scale})" fill="none" stroke="#000" stroke-width="2"
        stroke-linejoin="round"><path d="${letters[index]!}"/></g>
    </svg>`,
  );
}
