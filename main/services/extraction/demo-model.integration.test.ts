/** Tables of the bundled demo model, which misreads much: what it is sure of has to be right. Real engine, real recogniser. */
import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDocumentServices } from '../../document-services.ts';
import { createDocumentReader } from '../../documents/document-client.ts';
import { line, writePdf } from '../../documents/test/write-pdf.ts';
import { createEngineClient } from '../../engine/client.ts';
import { demoModel } from '../../host/paths.ts';
import { createTextRecogniser } from '../../ocr/ocr-client.ts';
import { randomNumbers } from '../../test/random.ts';

const receipts = 20;
const names = ['Store', 'Table', 'Items', 'Total'] as const;
const stores = ['Bolt', 'Coffee', 'Market', 'Harbor', 'Garden', 'Museum', 'Bakery', 'Print'];
const folder = mkdtempSync(join(tmpdir(), 'loupe-receipts-'));
const reader = createDocumentReader();
const recogniser = createTextRecogniser();
const engine = createEngineClient();
const truths: string[][] = [];
const paths: string[] = [];

beforeAll(async () => {
  const random = randomNumbers(7);
  for (let at = 0; at < receipts; at++) {
    const truth = [
      stores[Math.floor(random() * stores.length)]!,
      String(1 + Math.floor(random() * 30)),
      String(2 + Math.floor(random() * 8)),
      (1 + random() * 90).toFixed(2),
    ];
    truths.push(truth);
    paths.push(await draw(`receipt-${at}`, truth));
  }
}, 120_000);
afterAll(async () => {
  await Promise.all([reader.close(), recogniser.close(), engine.close()]);
  rmSync(folder, { recursive: true });
});

/** A picture of a size that the model reads: 192 x 160 points. */
async function draw(name: string, truth: readonly string[]): Promise<string> {
  const content = names.map((field, row) => line(field, 14, 128 - 34 * row) + line(truth[row]!, 116, 128 - 34 * row)).join('');
  const pdf = join(folder, `${name}.pdf`);
  await writeFile(pdf, writePdf({ pages: [{ content, size: [192, 160] }] }));
  const { data, width, height } = await reader.drawPage({ path: pdf }, 1, { dpi: 150 });
  const png = join(folder, `${name}.png`);
  await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toFile(png);
  return png;
}

test(`of ${receipts * names.length} values at least 97 % of the sure are right, and 90 % of the wrong are marked`, async () => {
  const services = openDocumentServices({ dataDirectory: join(folder, 'data'), reader });
  try {
    const documents: number[] = [];
    for (const path of paths) {
      const { document } = await services.library.add(path);
      await services.library.read(document.id, { recogniser });
      documents.push(document.id);
    }
    const loaded = await engine.load({ directory: demoModel, engine: { activations: 'f32' } });
    const tables = services.tables(engine, loaded, { recogniser, password: undefined, emit: () => {} });
    const fields = names.map((name) => ({ name, kind: name === 'Total' || name === 'Items' ? ('number' as const) : ('text' as const) }));
    const { id } = tables.create({ name: 'Receipts', fields, by: 'document', documents });
    await tables.ended(id);
    const cells = tables.open(id).rows.flatMap(({ cells: of }, row) => of.map((cell, field) => ({ ...cell, truth: truths[row]![field]! })));
    const sure = cells.filter(({ state }) => state === 'sure');
    const wrong = cells.filter(({ value, truth }) => value !== truth);
    const right = sure.filter(({ value, truth }) => value === truth);
    const marked = wrong.filter(({ state }) => state === 'unsure');
    const shown = wrong.filter(({ reading, truth }) => reading?.includes(truth));
    console.log(
      `${cells.length} values: ${sure.length} sure, ${right.length} of them right; ` +
        `${wrong.length} wrong, ${marked.length} of them marked, ${shown.length} with the right value beside it`,
    );
    expect(cells.filter(({ state }) => state === 'waiting' || state === 'failed')).toEqual([]);
    // Both kinds are there to be told apart.
    expect(sure.length).toBeGreaterThanOrEqual(10);
    expect(wrong.length).toBeGreaterThanOrEqual(10);
    expect(right.length / sure.length).toBeGreaterThanOrEqual(0.97);
    expect(marked.length / wrong.length).toBeGreaterThanOrEqual(0.9);
  } finally {
    services.close();
  }
}, 600_000);
