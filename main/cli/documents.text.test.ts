/** `loupe documents ... --ocr` on a scan, by the models that ship. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDocumentReader } from '../documents/document-client.ts';
import { line, stream, writePdf } from '../documents/test/write-pdf.ts';
import { root } from '../host/paths.ts';

const rows = ['Notice period: 3 months', 'Rent due 118.40 EUR monthly'];
let folder: string;
/** A page with text, a scan, a blank page. */
let path: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-documents-ocr-'));
  path = join(folder, 'lease.pdf');
  writeFileSync(path, writePdf({ pages: [{ content: rows.map((text, row) => line(text, 72, 700 - 30 * row)).join('') }] }));
  const reader = createDocumentReader();
  const { data, width, height } = await reader.drawPage({ path }, 1, { dpi: 150 });
  await reader.close();
  const scan = await sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 90 })
    .toBuffer();
  const entries = `/Type/XObject/Subtype/Image/Width ${width}/Height ${height}/BitsPerComponent 8/ColorSpace/DeviceRGB/Filter/DCTDecode`;
  const pages = [
    { content: line('Lease') },
    { content: 'q 595 0 0 842 0 0 cm /I Do Q', resources: '/XObject<</I 10 0 R>>' },
    { content: '' },
  ];
  writeFileSync(path, writePdf({ pages, objects: [stream(entries, scan)] }));
});
afterAll(() => rmSync(folder, { recursive: true }));

function loupe(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [join(root, 'main', 'cli', 'loupe.ts'), 'documents', ...args], (error, out, err) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err }),
    );
  });
}

test('a scan is a picture, and with --ocr its text', async () => {
  const page = (number: number, state: string, text: string): object => ({ number, label: String(number), state, flags: [], text });
  expect(JSON.parse((await loupe('read', path, '--json')).out)).toEqual({
    pages: [page(1, 'text', 'Lease'), page(2, 'picture', ''), page(3, 'blank', '')],
  });
  const { code, out, err } = await loupe('read', path, '--json', '--ocr');
  expect([code, err]).toEqual([0, '']);
  expect(JSON.parse(out)).toEqual({ pages: [page(1, 'text', 'Lease'), page(2, 'ocr', rows.join('\n')), page(3, 'blank', '')] });
});

test('the library reads a scan when it is wanted, and finds its words', async () => {
  const data = ['--data', join(folder, 'data')];
  expect((await loupe('add', path, ...data)).out).toContain('3 pages: 1 with text, 1 without text yet, 1 blank\n');
  expect((await loupe('search', 'notice', ...data)).out).toBe('No page has any of these words: notice.\n');
  const { code, out, err } = await loupe('resume', '1', '--ocr', ...data);
  expect([code, err]).toEqual([0, '']);
  expect(out).toContain('1 with text, 1 read by OCR, 1 blank');
  expect((await loupe('search', 'notices', ...data)).out).toContain('lease.pdf (document 1), page 2\n');
  expect((await loupe('show', '1', '--pages', '2', ...data)).out).toBe(`==> page 2: ocr <==\n${rows.join('\n')}\n`);
});
