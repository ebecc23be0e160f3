/**
 * Pictures with damaged bytes, through all that a picture of a person goes through: added, kept, shown, cropped, cut into tiles, in the
 * processes that the app uses. Each is taken or refused with a sentence; the next one is, too; and nothing is left of what was refused.
 * 60 here; `LOUPE_MUTATIONS=10000 npx vitest run --project unit main/services/mutated-pictures` takes half an hour.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { createPictureWorker } from '../image/picture-client.ts';
import { isErrorCode, toLoupeError } from '../errors.ts';
import { openStore } from '../storage/store.ts';
import { randomNumbers } from '../test/random.ts';
import { createPictures } from './pictures.ts';

const mutations = Number(process.env['LOUPE_MUTATIONS'] ?? 60);
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

test(`${mutations} mutated pictures through the whole app`, { timeout: 7_200_000 }, async () => {
  const seed = Number(process.env['LOUPE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  const random = randomNumbers(seed);
  const folder = mkdtempSync(join(tmpdir(), 'loupe-mutated-'));
  const store = openStore(folder);
  const worker = createPictureWorker();
  const pictures = createPictures({ store, worker });
  const good = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#123456' } })
    .png()
    .toBuffer();
  const counts = { taken: 0, refused: 0, stopped: 0 };
  try {
    const all = await originals();
    expect(all.length).toBeGreaterThan(10);
    for (let at = 0; at < mutations; at++) {
      const bytes = mutated(all[Math.floor(random() * all.length)]!, random);
      try {
        const { hash, width, height } = await pictures.addFile({ bytes, name: `mutated-${at}` }, 'drop');
        const source = pictures.original(hash);
        await worker.prepare(source, { tileSize: 560, maxTiles: 4 });
        await pictures.pages(hash, 1);
        await pictures.crop(hash, { x: 0, y: 0, width: Math.min(4, width), height: Math.min(4, height) });
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
    }
    expect(counts.taken + counts.refused + counts.stopped).toBe(mutations);
    console.log(
      `LOUPE_SEED=${seed}: ${counts.taken} taken, ${counts.refused} refused with a sentence, ${counts.stopped} ended their process`,
    );
  } finally {
    await worker.close();
    store.close();
    rmSync(folder, { recursive: true });
  }
});
