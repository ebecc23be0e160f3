import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import sharp, { type Sharp, type SharpOptions } from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSafetensors } from '../storage/safetensors.ts';
import { decodeImage } from './decode.ts';
import { toRgbOn } from './ground.ts';
import { prepareImage, type PreparedImage } from './prepare.ts';

const tiny = fileURLToPath(new URL('../../fixtures/reference/tiny/', import.meta.url));
const { cases } = JSON.parse(readFileSync(join(tiny, 'cases.json'), 'utf8')) as {
  cases: { name: string; images: string[]; expected: string }[];
};
const processor = JSON.parse(readFileSync(join(tiny, 'preprocessor_config.json'), 'utf8')) as { image_mean: number[]; image_std: number[] };
const tileSize = 56;
const maxTiles = 4;

/** [maxTiles, 3, size, size]: (v / 255 - mean) / std; absent tiles are zero. */
function normalise({ tiles, numTiles }: PreparedImage): Float32Array {
  const plane = tileSize * tileSize;
  const values = new Float32Array(maxTiles * 3 * plane);
  for (let tile = 0; tile < numTiles; tile++) {
    for (let channel = 0; channel < 3; channel++) {
      for (let i = 0; i < plane; i++) {
        const value = tiles[(tile * plane + i) * 3 + channel]! / 255;
        values[(tile * 3 + channel) * plane + i] = (value - processor.image_mean[channel]!) / processor.image_std[channel]!;
      }
    }
  }
  return values;
}

test.each([
  [1, 1, { width: 1, height: 1 }],
  [300, 1, { width: 4, height: 1 }],
  [1, 300, { width: 1, height: 4 }],
  [20_000, 1, { width: 4, height: 1 }],
])('one pixel high or wide: %d x %d is seen in its colour', async (width, height, arrangement) => {
  const bytes = await sharp({ create: { width, height, channels: 3, background: { r: 200, g: 30, b: 40 } } })
    .png()
    .toBuffer();
  const prepared = await prepareImage({ bytes, name: 'thin.png' }, { tileSize, maxTiles });
  expect(prepared.layout.arrangement).toEqual(arrangement);
  const plane = tileSize * tileSize;
  expect(prepared.tiles.length).toBe(prepared.numTiles * plane * 3);
  expect([...prepared.tiles.subarray(0, 3)]).toEqual([200, 30, 40]);
});

describe('reference pictures', () => {
  test.each(cases)('$name', async ({ images, expected }) => {
    const reference = await readSafetensors(join(tiny, expected));
    const prepared = await Promise.all(images.map((path) => prepareImage({ path: join(tiny, path) }, { tileSize, maxTiles })));
    if (images.length === 0) {
      expect(reference.has('pixel_values')).toBe(false);
      return;
    }
    expect(prepared.map(({ aspectRatioId }) => aspectRatioId)).toEqual(Array.from(reference.get('aspect_ratio_ids')!.data, Number));
    expect(prepared.map(({ numTiles }) => numTiles)).toEqual(Array.from(reference.get('num_tiles')!.data, Number));
    // Large tensors are stored as every step-th element.
    const step = Number(reference.get('pixel_values.step')?.data[0] ?? 1);
    const want = (reference.get('pixel_values') ?? reference.get('pixel_values.sample'))!.data;
    const all = prepared.map(normalise);
    const perImage = all[0]!.length;
    const least = 1 / 255 / Math.min(...processor.image_std);
    let equal = 0;
    let worst = 0;
    for (let i = 0; i < want.length; i++) {
      const at = i * step;
      const difference = Math.abs(all[Math.floor(at / perImage)]![at % perImage]! - Number(want[i]));
      if (difference <= 1e-6) equal++;
      worst = Math.max(worst, difference);
    }
    expect(Math.ceil((all.length * perImage) / step)).toBe(want.length);
    expect(worst).toBeLessThanOrEqual(least);
    expect(equal / want.length).toBeGreaterThanOrEqual(0.99);
  });
});

