import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { apngFrames, readApng } from './apng.ts';
import { decodeImage } from './decode.ts';
import { inspectPicture, previewPages } from './picture-operations.ts';
import { readPng } from './pixels.ts';
import { cutTiles } from './prepare.ts';
import { tiffPages } from './tiff.ts';

const fixture = (name: string): Buffer => readFileSync(new URL(`../../fixtures/pictures/${name}`, import.meta.url));
const vision = { tileSize: 56, maxTiles: 4 };

/** Dark ones are plain, the others have a white square. Encoders drop a frame that is equal to the one before it. */
async function frames(format: 'gif' | 'webp', colours: string[]): Promise<Buffer> {
  const drawn = await Promise.all(
    colours.map((colour) =>
      sharp({ create: { width: 40, height: 30, channels: 3, background: colour } })
        .composite(
          colour.startsWith('#0')
            ? []
            : [{ input: { create: { width: 8, height: 8, channels: 3, background: '#ffffff' } }, left: 4, top: 4 }],
        )
        .png()
        .toBuffer(),
    ),
  );
  const joined = sharp(drawn, { join: { animated: true } });
  return format === 'gif' ? joined.gif().toBuffer() : joined.webp({ lossless: true }).toBuffer();
}

async function corner(bytes: Uint8Array, number?: number): Promise<number[]> {
  return [...(await decodeImage(bytes, 'x', number)).data.subarray(0, 3)];
}

describe('TIFF', () => {
  test('three pages: the first unless another is chosen, each of its own size', async () => {
    const bytes = fixture('pages.tif');
    const before = createHash('sha256').update(bytes).digest('hex');
    expect(await decodeImage(bytes, 'pages.tif')).toMatchObject({ width: 78, height: 36, part: { unit: 'page', number: 1, count: 3 } });
    expect(await decodeImage(bytes, 'pages.tif', 2)).toMatchObject({ width: 73, part: { unit: 'page', number: 2, count: 3 } });
    expect(await decodeImage(bytes, 'pages.tif', 3)).toMatchObject({ width: 111, part: { unit: 'page', number: 3, count: 3 } });
    await expect(decodeImage(bytes, 'pages.tif', 4)).rejects.toMatchObject({
      code: 'usage',
      message: 'pages.tif has 3 pages.',
      nextStep: 'Choose one from 1 to 3.',
    });
    // Pages are taken out of copies.
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(before);
  });

  test('the page stored is what the model would see of it, and one of two equal ones is still itself', async () => {
    const bytes = tiff(2);
    const [first, second] = await Promise.all([1, 2].map((number) => inspectPicture({ bytes, name: 'x.tif' }, number)));
    expect(Buffer.compare(first!.display!, second!.display!)).not.toBe(0);
    const page = fixture('pages.tif');
    const stored = await inspectPicture({ bytes: page, name: 'pages.tif' }, 3);
    expect(cutTiles(await decodeImage(stored.display!, 'page'), vision).hash).toBe(
      cutTiles(await decodeImage(page, 'pages.tif', 3), vision).hash,
    );
  });

  test('thumbnails and masks are not pages', async () => {
    const bytes = tiff(3, { subfileTypes: [0, 1, 4] });
    expect(tiffPages(bytes)).toHaveLength(1);
    expect((await decodeImage(bytes, 'x.tif')).part).toBeNull();
    await expect(decodeImage(bytes, 'x.tif', 2)).rejects.toMatchObject({ message: 'x.tif has only one page.' });
  });

  test('a chain that turns back, one of 100,000 pages, and one that leaves the file', async () => {
    expect((await decodeImage(tiff(3, { next: (page) => (page === 2 ? 0 : page + 1) }), 'x.tif')).part).toEqual({
      unit: 'page',
      number: 1,
      count: 3,
    });
    const long = tiff(100_000);
    expect(tiffPages(long)).toHaveLength(65_536);
    const found = (await previewPages({ bytes: long, name: 'long.tif' }, 65_530))!;
    expect(found).toMatchObject({ unit: 'page', count: 65_536, offered: 65_536 });
    expect(found.previews.map(({ number, preview }) => [number, preview !== null])).toEqual(
      [65_530, 65_531, 65_532, 65_533, 65_534, 65_535].map((number) => [number, true]),
    );
    expect(tiffPages(tiff(2, { next: () => 90_000 }))).toHaveLength(1);
  });

  test('a page of gigapixels is refused, and costs the others nothing', async () => {
    const bytes = tiff(3, { widths: [1, 4_000_000_000, 1] });
    await expect(decodeImage(bytes, 'huge.tif', 2)).rejects.toMatchObject({
      code: expect.stringMatching(/^image_(too_large|unreadable)$/) as string,
    });
    expect((await previewPages({ bytes, name: 'huge.tif' }, 1))!.previews.map(({ preview }) => preview !== null)).toEqual([
      true,
      false,
      true,
    ]);
  });

  test('big files have directories of their own', () => {
    expect(
      tiffPages(Uint8Array.of(0x49, 0x49, 43, 0, 8, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, ...bigDirectory(60), ...bigDirectory(0))),
    ).toHaveLength(2);
  });
});

