import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { decodeImage } from './decode.ts';
import { chooseGround, layOnGround } from './ground.ts';
import { composePictures, cropPicture, inspectPicture } from './picture-operations.ts';

const light = readFileSync(new URL('../../fixtures/pictures/base-white-on-transparent.png', import.meta.url));

/** Bars of colours, 4 pixels wide, with as much that is transparent between them. */
function bars(...colours: number[][]): Uint8Array {
  const [width, height] = [8 * colours.length + 4, 8];
  const data = new Uint8Array(width * height * 4);
  for (let y = 0; y < height; y++)
    colours.forEach((colour, index) => {
      for (let x = 0; x < 4; x++) data.set(colour, (y * width + 4 + index * 8 + x) * 4);
    });
  return data;
}

const ground = (...colours: number[][]) => chooseGround({ width: 8 * colours.length + 4, height: 8, channels: 4, data: bars(...colours) });
const [white, black, ivory, blue] = [
  [255, 255, 255, 255],
  [0, 0, 0, 255],
  [250, 246, 235, 255],
  [30, 60, 200, 255],
];

test('white where the drawing shows on it, black where it would vanish, grey where both are needed', () => {
  expect(ground(black)).toBe('white');
  expect(ground(blue)).toBe('white');
  expect(ground(white)).toBe('black');
  expect(ground(ivory)).toBe('black');
  expect(ground(white, white, blue)).toBe('black');
  expect(ground(black, white)).toBe('grey');
  expect(ground([255, 255, 255, 90])).toBe('black');
});

test('a window with round corners and a shadow stays on white', () => {
  const [width, height] = [60, 40];
  const data = new Uint8Array(width * height * 4);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const inside = x >= 4 && x < 56 && y >= 4 && y < 36;
      // Text of one pixel a stroke on a white page.
      data.set(inside ? (x % 3 === 0 && y % 4 !== 0 ? [40, 40, 40, 255] : [255, 255, 255, 255]) : [0, 0, 0, 60], (y * width + x) * 4);
    }
  expect(chooseGround({ width, height, channels: 4, data })).toBe('white');
});

test('nothing is said of pictures without transparency', () => {
  expect(layOnGround({ width: 1, height: 1, channels: 4, data: Uint8Array.of(9, 9, 9, 255) }).ground).toBeNull();
  expect(layOnGround({ width: 1, height: 1, channels: 3, data: Uint8Array.of(9, 9, 9) }).ground).toBeNull();
  expect(layOnGround({ width: 2, height: 1, channels: 2, data: Uint8Array.of(255, 255, 0, 0) })).toMatchObject({
    ground: 'black',
    data: Uint8Array.of(255, 255, 255, 0, 0, 0),
  });
});

test('the model, the picture shown, the thumbnail, a part and a composition have the same ground', async () => {
  const source = { bytes: light, name: 'light.png' };
  const model = await decodeImage(light, 'light.png');
  expect(model.ground).toBe('black');
  expect([...model.data.subarray(0, 3)]).toEqual([0, 0, 0]);
  const facts = await inspectPicture(source);
  expect(facts.ground).toBe('black');
  const shown = await sharp(facts.display!).raw().toBuffer();
  expect(Buffer.compare(shown, Buffer.from(model.data))).toBe(0);
  expect((await sharp(facts.thumbnail).raw().toBuffer())[0]).toBeLessThan(8);
  const part = await sharp(await cropPicture(source, { x: 0, y: 0, width: model.width, height: model.height }))
    .raw()
    .toBuffer();
  expect(Buffer.compare(part, Buffer.from(model.data))).toBe(0);
  const composed = await sharp(await composePictures([source, source], 'row', false))
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const gap = 8;
  expect([...composed.data.subarray((gap * composed.info.width + gap) * 3, (gap * composed.info.width + gap) * 3 + 3)]).toEqual([0, 0, 0]);
});
