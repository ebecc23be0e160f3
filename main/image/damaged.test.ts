/** Files that end early, and numbers at a limit. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { randomNumbers } from '../test/random.ts';
import { decodeImage } from './decode.ts';
import { inspectPicture } from './picture-operations.ts';

const fixture = (name: string): Buffer => readFileSync(new URL(`../../fixtures/pictures/${name}`, import.meta.url));

/** Noise, so that what is missing cannot be made up. */
async function noise(options: { progressive?: boolean } = {}): Promise<Buffer> {
  const random = randomNumbers(7);
  const data = Uint8Array.from({ length: 64 * 64 * 3 }, () => random() * 256);
  return sharp(data, { raw: { width: 64, height: 64, channels: 3 } })
    .jpeg({ quality: 90, ...options })
    .toBuffer();
}

test('a JPEG that lacks only its end marker is whole', async () => {
  const bytes = fixture('base-noeoi.jpg');
  const picture = await decodeImage(bytes, 'x.jpg');
  expect(picture.cutOff).toBe(false);
  // As Pillow reads it.
  expect(createHash('sha256').update(picture.data).digest('hex')).toBe('e0be7660a2798e1a89f086c4dfe71c48c059580c5a2673a13b9787dc2149f749');
  const whole = await noise();
  expect((await decodeImage(whole.subarray(0, -2), 'x.jpg')).data).toEqual((await decodeImage(whole, 'x.jpg')).data);
  expect((await decodeImage(whole.subarray(0, -1), 'x.jpg')).cutOff).toBe(false);
});

test.each([{ progressive: false }, { progressive: true }])(
  'a JPEG that is cut off shows what there is, and says so: %o',
  async (options) => {
    const whole = await noise(options);
    const all = await decodeImage(whole, 'x.jpg');
    for (const share of [0.95, 0.5]) {
      const part = await decodeImage(whole.subarray(0, Math.floor(whole.length * share)), 'x.jpg');
      expect(part.cutOff).toBe(true);
      expect([part.width, part.height]).toEqual([64, 64]);
      // The first rows are those of the whole; of a progressive picture there is a coarse version of all.
      if (!options.progressive) expect(part.data.subarray(0, 64 * 3 * 8)).toEqual(all.data.subarray(0, 64 * 3 * 8));
    }
    const facts = await inspectPicture({ bytes: whole.subarray(0, whole.length / 2), name: 'x.jpg' });
    expect(facts.cutOff).toBe(true);
    // Browsers fill up what is missing in ways of their own.
    expect(facts.display).not.toBeNull();
  },
);

test('an end marker in the middle of a picture hides nothing', async () => {
  const whole = await noise();
  expect((await decodeImage(Buffer.concat([whole.subarray(0, whole.length / 2), Buffer.of(0xff, 0xd9)]), 'x.jpg')).cutOff).toBe(true);
});

test('a JPEG that is cut off before its picture is refused', async () => {
  const whole = await noise();
  const scan = whole.indexOf(Buffer.of(0xff, 0xda));
  await expect(decodeImage(whole.subarray(0, scan + 14), 'x.jpg')).rejects.toMatchObject({
    code: 'image_unreadable',
    message: 'x.jpg is cut off before any of its picture.',
  });
  await expect(decodeImage(whole.subarray(0, scan - 4), 'x.jpg')).rejects.toMatchObject({ code: 'image_unreadable' });
});

test('what follows a JPEG, and profiles that are none, keep nothing from being read', async () => {
  const whole = await noise();
  expect((await decodeImage(Buffer.concat([whole, Buffer.alloc(2048)]), 'x.jpg')).cutOff).toBe(false);
  const body = Buffer.from(`ICC_PROFILE\0\x01\x01${'garbage'.repeat(9)}`, 'latin1');
  const profile = Buffer.concat([Buffer.of(0xff, 0xe2, 0, body.length + 2), body]);
  expect((await decodeImage(Buffer.concat([whole.subarray(0, 2), profile, whole.subarray(2)]), 'x.jpg')).cutOff).toBe(false);
});

test('a number over a limit does not read as the limit', async () => {
  await expect(decodeImage(fixture('just-over-120mp.png'), 'scan.png')).rejects.toMatchObject({
    code: 'image_too_large',
    message: 'scan.png has 12000 x 10001 pixels (120.02 megapixels); at most 120 megapixels are read.',
    nextStep: 'Crop it to the part that matters, or save it at a smaller size.',
  });
});
