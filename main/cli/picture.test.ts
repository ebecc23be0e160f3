import { execFileSync } from 'node:child_process';
import { copyFileSync, createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { createPictureWorker } from '../image/picture-client.ts';
import { takePicture, type NamedPicture } from './picture.ts';
import type { Terminal } from './terminal.ts';

const fixture = (name: string): string => fileURLToPath(new URL(`../../fixtures/pictures/${name}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'loupe-cli-picture-'));
// One for all: each start of a process takes its time.
const worker = createPictureWorker();
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await worker.close();
});

function take(
  named: string,
  {
    page,
    stdin = new Uint8Array(),
    interrupt = new AbortController(),
  }: { page?: number; stdin?: Uint8Array; interrupt?: AbortController } = {},
): Promise<NamedPicture> {
  const terminal = {
    input: () => Readable.from([stdin]),
    startPictures: () => ({ ...worker, close: async () => {} }),
    interrupted: interrupt.signal,
  };
  return takePicture(named, page, terminal as unknown as Terminal);
}

describe('where a picture comes from', () => {
  const path = fixture('base-8bit.bmp');
  const bytes = readFileSync(path);

  test('a path stays one', async () => {
    expect(await take(path)).toMatchObject({ image: { path }, notes: [], read: { part: null, ground: null, cutOff: false } });
  });

  test.each(['-', '/dev/stdin', '/dev/fd/0'])('%s is stdin', async (named) => {
    const { image } = await take(named, { stdin: bytes });
    expect(image).toMatchObject({ name: 'stdin' });
    expect(Buffer.compare((image as { bytes: Uint8Array }).bytes, bytes)).toBe(0);
  });

  test('nothing, or no picture, on stdin', async () => {
    await expect(take('-')).rejects.toMatchObject({ code: 'image_empty', message: 'stdin is empty (0 bytes).' });
    await expect(take('-', { stdin: Buffer.from('a question') })).rejects.toMatchObject({ code: 'image_unreadable' });
  });

  test.skipIf(process.platform === 'win32')('a named pipe, as a shell makes one', async () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const taken = take(pipe);
    createWriteStream(pipe).end(bytes);
    expect(Buffer.compare(((await taken).image as { bytes: Uint8Array }).bytes, bytes)).toBe(0);
  });

  test('a file address, escapes and all; a file of such a name comes first', async () => {
    const odd = join(folder, 'Ünïcode 100% #1.bmp');
    copyFileSync(path, odd);
    expect(pathToFileURL(odd).href).toContain('%20100%25%20%231');
    expect((await take(pathToFileURL(odd).href)).image).toEqual({ path: odd });
    await expect(take('file://server/share/a.png')).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining('not the address of a file on this computer') as string,
    });
    await expect(take('file:///nowhere/a.png')).rejects.toMatchObject({
      code: 'image_missing',
      message: 'The picture /nowhere/a.png does not exist.',
    });
  });

  test('the address of a page opens no connection', async () => {
    await expect(take('https://example.org/a.png')).rejects.toMatchObject({
      code: 'usage',
      message: 'https://example.org/a.png is an address, and Loupe opens no connections by itself.',
    });
    await expect(take(`data:image/png;base64,${'A'.repeat(5000)}`)).rejects.toMatchObject({
      message: expect.stringMatching(/^data:image\/png;base64,A{58}… is an address/) as string,
    });
  });
});

describe('which picture of a file', () => {
  test('the first page, and a line that says so', async () => {
    const { image, notes, read } = await take(fixture('pages.tif'));
    expect(notes).toEqual(['pages.tif has 3 pages; the model sees page 1 of 3. Choose another with --page N.']);
    expect(read.part).toEqual({ unit: 'page', number: 1, count: 3 });
    expect(image).toMatchObject({ name: 'pages.tif', bytes: expect.any(Uint8Array) as Uint8Array });
  });

  test('the one that was chosen, without a word; one that is not there is refused', async () => {
    expect(await take(fixture('pages.tif'), { page: 3 })).toMatchObject({ notes: [], read: { part: { number: 3 } } });
    await expect(take(fixture('pages.tif'), { page: 4 })).rejects.toMatchObject({ code: 'usage', message: 'pages.tif has 3 pages.' });
    await expect(take(fixture('base-8bit.bmp'), { page: 2 })).rejects.toMatchObject({
      code: 'usage',
      message: 'base-8bit.bmp has only one page.',
    });
  });

  test('the first frame that shows something', async () => {
    expect((await take(fixture('anim-first-black.gif'))).notes).toEqual([
      'anim-first-black.gif has 2 frames; the model sees frame 2 of 2. Choose another with --page N.',
    ]);
  });

  test('what else there is to say', async () => {
    expect((await take(fixture('base-white-on-transparent.png'))).notes).toEqual([
      'base-white-on-transparent.png is light on a transparent ground: the model sees it on black.',
    ]);
    const whole = readFileSync(fixture('base-noeoi.jpg'));
    expect((await take('-', { stdin: whole })).notes).toEqual([]);
    expect((await take('-', { stdin: whole.subarray(0, whole.length * 0.8) })).notes).toEqual([
      'stdin is cut off: the model sees what there is of it.',
    ]);
  });
});