test('transparency on white rounds as Pillow does, for every alpha and value', () => {
  const { flattened } = JSON.parse(readFileSync(new URL('../../fixtures/resize/resize.json', import.meta.url), 'utf8')) as {
    flattened: { sha256: string };
  };
  const rgba = new Uint8Array(256 * 256 * 4);
  for (let alpha = 0; alpha < 256; alpha++) {
    for (let value = 0; value < 256; value++) rgba.set([value, 255 - value, value, alpha], (alpha * 256 + value) * 4);
  }
  expect(
    createHash('sha256')
      .update(toRgbOn(rgba, 4, 'white'))
      .digest('hex'),
  ).toBe(flattened.sha256);
});

describe('formats', () => {
  const red = { r: 200, g: 30, b: 40 };
  const canvas = (width = 20, height = 10, background = red): Sharp => sharp({ create: { width, height, channels: 3, background } });
  const firstPixel = async (bytes: Uint8Array): Promise<number[]> => Array.from((await decodeImage(bytes, 'picture')).data.subarray(0, 3));

  test.each(['png', 'jpeg', 'webp', 'gif', 'tiff', 'avif'] as const)('%s', async (format) => {
    const bytes = await canvas().toFormat(format, { lossless: true, quality: 100 }).toBuffer();
    const { width, height, data } = await decodeImage(bytes, 'picture');
    expect([width, height, data.length]).toEqual([20, 10, 600]);
    for (const [channel, value] of [200, 30, 40].entries()) expect(Math.abs(data[channel]! - value)).toBeLessThanOrEqual(3);
  });

  test('the first frame of an animated GIF', async () => {
    const frames = await Promise.all([red, { r: 0, g: 0, b: 255 }].map((colour) => canvas(20, 10, colour).png().toBuffer()));
    const bytes = await sharp(frames, { join: { animated: true } })
      .gif()
      .toBuffer();
    const { width, height, data } = await decodeImage(bytes, 'picture');
    expect([width, height]).toEqual([20, 10]);
    expect(data[0]).toBeGreaterThan(190);
  });

  test('16 bits, grey, grey with alpha, palette, CMYK', async () => {
    const grey16 = sharp(Buffer.from(new Uint16Array(100).fill(0x8080).buffer), {
      raw: { width: 10, height: 10, channels: 1, depth: 'ushort' },
    } as SharpOptions);
    expect(await firstPixel(await grey16.toColourspace('grey16').png().toBuffer())).toEqual([128, 128, 128]);
    expect(
      await firstPixel(
        await sharp(new Uint8Array(100).fill(77), { raw: { width: 10, height: 10, channels: 1 } })
          .png()
          .toBuffer(),
      ),
    ).toEqual([77, 77, 77]);
    const greyAlpha = Uint8Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? 0 : 51));
    expect(
      await firstPixel(
        await sharp(greyAlpha, { raw: { width: 10, height: 10, channels: 2 } })
          .png()
          .toBuffer(),
      ),
    ).toEqual([204, 204, 204]);
    expect(await firstPixel(await canvas().png({ palette: true }).toBuffer())).toEqual([200, 30, 40]);
    const [cyan] = await firstPixel(await canvas().toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer());
    expect(cyan).toBeGreaterThan(150);
  });

  test('EXIF orientation is applied', async () => {
    const bytes = await canvas(20, 10).jpeg().withMetadata({ orientation: 6 }).toBuffer();
    const { width, height } = await decodeImage(bytes, 'picture');
    expect([width, height]).toEqual([10, 20]);
  });

  test('BMP of 24 and 32 bits, either row order', async () => {
    for (const [bits, topDown] of [
      [24, false],
      [24, true],
      [32, false],
      [32, true],
    ] as const) {
      const { width, height, data } = await decodeImage(bmp(3, 2, bits, topDown), 'picture.bmp');
      expect([width, height]).toEqual([3, 2]);
      expect(Array.from(data)).toEqual(Array.from({ length: 18 }, (_, i) => i));
    }
  });

  test('broken BMP', async () => {
    const whole = bmp(3, 2, 24, false);
    for (const length of [2, 20, 53, whole.length - 1]) {
      await expect(decodeImage(whole.slice(0, length), 'b.bmp')).rejects.toMatchObject({ code: 'image_unreadable' });
    }
    const huge = whole.slice();
    new DataView(huge.buffer).setInt32(18, 2_000_000_000, true);
    await expect(decodeImage(huge, 'b.bmp')).rejects.toMatchObject({ code: 'image_too_large' });
  });
});

