import sharp from 'sharp';
import { expect, test, vi } from 'vitest';
import { decodeImage } from './decode.ts';
import { createDecodedPictures } from './decoded.ts';
import { prepareImage } from './prepare.ts';

const vision = { tileSize: 56, maxTiles: 4 };
const source = async (red: number, name = 'a.png') => ({
  bytes: await sharp({ create: { width: 90, height: 40, channels: 3, background: { r: red, g: 9, b: 0 } } })
    .png()
    .toBuffer(),
  name,
});

test('a picture that was looked at is not decoded for its tiles, and its tiles are cut once', async () => {
  const decode = vi.fn(decodeImage);
  const pictures = createDecodedPictures(decode);
  const red = await source(200);
  const { picture, hash } = await pictures.open(red);
  expect(picture).toMatchObject({ width: 90, height: 40 });
  expect(hash).toMatch(/^[0-9a-f]{64}$/);
  const tiles = await pictures.tiles(red, vision);
  expect(tiles).toEqual(await prepareImage(red, vision));
  // Under another name the same file is the same picture.
  expect(await pictures.tiles({ ...red, name: 'b.png' }, vision)).toBe(tiles);
  expect(decode).toHaveBeenCalledTimes(1);
  expect((await pictures.tiles(red, { tileSize: 112, maxTiles: 4 })).tiles).toHaveLength(112 * 112 * 3);
  expect(decode).toHaveBeenCalledTimes(1);
});

test('tiles of earlier pictures stay, and what was asked for least lately goes first', async () => {
  const decode = vi.fn(decodeImage);
  const pictures = createDecodedPictures(decode);
  // 9.4 MB each: three fit.
  const large = { tileSize: 1770, maxTiles: 1 };
  const files = await Promise.all([1, 2, 3, 4].map((red) => source(red)));
  for (const file of files.slice(0, 3)) await pictures.tiles(file, large);
  await pictures.tiles(files[0]!, large);
  expect(decode).toHaveBeenCalledTimes(3);
  await pictures.tiles(files[3]!, large);
  await pictures.tiles(files[0]!, large);
  expect(decode).toHaveBeenCalledTimes(4);
  await pictures.tiles(files[1]!, large);
  expect(decode).toHaveBeenCalledTimes(5);
});

test('a damaged picture is refused each time, and nothing is kept of it', async () => {
  const pictures = createDecodedPictures();
  const damaged = { bytes: Buffer.from('\x89PNG\r\n\x1a\nnonsense', 'latin1'), name: 'broken.png' };
  for (let time = 0; time < 2; time++) await expect(pictures.tiles(damaged, vision)).rejects.toMatchObject({ code: 'image_unreadable' });
  expect((await pictures.tiles(await source(5), vision)).width).toBe(90);
});
