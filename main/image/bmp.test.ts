import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { LoupeError } from '../errors.ts';
import { readBmp, readDib } from './bmp.ts';
import { decodeImage } from './decode.ts';
import { sniff } from './formats.ts';

interface Parts {
  width: number;
  height: number;
  bits: number;
  method?: number;
  /** Of the second header. */
  length?: number;
  /** Behind the fields of 40 bytes: masks, colour spaces. */
  more?: number[];
  /** [blue, green, red, 0] each, or three bytes with the header of 12. */
  palette?: number[][];
  colours?: number;
  rows: number[];
}

function dib({ width, height, bits, method = 0, length = 40, more = [], palette = [], colours = 0, rows }: Parts): Uint8Array {
  const header = new Uint8Array(Math.max(length, 40));
  const view = new DataView(header.buffer);
  view.setUint32(0, length, true);
  view.setInt32(4, width, true);
  view.setInt32(8, height, true);
  view.setUint16(12, 1, true);
  view.setUint16(14, bits, true);
  view.setUint32(16, method, true);
  view.setUint32(32, colours, true);
  const masks = new Uint8Array(new Uint32Array(more).buffer);
  const inside = masks.subarray(0, Math.max(0, length - 40));
  header.set(inside, 40);
  return Uint8Array.from([...header, ...masks.subarray(inside.length), ...palette.flat(), ...rows]);
}

function bmp(parts: Parts): Uint8Array {
  return withFileHeader(dib(parts), parts.rows.length);
}

function withFileHeader(body: Uint8Array, pixelBytes: number): Uint8Array {
  const bytes = new Uint8Array(14 + body.length);
  bytes.set([0x42, 0x4d]);
  new DataView(bytes.buffer).setUint32(10, bytes.length - pixelBytes, true);
  bytes.set(body, 14);
  return bytes;
}

const red = [0, 0, 255, 0];
const green = [0, 255, 0, 0];
const blue = [255, 0, 0, 0];
const letters: Record<string, string> = { '255,0,0': 'r', '0,255,0': 'g', '0,0,255': 'b', '0,0,0': '.', '255,255,255': 'w' };

/** Rows of letters, from the top. */
function drawn(bytes: Uint8Array): string[] {
  const { width, height, channels, data } = readBmp(bytes, 'x.bmp');
  return Array.from({ length: height }, (_, y) =>
    Array.from(
      { length: width },
      (_, x) => letters[data.subarray((y * width + x) * channels, (y * width + x) * channels + 3).join(',')] ?? '?',
    ).join(''),
  );
}

describe('palettes', () => {
  test('1, 4 and 8 bits, rows from the bottom or from the top', () => {
    const rows = [0b0110_0000, 0, 0, 0, 0b1000_0000, 0, 0, 0];
    expect(drawn(bmp({ width: 3, height: 2, bits: 1, palette: [red, green], rows }))).toEqual(['grr', 'rgg']);
    expect(drawn(bmp({ width: 3, height: -2, bits: 1, palette: [red, green], rows }))).toEqual(['rgg', 'grr']);
    expect(drawn(bmp({ width: 3, height: 1, bits: 4, palette: [red, green, blue], rows: [0x01, 0x20, 0, 0] }))).toEqual(['rgb']);
    expect(drawn(bmp({ width: 3, height: 1, bits: 8, palette: [red, green, blue], rows: [2, 1, 0, 0] }))).toEqual(['bgr']);
  });

  test('with fewer colours than an index can name, the others are black', () => {
    expect(drawn(bmp({ width: 4, height: 1, bits: 8, colours: 2, palette: [red, green], rows: [0, 1, 2, 255] }))).toEqual(['rg..']);
    expect(drawn(bmp({ width: 4, height: 1, bits: 8, colours: 4_000_000_000, palette: [red, green], rows: [0, 1, 2, 255] }))).toEqual([
      'rg..',
    ]);
  });

  test('the header of OS/2, with its three bytes a colour', () => {
    const body = [12, 0, 0, 0, 3, 0, 1, 0, 1, 0, 8, 0, 0, 0, 255, 0, 255, 0, 1, 0, 1, 0];
    expect(drawn(withFileHeader(Uint8Array.from(body), 4))).toEqual(['grg']);
  });
});