describe('animations', () => {
  test.each(['gif', 'webp'] as const)('%s: the first frame that shows something, unless another is chosen', async (format) => {
    const bytes = await frames(format, ['#000000', '#080000', '#c81e28', '#1e3cc8']);
    expect((await decodeImage(bytes, 'x')).part).toEqual({ unit: 'frame', number: 3, count: 4 });
    expect((await corner(bytes))[0]).toBeGreaterThan(180);
    expect((await corner(bytes, 4))[2]).toBeGreaterThan(180);
    expect(await corner(bytes, 1)).toEqual([0, 0, 0]);
    expect((await previewPages({ bytes, name: 'x' }, 3))!.previews.map(({ number, width }) => [number, width])).toEqual([
      [3, 40],
      [4, 40],
    ]);
  });

  test('where all frames are plain it is the first', async () => {
    expect((await decodeImage(await frames('webp', ['#000000', '#080000']), 'x.webp')).part).toEqual({
      unit: 'frame',
      number: 1,
      count: 2,
    });
    expect((await decodeImage(gif(300, 4, 4), 'x.gif')).part).toEqual({ unit: 'frame', number: 1, count: 300 });
  });

  test('recordings that fade in', async () => {
    expect((await decodeImage(fixture('anim-first-black.gif'), 'x.gif')).part).toEqual({ unit: 'frame', number: 2, count: 2 });
  });

  test('how far frames can be chosen depends on their size', async () => {
    const bytes = gif(100_000, 1000, 1000);
    const { count, offered, previews } = (await previewPages({ bytes, name: 'x.gif' }, 1))!;
    expect([count, offered, previews.length]).toEqual([100_000, 2000, 6]);
    await expect(decodeImage(bytes, 'x.gif', 2001)).rejects.toMatchObject({
      code: 'image_too_large',
      message: 'x.gif has 100000 frames; only the first 2000 can be opened.',
    });
  });

  test('APNG: every frame, laid over those before it as it says', async () => {
    const plain = fixture('animated.png');
    expect((await decodeImage(plain, 'x.png')).part).toEqual({ unit: 'frame', number: 2, count: 4 });
    expect(
      createHash('sha256')
        .update((await decodeImage(plain, 'x.png', 4)).data)
        .digest('hex'),
    ).toBe('a199a44f5f246dda7fb67102017e2fa74becda720df6845486a8cbec0b2cd647');
    const middles: number[][] = [];
    for await (const { data } of apngFrames(readApng(fixture('blended.png'))!, readPng))
      middles.push([...data.subarray((10 * 40 + 12) * 4, (10 * 40 + 12) * 4 + 4)]);
    // Red; half of green over it; then on cleared ground; put back; over what was there; nothing.
    expect(middles).toEqual([
      [200, 30, 40, 255],
      [106, 136, 64, 255],
      [20, 225, 90, 150],
      [40, 195, 90, 180],
      [40, 195, 90, 180],
      [0, 0, 0, 0],
    ]);
  });

  test('an APNG that lies: frames outside the picture, counts, cut short', async () => {
    const bytes = Buffer.from(fixture('animated.png'));
    const control = bytes.indexOf('fcTL', bytes.indexOf('fcTL') + 4);
    bytes.writeUInt32BE(60_000, control + 8);
    expect(readApng(bytes)!.frames).toHaveLength(3);
    for (let length = 40; length < bytes.length; length += 13) expect(() => readApng(bytes.subarray(0, length))).not.toThrow();
    expect(
      readApng(
        await sharp({ create: { width: 2, height: 2, channels: 3, background: 'red' } })
          .png()
          .toBuffer(),
      ),
    ).toBeNull();
  });

  test('AVIF: pages as pages; of a sequence the still picture that comes with it', async () => {
    expect((await corner(fixture('pages.avif'), 2))[0]).toBeGreaterThan(190);
    expect((await decodeImage(fixture('pages.avif'), 'x.avif')).part).toEqual({ unit: 'page', number: 1, count: 3 });
    expect((await decodeImage(fixture('sequence.avif'), 'x.avif')).part).toEqual({ unit: 'frame', number: 1, count: 3 });
    await expect(decodeImage(fixture('sequence.avif'), 'x.avif', 2)).rejects.toMatchObject({
      message: 'x.avif has 3 frames; only the first can be opened.',
    });
  });
});

