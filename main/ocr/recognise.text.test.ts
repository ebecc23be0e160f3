/** The models that come with Loupe, on pictures with known text (fixtures/ocr/make.ts), and the process that they run in. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { textOf, type TextLine } from '../contract.ts';
import { forkHost, type HostProcess } from '../process/channel.ts';
import { decodeImage } from '../image/decode.ts';
import type { RgbPicture } from '../image/resize.ts';
import { ocrModels } from '../host/paths.ts';
import type { TextRecogniser } from '../services/ports.ts';
import { randomNumbers } from '../test/random.ts';
import { createTextRecogniser } from './ocr-client.ts';
import { createRecogniser, type Recogniser } from './recognise.ts';

const fixtures = fileURLToPath(new URL('../../fixtures/ocr/', import.meta.url));
const patience = 120_000;

interface Truth {
  file: string;
  kind: string;
  theme: string;
  size: number;
  font: string;
  lines: string[];
}

const truth = JSON.parse(readFileSync(join(fixtures, 'truth.json'), 'utf8')) as Truth[];

let recogniser: Recogniser;
beforeAll(async () => {
  recogniser = await createRecogniser(ocrModels);
});
afterAll(() => recogniser.close());

async function pixels(file: string): Promise<RgbPicture> {
  return decodeImage(readFileSync(join(fixtures, file)), file);
}

async function read(file: string): Promise<TextLine[]> {
  return recogniser.recognise(await pixels(file));
}

/** Insertions, deletions and substitutions between two texts. */
function editDistance(a: string, b: string): number {
  const row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    let diagonal = row[0]!;
    row[0] = i;
    for (let j = 1; j <= b.length; j++) {
      const above = row[j]!;
      row[j] = Math.min(above + 1, row[j - 1]! + 1, diagonal + Number(a[i - 1] !== b[j - 1]));
      diagonal = above;
    }
  }
  return row[b.length]!;
}

/** Where lines break is the picture's choice, and no mistake. */
const flat = (text: string): string => text.replace(/\s+/g, ' ').trim();

test('forty screens: at most one character in a hundred is wrong, and none of them is far off', { timeout: patience }, async () => {
  expect(truth).toHaveLength(40);
  expect(new Set(truth.map(({ theme }) => theme)).size).toBe(4);
  expect(new Set(truth.map(({ font }) => font)).size).toBeGreaterThan(7);
  expect([Math.min(...truth.map(({ size }) => size)), Math.max(...truth.map(({ size }) => size))]).toEqual([12, 24]);
  let wrong = 0;
  let all = 0;
  for (const { file, lines } of truth) {
    const expected = flat(lines.join(' '));
    const found = flat(textOf(await read(file)));
    const distance = editDistance(expected, found);
    expect(distance / expected.length, `${file}: ${found}`).toBeLessThanOrEqual(0.03);
    wrong += distance;
    all += expected.length;
  }
  expect(wrong / all).toBeLessThanOrEqual(0.01);
});

test('tables come with tabs, and forms with one between name and value', { timeout: patience }, async () => {
  const first = truth.find(({ kind }) => kind === 'table')!;
  const rows = Array.from({ length: first.lines.length / 4 }, (_, row) => first.lines.slice(row * 4, row * 4 + 4).join('\t'));
  expect(textOf(await read(first.file))).toBe(rows.join('\n'));
  const form = truth.find(({ kind, size }) => kind === 'form' && size < 20)!;
  const pairs = Array.from({ length: 7 }, (_, row) => form.lines.slice(1 + row * 2, 3 + row * 2).join('\t'));
  expect(
    textOf(await read(form.file))
      .split(/\n+/)
      .slice(1),
  ).toEqual(pairs);
});

test('a whole screen is read block by block', { timeout: patience }, async () => {
  const blocks = JSON.parse(readFileSync(join(fixtures, 'screen.json'), 'utf8')) as string[][];
  const expected = flat(blocks.flat().join(' '));
  const lines = await read('screen.png');
  expect(editDistance(expected, flat(textOf(lines))) / expected.length).toBeLessThanOrEqual(0.01);
  // Word boxes lie on their words: the picture's ink is inside.
  const words = lines.flatMap((line) => line.words);
  expect(words.map(({ text }) => text).join(' ')).toBe(flat(lines.map(({ text }) => text).join(' ')));
  const { data, width } = await pixels('screen.png');
  const inkIn = (left: number, top: number, right: number, bottom: number): number => {
    let ink = 0;
    for (let y = Math.round(top); y < bottom; y++)
      for (let x = Math.round(left); x < right; x++) if (data[(y * width + x) * 3]! < 128) ink++;
    return ink;
  };
  for (const { text, quad } of words) {
    const [[left, top], , [right, bottom]] = quad;
    expect(inkIn(left, top, right, bottom), text).toBeGreaterThan(text.length * 2);
    expect(right - left, text).toBeLessThan((text.length + 2) * 14);
  }
});

test('two threads read what one reads, in the same order', { timeout: patience }, async () => {
  const screen = await pixels('screen.png');
  const two = await createRecogniser(ocrModels, { threads: 2 });
  try {
    const one = await recogniser.recognise(screen);
    const handedOn: TextLine[] = [];
    expect(await two.recognise(screen, { onLine: (line) => handedOn.push(line) })).toEqual(one);
    expect(handedOn).toEqual(one);
    expect(await two.recognise(screen)).toEqual(one);
  } finally {
    await two.close();
  }
});