describe('run lengths', () => {
  const palette = [[0, 0, 0, 0], red, green, blue];

  test('RLE8: runs, pixels one by one, ends of rows, jumps, the end', () => {
    // Bottom row: rrgb. Then a jump of 1 to the right and 1 up, one blue pixel, and the end.
    const rows = [2, 1, 0, 3, 2, 3, 1, 0, 0, 0, 0, 2, 1, 1, 1, 3, 0, 1];
    expect(drawn(bmp({ width: 5, height: 3, bits: 8, method: 1, palette, colours: 4, rows }))).toEqual(['.b...', '.....', 'rrgbr']);
  });

  test('RLE4: a run alternates between two pixels', () => {
    const rows = [3, 0x12, 0, 4, 0x33, 0x12, 0, 0, 5, 0x21, 0, 1];
    expect(drawn(bmp({ width: 7, height: 2, bits: 4, method: 2, palette, colours: 4, rows }))).toEqual(['grgrg..', 'rgrbbrg']);
  });

  test('without an end mark, and beyond its edges', () => {
    expect(drawn(bmp({ width: 2, height: 1, bits: 8, method: 1, palette, colours: 4, rows: [255, 1, 255, 2] }))).toEqual(['rr']);
    expect(drawn(bmp({ width: 2, height: 1, bits: 8, method: 1, palette, colours: 4, rows: [0, 2, 255, 255, 9, 1] }))).toEqual(['..']);
  });

  test('what ends before its last row is refused', () => {
    expect(() => readBmp(bmp({ width: 2, height: 3, bits: 8, method: 1, palette, colours: 4, rows: [2, 1, 0, 0] }), 'x.bmp')).toThrow(
      'the file ends before its last row',
    );
    expect(() => readBmp(bmp({ width: 9, height: 1, bits: 8, method: 1, palette, colours: 4, rows: [0, 9, 1, 1] }), 'x.bmp')).toThrow(
      'the file ends inside a run',
    );
  });
});

describe('colours', () => {
  test('16 bits: five bits each, or as the masks say', () => {
    expect(drawn(bmp({ width: 2, height: 1, bits: 16, rows: [0x00, 0x7c, 0x1f, 0x00] }))).toEqual(['rb']);
    const masks = [0xf800, 0x07e0, 0x001f];
    expect(drawn(bmp({ width: 2, height: 1, bits: 16, method: 3, more: masks, rows: [0x00, 0xf8, 0xe0, 0x07] }))).toEqual(['rg']);
    const { data } = readBmp(bmp({ width: 2, height: 1, bits: 16, method: 3, more: masks, rows: [0x10, 0x84, 0, 0] }), 'x.bmp');
    expect([...data.subarray(0, 3)]).toEqual([132, 130, 132]);
  });

  test('32 bits: any masks, with the header of 40 or of 108 bytes; ten bits a colour', () => {
    const masks = [0xff, 0xff00, 0xff0000];
    expect(drawn(bmp({ width: 2, height: 1, bits: 32, method: 3, more: masks, rows: [255, 0, 0, 9, 0, 0, 255, 9] }))).toEqual(['rb']);
    expect(
      drawn(bmp({ width: 2, height: 1, bits: 32, method: 3, length: 108, more: [...masks, 0], rows: [255, 0, 0, 9, 0, 0, 255, 9] })),
    ).toEqual(['rb']);
    expect(drawn(bmp({ width: 1, height: 1, bits: 32, method: 3, more: [0x3ff00000, 0xffc00, 0x3ff], rows: [0, 0xfc, 0x0f, 0] }))).toEqual([
      'g',
    ]);
  });

  test('alpha counts where a mask names it and some of it is set', () => {
    const parts = { width: 2, height: 1, bits: 32, method: 3, length: 124, more: [0xff0000, 0xff00, 0xff, 0xff000000] };
    expect([...readBmp(bmp({ ...parts, rows: [0, 0, 255, 128, 0, 255, 0, 0] }), 'x.bmp').data]).toEqual([255, 0, 0, 128, 0, 255, 0, 0]);
    expect([...readBmp(bmp({ ...parts, rows: [0, 0, 255, 0, 0, 255, 0, 0] }), 'x.bmp').data]).toEqual([255, 0, 0, 255, 0, 255, 0, 255]);
    // Without a mask the fourth byte is nothing.
    expect(readBmp(bmp({ width: 1, height: 1, bits: 32, rows: [0, 0, 255, 0] }), 'x.bmp')).toMatchObject({
      channels: 3,
      data: Uint8Array.of(255, 0, 0),
    });
  });
});

