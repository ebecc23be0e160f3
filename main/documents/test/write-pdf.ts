/** PDF files for tests, object by object: every awkward thing that a file can have, and nothing else. */
import { deflateSync } from 'node:zlib';
import type { Encryption } from './encrypt-pdf.ts';

export interface PageOptions {
  content: string;
  size?: [number, number];
  /** More entries of the page's dictionary. */
  entries?: string;
  /** More entries of its resources. */
  resources?: string;
}

export interface FileOptions {
  pages: PageOptions[];
  /** Objects from number 10 on, as they are written. */
  objects?: (string | Buffer)[];
  /** More entries of the catalog. */
  catalog?: string;
  /** What /Count says. */
  count?: number;
  /** Of the pages' contents; other objects are written as they are. */
  encryption?: Encryption;
}

const firstOwn = 10;
const font = 3;

/** Objects: 1 catalog, 2 pages, 3 Helvetica, from 10 on `objects`, then each page and its content. */
export function writePdf({ pages, objects = [], catalog = '', count = pages.length, encryption }: FileOptions): Buffer {
  const numbered = new Map<number, Buffer>();
  const firstPage = firstOwn + objects.length;
  numbered.set(1, Buffer.from(`<</Type/Catalog/Pages 2 0 R${catalog}>>`));
  numbered.set(2, Buffer.from(`<</Type/Pages/Count ${count}/Kids[${pages.map((_, index) => `${firstPage + 2 * index} 0 R`).join(' ')}]>>`));
  numbered.set(font, Buffer.from('<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>'));
  for (const [index, object] of objects.entries()) numbered.set(firstOwn + index, Buffer.from(object));
  for (const [index, { content, size = [595, 842], entries = '', resources = '' }] of pages.entries()) {
    const number = firstPage + 2 * index;
    numbered.set(
      number,
      Buffer.from(
        `<</Type/Page/Parent 2 0 R/MediaBox[0 0 ${size.join(' ')}]/Resources<</Font<</F 3 0 R>>${resources}>>` +
          `/Contents ${number + 1} 0 R${entries}>>`,
      ),
    );
    const data = Buffer.from(content, 'latin1');
    numbered.set(number + 1, stream('', encryption?.stream(number + 1, data) ?? data));
  }
  const parts: Buffer[] = [Buffer.from('%PDF-1.7\n')];
  let length = parts[0]!.length;
  const offsets = new Map<number, number>();
  for (const [number, body] of numbered) {
    offsets.set(number, length);
    const part = Buffer.concat([Buffer.from(`${number} 0 obj\n`), body, Buffer.from('\nendobj\n')]);
    parts.push(part);
    length += part.length;
  }
  const rows = [...offsets].map(([number, offset]) => `${number} 1\n${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  parts.push(
    Buffer.from(
      `xref\n0 1\n0000000000 65535 f \n${rows}trailer<</Size ${Math.max(...numbered.keys()) + 1}` +
        `/Root 1 0 R${encryption?.trailer ?? ''}>>\nstartxref\n${length}\n%%EOF\n`,
    ),
  );
  return Buffer.concat(parts);
}

/** With its length; `deflate` also packs it. */
export function stream(entries: string, data: Buffer | string, deflate = false): Buffer {
  const bytes = deflate ? deflateSync(data) : Buffer.from(data);
  return Buffer.concat([
    Buffer.from(`<<${entries}${deflate ? '/Filter/FlateDecode' : ''}/Length ${bytes.length}>>stream\n`),
    bytes,
    Buffer.from('\nendstream'),
  ]);
}

/** A line in Helvetica. */
export function line(text: string, x = 72, y = 700, before = ''): string {
  return `q ${before} BT /F 12 Tf ${x} ${y} Td (${text}) Tj ET Q\n`;
}