/** Pixel values 0, 1, 2, ... in the order of rows from the top. */
function bmp(width: number, height: number, bits: 24 | 32, topDown: boolean): Uint8Array {
  const pixelBytes = bits / 8;
  const rowBytes = Math.ceil((width * pixelBytes) / 4) * 4;
  const bytes = new Uint8Array(54 + rowBytes * height);
  const view = new DataView(bytes.buffer);
  bytes.set([0x42, 0x4d]);
  view.setUint32(10, 54, true);
  view.setUint32(14, 40, true);
  view.setInt32(18, width, true);
  view.setInt32(22, topDown ? -height : height, true);
  view.setUint16(28, bits, true);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const value = (y * width + x) * 3;
      const row = topDown ? y : height - 1 - y;
      bytes.set([value + 2, value + 1, value], 54 + row * rowBytes + x * pixelBytes);
    }
  }
  return bytes;
}

describe('limits', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'loupe-image-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('a strip of 1 x 60,000', async () => {
    const bytes = await sharp({ create: { width: 1, height: 60_000, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
    const { aspectRatioId, layout } = await prepareImage({ bytes, name: 'strip' }, { tileSize: 560, maxTiles: 4 });
    expect(aspectRatioId).toBe(8);
    expect(layout.resized).toEqual({ width: 1, height: 2240 });
  });

  test('a hundred megapixels', { timeout: 60_000 }, async () => {
    const bytes = await sharp({ create: { width: 10_000, height: 10_000, channels: 3, background: 'red' } })
      .png({ compressionLevel: 1 })
      .toBuffer();
    const { tiles, numTiles } = await prepareImage({ bytes, name: 'large' }, { tileSize: 560, maxTiles: 4 });
    expect(numTiles).toBe(4);
    expect(Array.from(tiles.subarray(0, 3))).toEqual([255, 0, 0]);
  });

  test('more than is read', async () => {
    const header = await sharp({ create: { width: 20_000, height: 1, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
    // The header alone claims the size; nothing is decoded before it is refused.
    header.writeUInt32BE(20_000, 20);
    header.writeUInt32BE(crc32(header.subarray(12, 29)), 29);
    await expect(decodeImage(header, 'bomb.png')).rejects.toMatchObject({ code: 'image_too_large' });
  });

  test('nothing, no picture, half a picture', async () => {
    const vision = { tileSize, maxTiles };
    const empty = join(folder, 'empty.png');
    await writeFile(empty, '');
    await expect(prepareImage({ path: empty }, vision)).rejects.toMatchObject({ code: 'image_empty' });
    const text = join(folder, 'text.png');
    await writeFile(text, 'This is not a picture.');
    await expect(prepareImage({ path: text }, vision)).rejects.toMatchObject({
      code: 'image_unreadable',
      message: expect.stringContaining('text.png'),
    });
    await expect(prepareImage({ path: join(folder, 'none.png') }, vision)).rejects.toMatchObject({ code: 'image_missing' });
    await expect(prepareImage({ path: folder }, vision)).rejects.toMatchObject({ code: 'image_missing' });
    const svg = new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
    await expect(decodeImage(svg, 'a.svg')).rejects.toMatchObject({ code: 'image_unreadable' });
    const whole = await readFile(join(tiny, 'images/image-large-0.png'));
    await expect(decodeImage(whole.subarray(0, whole.length / 2), 'half.png')).rejects.toMatchObject({ code: 'image_unreadable' });
  });

  test('equal pictures have equal hashes, others not', async () => {
    const vision = { tileSize, maxTiles };
    const square = { path: join(tiny, 'images/image-square-0.png') };
    const a = await prepareImage(square, vision);
    const b = await prepareImage({ bytes: await readFile(square.path), name: 'copy' }, vision);
    const c = await prepareImage({ path: join(tiny, 'images/image-1x2-0.png') }, vision);
    expect(a.hash).toBe(b.hash);
    expect(a.hash).not.toBe(c.hash);
  });
});