test('a bitmap from a clipboard has no file header', async () => {
  const bytes = dib({ width: 2, height: 1, bits: 8, palette: [red, green, blue], colours: 3, rows: [2, 1, 0, 0] });
  expect(sniff(bytes)).toBe('dib');
  expect([...(await decodeImage(bytes, 'Pasted picture')).data]).toEqual([0, 0, 255, 0, 255, 0]);
  expect([
    ...readDib(dib({ width: 1, height: 1, bits: 32, method: 3, more: [0xff0000, 0xff00, 0xff], rows: [0, 0, 255, 0] }), 'x').data,
  ]).toEqual([255, 0, 0]);
});

test.each([
  ['base-8bit.bmp', '2718f8770eb6ef0703da882473b67fa8bfc8ab46eedfcf41c55c317bd5d1dc5e'],
  ['base-1bit.bmp', 'f6df6843a88f74ea26a2f06ed2673569c2921790191055bc4ebaba70bd70133c'],
])('%s gives the pixels that Pillow gives', async (file, sha256) => {
  const { width, height, data } = await decodeImage(readFileSync(new URL(`../../fixtures/pictures/${file}`, import.meta.url)), file);
  expect([width, height]).toEqual([78, 36]);
  expect(createHash('sha256').update(data).digest('hex')).toBe(sha256);
});

describe('hostile headers', () => {
  const whole = bmp({ width: 3, height: 2, bits: 8, palette: [red, green], colours: 2, rows: [0, 1, 0, 0, 1, 0, 1, 0] });
  const runs = bmp({
    width: 5,
    height: 3,
    bits: 8,
    method: 1,
    palette: [red, green],
    colours: 2,
    rows: [5, 1, 0, 0, 5, 0, 0, 0, 5, 1, 0, 1],
  });
  const masked = bmp({
    width: 2,
    height: 1,
    bits: 32,
    method: 3,
    length: 124,
    more: [0xff0000, 0xff00, 0xff, 0xff000000],
    rows: [0, 0, 255, 128, 0, 255, 0, 0],
  });

  /** Read, or refused in a sentence: nothing else. */
  function outcome(bytes: Uint8Array): string {
    try {
      readBmp(bytes, 'x.bmp');
      return 'read';
    } catch (error) {
      if (!(error instanceof LoupeError)) throw error;
      return error.code;
    }
  }

  test('cut at any byte', () => {
    for (const file of [whole, masked])
      for (let length = 2; length < file.length; length++) expect(outcome(file.slice(0, length)), String(length)).toBe('image_unreadable');
  });

  test('any byte of the headers changed', () => {
    const found = new Set<string>();
    for (const file of [whole, runs, masked]) {
      for (let at = 2; at < Math.min(file.length, 80); at++) {
        // Sides of millions are below; run lengths need no more file for them.
        if (at === 20 || at === 21 || at === 24 || at === 25) continue;
        for (const value of [0, 1, 2, 3, 4, 6, 12, 16, 64, 127, 128, 255]) {
          const changed = file.slice();
          changed[at] = value;
          found.add(outcome(changed));
        }
      }
    }
    expect([...found].sort()).toEqual(['image_unreadable', 'read']);
  });

  test('sides that overflow, and a start outside the file', () => {
    const claim = (offset: number, value: number): Uint8Array => {
      const changed = whole.slice();
      new DataView(changed.buffer).setInt32(offset, value, true);
      return changed;
    };
    expect(outcome(claim(18, 0x7fffffff))).toBe('image_too_large');
    expect(outcome(claim(22, -0x80000000))).toBe('image_too_large');
    expect(outcome(claim(10, -1))).toBe('image_unreadable');
    expect(outcome(claim(14, -1))).toBe('image_unreadable');
    expect(() => readBmp(claim(30, 5), 'x.bmp')).toThrow('8 bits per pixel in the method 5');
  });
});