describe('icons', () => {
  /** One colour; the left half masked out. */
  function bitmapSize(side: number, [red, green, blue]: [number, number, number]): Buffer {
    const header = Buffer.alloc(40);
    header.writeUInt32LE(40, 0);
    header.writeInt32LE(side, 4);
    header.writeInt32LE(side * 2, 8);
    header.writeUInt16LE(1, 12);
    header.writeUInt16LE(24, 14);
    const row = Buffer.alloc(Math.ceil((side * 3) / 4) * 4);
    for (let x = 0; x < side; x++) row.set([blue, green, red], x * 3);
    const mask = Buffer.alloc(Math.ceil(side / 32) * 4);
    for (let x = 0; x < side / 2; x++) mask[x >> 3]! |= 128 >> (x & 7);
    return Buffer.concat([header, ...Array<Buffer>(side).fill(row), ...Array<Buffer>(side).fill(mask)]);
  }

  function icon(sizes: { side: number; bytes: Buffer }[]): Buffer {
    const head = Buffer.alloc(6 + sizes.length * 16);
    head.writeUInt16LE(1, 2);
    head.writeUInt16LE(sizes.length, 4);
    let at = head.length;
    for (const [index, { side, bytes }] of sizes.entries()) {
      head[6 + index * 16] = side & 255;
      head.writeUInt16LE(24, 6 + index * 16 + 6);
      head.writeUInt32LE(bytes.length, 6 + index * 16 + 8);
      head.writeUInt32LE(at, 6 + index * 16 + 12);
      at += bytes.length;
    }
    return Buffer.concat([head, ...sizes.map(({ bytes }) => bytes)]);
  }

  test('the largest size, bitmaps with their masks and PNG alike', async () => {
    const png = await sharp({ create: { width: 256, height: 256, channels: 3, background: '#1e3cc8' } })
      .png()
      .toBuffer();
    const bytes = icon([
      { side: 16, bytes: bitmapSize(16, [200, 30, 40]) },
      { side: 256, bytes: png },
      { side: 32, bytes: bitmapSize(32, [9, 200, 9]) },
    ]);
    expect(await decodeImage(bytes, 'x.ico')).toMatchObject({ width: 256, height: 256, part: { unit: 'size', number: 2, count: 3 } });
    const small = await decodeImage(bytes, 'x.ico', 1);
    expect(small).toMatchObject({ width: 16, height: 16, ground: 'white' });
    expect([...small.data.subarray(0, 3), ...small.data.subarray(45, 48)]).toEqual([255, 255, 255, 200, 30, 40]);
  });

  test('entries that point outside the file are left out; none left is said', async () => {
    const bytes = icon([
      { side: 16, bytes: bitmapSize(16, [1, 2, 3]) },
      { side: 16, bytes: bitmapSize(16, [1, 2, 3]) },
    ]);
    bytes.writeUInt32LE(4_000_000_000, 6 + 16 + 12);
    expect((await decodeImage(bytes, 'x.ico')).part).toBeNull();
    bytes.writeUInt32LE(4_000_000_000, 6 + 12);
    await expect(decodeImage(bytes, 'x.ico')).rejects.toMatchObject({ message: 'x.ico is an icon without a picture that can be read.' });
  });
});

/** Grey pages of one pixel's height, all over the same byte. */
function tiff(
  pages: number,
  {
    next = (page: number) => page + 1,
    widths = [],
    subfileTypes,
  }: { next?: (page: number) => number; widths?: number[]; subfileTypes?: number[] } = {},
): Buffer {
  const entries = subfileTypes ? 9 : 8;
  const length = 2 + entries * 12 + 4;
  const end = 8 + pages * length;
  const bytes = Buffer.alloc(end + 1, 0);
  bytes.write('II*\0', 'latin1');
  bytes.writeUInt32LE(8, 4);
  for (let page = 0; page < pages; page++) {
    const at = 8 + page * length;
    const fields: [number, number][] = [
      [256, widths[page] ?? 1],
      [257, 1],
      [258, 8],
      [259, 1],
      [262, 1],
      [273, end],
      [278, 1],
      [279, 1],
    ];
    if (subfileTypes) fields.unshift([254, subfileTypes[page]!]);
    bytes.writeUInt16LE(entries, at);
    for (const [index, [tag, value]] of fields.entries()) {
      const field = at + 2 + index * 12;
      bytes.writeUInt16LE(tag, field);
      bytes.writeUInt16LE(4, field + 2);
      bytes.writeUInt32LE(1, field + 4);
      bytes.writeUInt32LE(value, field + 8);
    }
    const following = next(page);
    bytes.writeUInt32LE(following === pages ? 0 : 8 + following * length, at + length - 4);
  }
  return bytes;
}

/** With one entry, which says nothing. */
function bigDirectory(next: number): Uint8Array {
  const bytes = Buffer.alloc(8 + 20 + 8 + 8);
  bytes.writeBigUInt64LE(1n, 0);
  bytes.writeUInt16LE(256, 8);
  bytes.writeBigUInt64LE(BigInt(next), 28);
  return bytes;
}

/** Frames of which each changes one pixel to what it was. */
function gif(count: number, width: number, height: number): Buffer {
  const head = Buffer.concat([
    Buffer.from('GIF89a', 'latin1'),
    Buffer.from([width & 255, width >> 8, height & 255, height >> 8, 0x80, 0, 0, 0, 0, 0, 255, 255, 255]),
  ]);
  const frame = Buffer.from([0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0]);
  return Buffer.concat([head, ...Array<Buffer>(count).fill(frame), Buffer.from([0x3b])]);
}
