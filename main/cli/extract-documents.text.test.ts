/** `loupe documents extract` over real files and the recogniser that ships, with a model that says what it is told to. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDocumentServices } from '../document-services.ts';
import { createDocumentReader } from '../documents/document-client.ts';
import { line, writePdf } from '../documents/test/write-pdf.ts';
import { createFakeEngine } from '../engine/test/fake-engine.ts';
import { createTextRecogniser } from '../ocr/ocr-client.ts';
import { runLoupe } from './run.ts';
import { terminalDouble } from './test/terminal-double.ts';

let folder: string;
const ocr = createTextRecogniser();
const invoice = (vendor: string, total: string): string[] => [`Vendor: ${vendor}`, 'Subtotal: EUR 1.00', `Total: EUR ${total}`];

function save(name: string, lines: string[]): string {
  const path = join(folder, name);
  const content = lines.map((text, row) => line(text, 72, 700 - 30 * row)).join('');
  writeFileSync(path, writePdf({ pages: [{ content }] }));
  return path;
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-extract-'));
});
afterAll(async () => {
  await ocr.close();
  rmSync(folder, { recursive: true });
});

async function extract(answer: (prompt: string) => string, ...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const terminal = terminalDouble({
    startEngine: () =>
      createFakeEngine({
        contextLength: 4000,
        answer: (messages) =>
          answer(messages.flatMap(({ content }) => content.map((part) => ('text' in part ? part.text : ''))).join('\n')),
      }),
    startOcr: () => ({ ...ocr, close: async () => {} }),
    startDocuments: () => createDocumentReader(),
    openDocuments: async (options) => openDocumentServices(options),
  });
  const code = await runLoupe(['documents', 'extract', ...args, '--data', join(folder, 'data'), '--model', folder], terminal);
  return { code, ...terminal.said };
}

/** Reads the page as it is, but for one total. */
const answer = (prompt: string): string => {
  const field = /Field: (.*)$/.exec(prompt)![1]!;
  const value = new RegExp(`^${field}: (.*)$`, 'm').exec(prompt)![1]!;
  return prompt.includes('Bolt') && field === 'Total' ? 'EUR 7.50 [p. 1 "Total: EUR 7.50"]' : `${value} [p. 1 "${field}: ${value}"]`;
};

test('a table is filled, checked, kept, and printed again as CSV and JSON', async () => {
  const files = [save('acme.pdf', invoice('ACME', '1,190.00')), save('bolt.pdf', invoice('Bolt', '2.50'))];
  const { code, out } = await extract(answer, ...files, '--field', 'Vendor', '--field', 'Total:number');
  expect([code, out]).toEqual([
    0,
    'acme.pdf\n  Vendor: ACME\n  Total: EUR 1,190.00\n' +
      'bolt.pdf\n  Vendor: Bolt\n  Total: EUR 7.50  (unsure)\n' +
      '      No page that was looked at has it. Page 1 has “Total: EUR 2.50”.\n' +
      'Total: 1,197.50 EUR: the sum of 2, 1 of them unsure\n' +
      'Kept as table 1.\n',
  ]);
  const csv = await extract(answer, '--table', '1', '--format', 'csv');
  expect(csv.out.split('\r\n').slice(1)).toEqual([
    'acme.pdf,ACME,1190.00,',
    'bolt.pdf,Bolt,7.50,Total: No page that was looked at has it. Page 1 has “Total: EUR 2.50”.',
    '',
  ]);
  const json = await extract(answer, '--table', '1', '--format', 'json');
  expect(JSON.parse(json.out)).toMatchObject({
    name: 'Vendor, Total',
    rows: [{ document: 'acme.pdf', fields: { Total: { state: 'sure', number: 1190, page: 1, quote: 'Total: EUR 1,190.00' } } }, {}],
  });
});

test.each([
  [['--field', 'Total'], 'The documents are missing.'],
  [['a.pdf'], 'The fields are missing.'],
  [['a.pdf', '--field', ':number'], 'A field has a name'],
  [['a.pdf', '--field', 'Total', '--field', 'total'], 'The field total is named twice.'],
  [['a.pdf', '--field', 'Total', '--by', 'line'], '--by takes document, page, not "line".'],
  [['a.pdf', '--field', 'Total', '--table', '1'], 'A table has its documents and fields already.'],
  [['--table', '99'], 'There is no table 99.'],
])('%j is refused', async (args, message) => {
  const { code, out, err } = await extract(answer, ...args);
  expect([code === 0, out, err]).toEqual([false, '', expect.stringContaining(message) as string]);
});