test.each(['German', 'Italian', 'French', 'Polish'])(
  '%s keeps its spaces and accents in clear type',
  { timeout: patience },
  async (language) => {
    const sentences = (JSON.parse(readFileSync(join(fixtures, 'languages.json'), 'utf8')) as Record<string, string[]>)[language]!;
    const straight = (text: string): string => flat(text).replaceAll('’', "'");
    expect(straight(textOf(await read(`languages/${language}.png`)))).toBe(straight([...sentences, ...sentences].join(' ')));
  },
);

describe('pictures that are no screens', () => {
  const blank = (width: number, height: number): RgbPicture => ({ width, height, data: new Uint8Array(width * height * 3).fill(255) });

  test('an empty one, one of a pixel, and a line of pixels have no text', { timeout: patience }, async () => {
    for (const picture of [blank(400, 300), blank(1, 1), blank(3000, 1), blank(1, 3000)])
      expect(await recogniser.recognise(picture)).toEqual([]);
  });

  test('noise comes to an end', { timeout: patience }, async () => {
    const random = randomNumbers(1);
    const picture = blank(640, 400);
    for (let index = 0; index < picture.data.length; index++) picture.data[index] = random() * 256;
    const lines = await recogniser.recognise(picture);
    expect(lines.length).toBeLessThan(20);
  });

  test('small print on a screen of 8 megapixels is found', { timeout: patience }, async () => {
    const part = readFileSync(join(fixtures, 'pictures/09.png'));
    const { data, info } = await sharp({ create: { width: 3840, height: 2160, channels: 3, background: '#fbf7ef' } })
      .composite([{ input: part, left: 3000, top: 1900 }])
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    const lines = await recogniser.recognise({ data, width: info.width, height: info.height });
    expect(flat(textOf(lines))).toBe(flat(truth[9]!.lines.join(' ')));
    for (const { quad } of lines) expect(quad[0][0]).toBeGreaterThan(3000);
  });

  test('a page that was photographed askew is read, and so is a word that stands', { timeout: patience }, async () => {
    const turned = await sharp(readFileSync(join(fixtures, 'pictures/08.png')))
      .rotate(8, { background: '#1e1e1e' })
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    const expected = flat(truth[8]!.lines.join(' '));
    const askew = await recogniser.recognise({ data: turned.data, width: turned.info.width, height: turned.info.height });
    expect(editDistance(expected, flat(textOf(askew))) / expected.length).toBeLessThanOrEqual(0.02);
    const standing = await sharp(readFileSync(join(fixtures, 'pictures/09.png')))
      .rotate(90)
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    const words = await recogniser.recognise({ data: standing.data, width: standing.info.width, height: standing.info.height });
    const found = words.flatMap((line) => line.words.map(({ text }) => text));
    for (const word of truth[9]!.lines[1]!.split(' ')) expect(found).toContain(word);
  });
});

describe('the process', () => {
  const open: TextRecogniser[] = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map((one) => one.close()));
  });

  function start(env: NodeJS.ProcessEnv = {}): { recogniser: TextRecogniser; hosts: HostProcess[] } {
    const hosts: HostProcess[] = [];
    const entry = fileURLToPath(new URL('./ocr-worker.ts', import.meta.url));
    const one = createTextRecogniser({
      spawn: () => {
        const host = forkHost({ entry, env });
        hosts.push(host);
        return host;
      },
    });
    open.push(one);
    return { recogniser: one, hosts };
  }

  const screen = { source: { path: join(fixtures, 'screen.png') } };
  const list = { source: { path: join(fixtures, 'pictures/36.png') } };

  test('killed in the middle, that picture fails by name and the next is read', { timeout: patience }, async () => {
    const { recogniser: ours, hosts } = start();
    let lines = 0;
    const failed = ours.recognise(screen, {
      onLine: () => {
        if (++lines === 3) process.kill(hosts[0]!.pid!, 'SIGKILL');
      },
    });
    await expect(failed).rejects.toMatchObject({ code: 'ocr_failed', message: expect.stringContaining('screen.png') as string });
    expect(flat(textOf(await ours.recognise(list)))).toBe(flat(truth[36]!.lines.join(' ')));
    expect(hosts).toHaveLength(2);
  });

  test('stopped in the middle, the process is gone and the next picture is read', { timeout: patience }, async () => {
    const { recogniser: ours, hosts } = start();
    const abort = new AbortController();
    const ended = Promise.withResolvers<void>();
    const stopped = ours.recognise(screen, { signal: abort.signal, onLine: () => abort.abort() });
    await expect(stopped).rejects.toMatchObject({ code: 'cancelled' });
    hosts[0]!.onExit(() => ended.resolve());
    await ended.promise;
    expect(await ours.recognise(list)).toHaveLength(9);
  });

  test('pixels are taken as they are', { timeout: patience }, async () => {
    const { recogniser: ours } = start();
    expect(flat(textOf(await ours.recognise(await pixels('pictures/36.png'))))).toBe(flat(truth[36]!.lines.join(' ')));
  });

  test('what is no picture, and models that are not there, are said so', { timeout: patience }, async () => {
    const { recogniser: ours } = start();
    await expect(ours.recognise({ source: { bytes: Buffer.from('%PDF-1.7\n'), name: 'letter.pdf' } })).rejects.toMatchObject({
      code: 'image_unreadable',
      message: expect.stringContaining('letter.pdf') as string,
    });
    await expect(ours.recognise({ source: { bytes: new Uint8Array(), name: 'empty.png' } })).rejects.toMatchObject({ code: 'image_empty' });
    const { recogniser: bare } = start({ LOUPE_OCR: '/nowhere' });
    await expect(bare.recognise(list)).rejects.toMatchObject({
      code: 'ocr_missing',
      message: expect.stringContaining('/nowhere') as string,
    });
  });
});
