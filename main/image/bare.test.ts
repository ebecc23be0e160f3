/** What is left of a picture that goes to a server: what is seen, and no word of what lies beside it. */
import sharp, { type Sharp } from 'sharp';
import { expect, test } from 'vitest';
import { pngChunk, withComment } from './png.ts';
import { barePicture } from './picture-operations.ts';

const planted = [
  'Zanzibar Camera Works',
  'SN-8812734',
  'Ada Planted',
  '48/1 51/1 2957/100',
  'xmp-secret-place',
  'comment-secret',
  'behind-the-end',
];
const exif = {
  IFD0: { Make: planted[0]!, Artist: planted[2]!, ImageDescription: planted[5]! },
  IFD2: { BodySerialNumber: planted[1]! },
  IFD3: { GPSLatitudeRef: 'N', GPSLatitude: planted[3]!, GPSLongitudeRef: 'E', GPSLongitude: '2/1 17/1 4020/100' },
};
const xmp = `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description
  xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" photoshop:City="${planted[4]}"/></rdf:RDF></x:xmpmeta>`;

/** Red left, blue right, 40 x 20; a camera that was held upright stores it lying, and says so. */
const halves = async (): Promise<Sharp> =>
  sharp({ create: { width: 40, height: 20, channels: 3, background: '#e01010' } })
    .composite([
      {
        input: await sharp({ create: { width: 20, height: 20, channels: 3, background: '#1010e0' } })
          .png()
          .toBuffer(),
        left: 20,
        top: 0,
      },
    ])
    .withExif(exif)
    .withXmp(xmp)
    .withMetadata({ exif, orientation: 6 });

const end = Buffer.from(planted[6]!);

async function originals(): Promise<Record<string, Uint8Array>> {
  const picture = await halves();
  const [jpeg, png, webp] = [
    await picture.clone().jpeg().toBuffer(),
    await picture.clone().png().toBuffer(),
    await picture.clone().webp().toBuffer(),
  ];
  // A comment of its own after the first marker of a JPEG, and bytes behind its end, as phones put a film there.
  const comment = Buffer.from(planted[5]!);
  const marker = Buffer.from([0xff, 0xfe, 0, comment.length + 2]);
  const text = pngChunk('iTXt', Buffer.from(`XML:com.adobe.xmp\0\0\0\0\0${xmp}`));
  return {
    jpeg: Buffer.concat([jpeg.subarray(0, 2), marker, comment, jpeg.subarray(2), end]),
    png: Buffer.concat([Buffer.from(withComment(png, planted[5]!)).subarray(0, -12), text, png.subarray(-12), end]),
    webp,
  };
}

const words = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

test.each(['jpeg', 'png', 'webp'])('%s: no word of the camera, and upright', async (format) => {
  const original = (await originals())[format]!;
  expect(planted.filter((word) => words(original).includes(word)).length, 'what was planted is there before').toBeGreaterThan(2);
  expect((await sharp(original).metadata()).orientation).toBe(6);

  const bare = await barePicture({ bytes: original, name: `photo.${format}` });
  expect(planted.filter((word) => words(bare).includes(word))).toEqual([]);
  expect(words(bare)).not.toMatch(/Exif|xmp|GPS|ICC_PROFILE|tEXt|iTXt|eXIf/);
  const read = await sharp(bare).metadata();
  expect(read).toMatchObject({ format: format === 'png' ? 'png' : 'jpeg', width: 20, height: 40 });
  expect(['exif', 'xmp', 'iptc', 'icc', 'comments', 'orientation'].filter((name) => name in read)).toEqual([]);
  // Turned to the right: what was left is above.
  const { data } = await sharp(bare).raw().toBuffer({ resolveWithObject: true });
  const [above, below] = [data.subarray(0, 3), data.subarray(-3)];
  expect(above[0]! > above[2]! && below[2]! > below[0]!).toBe(true);
});

test('a frame that Loupe noted in its own way goes without the note', async () => {
  const png = await sharp({ create: { width: 4, height: 4, channels: 3, background: '#808080' } })
    .png()
    .toBuffer();
  const bare = await barePicture({ bytes: withComment(png, 'frame 2 of 4 of 5a5a'), name: 'a.png' });
  expect(words(bare)).not.toContain('5a5a');
});
