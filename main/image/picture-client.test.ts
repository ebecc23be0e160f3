import sharp, { type Sharp } from 'sharp';
import { afterEach, expect, test, vi } from 'vitest';
import type { HostProcess } from '../process/channel.ts';
import type { PictureWorker } from '../services/ports.ts';
import { createPictureWorker } from './picture-client.ts';

const open: PictureWorker[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((worker) => worker.close()));
});

function start(...options: Parameters<typeof createPictureWorker>): PictureWorker {
  const worker = createPictureWorker(...options);
  open.push(worker);
  return worker;
}

function plain(width: number, height: number, background: string): Sharp {
  return sharp({ create: { width, height, channels: 3, background } });
}

async function pixel(png: Uint8Array, x: number, y: number): Promise<number[]> {
  const { data, info } = await sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return [...data.subarray((y * info.width + x) * 3, (y * info.width + x) * 3 + 3)];
}

test('a picture is described, with a thumbnail; TIFF also as PNG', async () => {
  const worker = start();
  const png = await worker.inspect({ bytes: await plain(1000, 500, '#c00').png().toBuffer(), name: 'red.png' });
  expect(png).toMatchObject({ width: 1000, height: 500, display: null });
  expect(await sharp(png.thumbnail).metadata()).toMatchObject({ format: 'webp', width: 320, height: 160 });
  const tiff = await worker.inspect({ bytes: await plain(10, 20, '#0c0').tiff().toBuffer(), name: 'green.tif' });
  expect(await sharp(tiff.display!).metadata()).toMatchObject({ format: 'png', width: 10, height: 20 });
});

test('a part is cut out; one that lies outside is refused', async () => {
  const worker = start();
  const halves = await plain(40, 20, '#f00')
    .composite([{ input: await plain(20, 20, '#00f').png().toBuffer(), left: 20, top: 0 }])
    .png()
    .toBuffer();
  const part = await worker.crop({ bytes: halves, name: 'halves.png' }, { x: 15, y: 0, width: 10, height: 5 });
  expect(await sharp(part).metadata()).toMatchObject({ width: 10, height: 5 });
  expect(await pixel(part, 4, 2)).toEqual([255, 0, 0]);
  expect(await pixel(part, 5, 2)).toEqual([0, 0, 255]);
  await expect(worker.crop({ bytes: halves, name: 'halves.png' }, { x: 35, y: 0, width: 10, height: 5 })).rejects.toMatchObject({
    code: 'usage',
  });
});

test('pictures are composed in order, under black letters on white', async () => {
  const worker = start();
  const colours = ['#ff0000', '#00ff00', '#0000ff'];
  const sources = await Promise.all(
    colours.map(async (colour) => ({ bytes: await plain(320, 320, colour).png().toBuffer(), name: colour })),
  );
  const composed = await worker.compose(sources, 'row', true);
  const { width, height } = await sharp(composed).metadata();
  expect(width).toBeGreaterThan(960);
  for (const [index, rgb] of [
    [255, 0, 0],
    [0, 255, 0],
    [0, 0, 255],
  ].entries()) {
    expect(await pixel(composed, Math.round(((index + 0.5) * width) / 3), height - 100)).toEqual(rgb);
  }
  // The letter's stroke is the only black there is.
  const { data } = await sharp(composed).greyscale().raw().toBuffer({ resolveWithObject: true });
  expect(data.filter((value) => value < 20).length).toBeGreaterThan(60);
  expect(await pixel(composed, 1, 1)).toEqual([255, 255, 255]);
});

test('what is not a picture is refused by name', async () => {
  const worker = start();
  await expect(worker.inspect({ bytes: Buffer.from('%PDF-1.7\n'), name: 'letter.pdf' })).rejects.toMatchObject({
    message: 'letter.pdf is a PDF, and Loupe reads pictures only.',
  });
  await expect(worker.inspect({ bytes: Buffer.from('<svg/>'), name: 'drawing.svg' })).rejects.toMatchObject({
    code: 'image_unreadable',
    message: expect.stringContaining('drawing.svg') as string,
  });
});

test('a decoder that dies or hangs costs that picture, not the next', async () => {
  const exits: (() => void)[] = [];
  let spawned = 0;
  const spawn = (): HostProcess => {
    spawned++;
    let exit = (): void => {};
    let reply: (message: unknown) => void = () => {};
    exits.push(() => exit());
    return {
      pid: undefined,
      send: (message) => {
        const { id } = message as { id: number };
        if (spawned === 3)
          reply({
            id,
            ok: true,
            result: { width: 1, height: 1, thumbnail: new Uint8Array(1), display: null, part: null, ground: null, cutOff: false },
          });
        else if (spawned === 1) queueMicrotask(() => exit());
      },
      onMessage: (listener) => void (reply = listener),
      onExit: (listener) => void (exit = () => listener({ code: null, signal: 'SIGSEGV', lastWords: '' })),
      onBeat: () => {},
      kill: () => exit(),
    };
  };
  const worker = start({ spawn, limits: { tickMs: 10, start: 1, silent: 1, slow: 9, picture: 3 } });
  const source = { bytes: new Uint8Array(1), name: 'evil.png' };
  // All at once: none pays for another.
  const [died, hung, fine] = await Promise.allSettled([
    worker.inspect(source),
    worker.inspect({ ...source, name: 'slow.png' }),
    worker.inspect({ ...source, name: 'good.png' }),
  ]);
  expect(died).toMatchObject({ reason: { code: 'image_unreadable', message: expect.stringContaining('evil.png') as string } });
  expect(hung).toMatchObject({ reason: { code: 'image_unreadable', message: expect.stringContaining('slow.png') as string } });
  expect(fine).toMatchObject({ value: { width: 1 } });
  expect(spawned).toBe(3);
});

test('a slow picture holds nobody up: the next one gets a process of its own, which ends when nobody waits', async () => {
  let spawned = 0;
  const killed: number[] = [];
  const release: (() => void)[] = [];
  const result = { width: 1, height: 1, thumbnail: new Uint8Array(1), display: null, part: null, ground: null, cutOff: false };
  const spawn = (): HostProcess => {
    const number = ++spawned;
    let reply: (message: unknown) => void = () => {};
    return {
      pid: undefined,
      send: (message) => {
        const { id, source } = message as { id: number; source: { name: string } };
        const answer = (): void => reply({ id, ok: true, result });
        if (source.name === 'slow.avif') release.push(answer);
        else queueMicrotask(answer);
      },
      onMessage: (listener) => void (reply = listener),
      onExit: () => {},
      onBeat: () => {},
      kill: () => void killed.push(number),
    };
  };
  const worker = start({ spawn, limits: { tickMs: 5, start: 1e6, silent: 1e6, slow: 2, picture: 1e6 } });
  const bytes = new Uint8Array(1);
  const slow = worker.inspect({ bytes, name: 'slow.avif' });
  for (let at = 0; at < 5; at++) expect(await worker.inspect({ bytes, name: `quick-${at}.png` })).toMatchObject({ width: 1 });
  expect(spawned).toBeGreaterThanOrEqual(2);
  await vi.waitFor(() => expect(killed).toContain(2));
  for (const answer of release) answer();
  expect(await slow).toMatchObject({ width: 1 });
  expect(killed).not.toContain(1);
});
