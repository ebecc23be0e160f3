/** What was right on every file tried, kept so: orientation, CMYK, profiles, 16 bits. The colours are exact or nearly so. */
import sharp, { type Sharp, type SharpOptions } from 'sharp';
import { expect, test } from 'vitest';
import { decodeImage } from './decode.ts';

/** Upper left red, upper right green, lower left blue, lower right yellow. */
const corners = { red: [220, 30, 30], green: [30, 180, 40], blue: [30, 60, 200], yellow: [230, 220, 40] };
const [width, height] = [24, 16];

function chart(): Sharp {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++)
      data.set(
        y < height / 2 ? (x < width / 2 ? corners.red : corners.green) : x < width / 2 ? corners.blue : corners.yellow,
        (y * width + x) * 3,
      );
  }
  return sharp(data, { raw: { width, height, channels: 3 } });
}

async function read(bytes: Uint8Array): Promise<{ width: number; height: number; at: (x: number, y: number) => number[] }> {
  const { width, height, data } = await decodeImage(bytes, 'chart');
  return { width, height, at: (x, y) => [...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)] };
}

function expectNear(found: number[], wanted: number[], within: number): void {
  for (const [channel, value] of wanted.entries())
    expect(Math.abs(found[channel]! - value), `${String(found)} for ${String(wanted)}`).toBeLessThanOrEqual(within);
}

/** How a camera stores what should be seen upright: orientation n is undone by these. */
const stored: Record<number, (image: Sharp) => Sharp> = {
  1: (image) => image,
  2: (image) => image.flop(),
  3: (image) => image.rotate(180),
  4: (image) => image.flip(),
  5: (image) => image.flip().rotate(90),
  6: (image) => image.rotate(270),
  7: (image) => image.flop().rotate(90),
  8: (image) => image.rotate(90),
};

test.each(Object.keys(stored).map(Number))('orientation %i', async (orientation) => {
  const turned = await stored[orientation]!(chart()).png().toBuffer();
  for (const format of ['jpeg', 'png', 'webp', 'tiff'] as const) {
    const bytes = await sharp(turned)
      .withMetadata({ orientation })
      .toFormat(format, { quality: 100, lossless: true, chromaSubsampling: '4:4:4' })
      .toBuffer();
    const { width: upright, height: tall, at } = await read(bytes);
    expect([upright, tall], format).toEqual([width, height]);
    expectNear(at(2, 2), corners.red, 4);
    expectNear(at(width - 3, 2), corners.green, 4);
    expectNear(at(2, height - 3), corners.blue, 4);
    expectNear(at(width - 3, height - 3), corners.yellow, 4);
  }
});

test('CMYK, as JPEG and as TIFF', async () => {
  for (const format of ['jpeg', 'tiff'] as const) {
    const { at } = await read(
      await chart().withIccProfile('cmyk').toFormat(format, { quality: 100, chromaSubsampling: '4:4:4', compression: 'lzw' }).toBuffer(),
    );
    expectNear(at(2, 2), corners.red, 30);
    // A press has no blue so bright, and no yellow so pale.
    expectNear(at(2, height - 3), [28, 60, 135], 15);
    expectNear(at(width - 3, height - 3), [232, 211, 1], 15);
  }
});

test('a wide profile is taken back to sRGB', async () => {
  for (const format of ['jpeg', 'png', 'webp', 'tiff'] as const) {
    const bytes = await chart()
      .withIccProfile('p3')
      .toFormat(format, { quality: 100, lossless: true, chromaSubsampling: '4:4:4' })
      .toBuffer();
    const raw = [...(await sharp(bytes, { ignoreIcc: true }).raw().toBuffer()).subarray(0, 3)];
    // The file's own numbers are others.
    expect(Math.abs(raw[0]! - corners.red[0]!), `${format}: ${String(raw)}`).toBeGreaterThan(8);
    const { at } = await read(bytes);
    expectNear(at(2, 2), corners.red, 5);
    expectNear(at(width - 3, 2), corners.green, 5);
  }
});

test('16 bits a channel', async () => {
  const deep = Uint16Array.from(await chart().raw().toBuffer(), (value) => value * 257);
  const bytes = await sharp(deep, { raw: { width, height, channels: 3 } } as SharpOptions)
    .toColourspace('rgb16')
    .png()
    .toBuffer();
  expect((await sharp(bytes).metadata()).depth).toBe('ushort');
  const { at } = await read(bytes);
  expectNear(at(2, 2), corners.red, 1);
  expectNear(at(width - 3, height - 3), corners.yellow, 1);
});
