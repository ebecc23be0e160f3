/**
 * Pictures with damaged bytes, through all that a picture of a person goes through: added, kept, shown, cropped, cut into tiles, in the
 * processes that the app uses, and written anew for a server. Each is taken or refused with a sentence; the next one is, too; and nothing is
 * left of what was refused. 60 here; `LOUPE_MUTATIONS=1000000 npx vitest run --project unit main/services/mutated-pictures` is for a night.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { createPictureWorker } from '../image/picture-client.ts';
import { isErrorCode, toLoupeError } from '../errors.ts';
import { openStore } from '../storage/store.ts';
import { randomNumbers } from '../test/random.ts';
import { createPictures, type Pictures } from './pictures.ts';
import type { PictureWorker } from './ports.ts';

const mutations = Number(process.env['LOUPE_MUTATIONS'] ?? 60);
/** So many are made one after the other, so that a seed repeats them. */
const few = 1000;
const progressEvery = 1000;
const fixtures = new URL('../../fixtures/pictures/', import.meta.url);
/** Small ones, so that most of the time is spent in what a mutation reaches. */
const largest = 40_000;

async function originals(): Promise<Buffer[]> {
  const files = readdirSync(fixtures)
    .filter((name) => /\.(png|jpe?g|webp|gif|avif|tiff?|bmp|ico)$/i.test(name))
    .map((name) => readFileSync(new URL(name, fixtures)))
    .filter(({ length }) => length <= largest);
  const noise = sharp({
    create: { width: 48, height: 32, channels: 3, background: '#808080', noise: { type: 'gaussian', mean: 128, sigma: 60 } },
  });
  const made = await Promise.all([
    noise.png().toBuffer(),
    noise.jpeg().toBuffer(),
    noise.webp().toBuffer(),
    noise.tiff().toBuffer(),
    noise.avif().toBuffer(),
  ]);
  return [...files, ...made];
}

/** Bytes changed, taken out, doubled, or cut off; the first ones stay, by which the decoder is chosen. */
function mutated(bytes: Buffer, random: () => number): Buffer {
  const result = Buffer.from(bytes);
  const at = (): number => 12 + Math.floor(random() * Math.max(1, result.length - 12));
  for (let left = 1 + Math.floor(random() * 8); left > 0; left--) result[Math.min(at(), result.length - 1)] = Math.floor(random() * 256);
  const shape = random();
  if (shape < 0.15) return result.subarray(0, at());
  if (shape < 0.25) return Buffer.concat([result.subarray(0, at()), result.subarray(at())]);
  return result;
}

interface Counts {
  taken: number;
  refused: number;
  stopped: number;
}

/** What a person's picture goes through. Most see tiles of a smaller model: the same code, and a tenth of the time. */
async function throughTheApp(pictures: Pictures, worker: PictureWorker, bytes: Buffer, at: number): Promise<void> {
  const { hash, width, height } = await pictures.addFile({ bytes, name: `mutated-${at}` }, 'drop');
  await worker.prepare(pictures.original(hash), { tileSize: at % 20 === 0 ? 560 : 56, maxTiles: 4 });
  await pictures.pages(hash, 1).catch((thrown: unknown) => {
    // It holds one picture.
    if (toLoupeError(thrown).code !== 'usage') throw thrown;
  });
  await pictures.crop(hash, { x: 0, y: 0, width: Math.min(4, width), height: Math.min(4, height) });
  await worker.bare(pictures.original(hash));
}

test(`${mutations} mutated pictures through the whole app`, { timeout: 24 * 60 * 60_000 }, async () => {
  const seed = Number(process.env['LOUPE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  const random = randomNumbers(seed);
  const folder = mkdtempSync(join(tmpdir(), 'loupe-mutated-'));
  const store = openStore(folder);
  const good = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#123456' } })
    .png()
    .toBuffer();
  const counts: Counts = { taken: 0, refused: 0, stopped: 0 };
  const all = await originals();
  expect(all.length).toBeGreaterThan(10);
  const began = performance.now();
  let begun = 0;

  async function next(worker: PictureWorker): Promise<void> {
    const pictures = createPictures({ store, worker });
    while (begun < mutations) {
      const at = begun++;
      const bytes = mutated(all[Math.floor(random() * all.length)]!, random);
      try {
        await throughTheApp(pictures, worker, bytes, at);
        counts.taken++;
      } catch (thrown) {
        const error = toLoupeError(thrown);
        expect(isErrorCode(error.code) && error.code !== 'internal', `LOUPE_SEED=${seed}, ${at}: ${error.stack}`).toBe(true);
        expect(error.message.length * error.nextStep.length).toBeGreaterThan(0);
        if (/made the picture decoder stop|stood still/.test(error.message)) counts.stopped++;
        else counts.refused++;
      }
      // The next picture of the person is taken, whatever the last one did.
      if (at % 10 === 9) expect(await pictures.addFile({ bytes: good, name: 'good.png' }, 'drop')).toMatchObject({ width: 8, height: 8 });
      if (at % progressEvery === progressEvery - 1)
        console.log(`${at + 1}: ${words(counts)}, ${((at + 1) / ((performance.now() - began) / 1000)).toFixed(1)} a second`);
    }
  }

  // Each waits for its process most of the time. In one after the other what is drawn for which depends on nothing but the seed.
  const workers = Array.from({ length: mutations > few ? availableParallelism() : 1 }, () => createPictureWorker());
  try {
    await Promise.all(workers.map(next));
    expect(counts.taken + counts.refused + counts.stopped).toBe(mutations);
    console.log(`LOUPE_SEED=${seed}: ${words(counts)}`);
  } finally {
    await Promise.all(workers.map((worker) => worker.close()));
    store.close();
    rmSync(folder, { recursive: true });
  }
});

const words = ({ taken, refused, stopped }: Counts): string =>
  `${taken} taken, ${refused} refused with a sentence, ${stopped} ended their process`;
