/** PDF files for tests, object by object: every awkward thing that a file can have, and nothing else. */
import { createHash } from 'node:crypto';
import { deflateSync } from 'node:zlib';

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
  password?: string;
}

const firstOwn = 10;
const font = 3;

/** Objects: 1 catalog, 2 pages, 3 Helvetica, from 10 on `objects`, then each page and its content. */
export function writePdf({ pages, objects = [], catalog = '', count = pages.length, password }: FileOptions): Buffer {
  const id = Buffer.from('0123456789abcdef');
  const key = password === undefined ? null : encryptionKey(password, id);
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
    numbered.set(number + 1, stream('', key ? rc4(objectKey(key, number + 1), data) : data));
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
  const encryption = key
    ? `/Encrypt<</Filter/Standard/V 1/R 2/P -4/O<${owner.toString('hex')}>/U<${rc4(key, padding).toString('hex')}>>>` +
      `/ID[<${id.toString('hex')}><${id.toString('hex')}>]`
    : '';
  parts.push(
    Buffer.from(
      `xref\n0 1\n0000000000 65535 f \n${rows}trailer<</Size ${Math.max(...numbered.keys()) + 1}` +
        `/Root 1 0 R${encryption}>>\nstartxref\n${length}\n%%EOF\n`,
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

// Standard security handler, revision 2: 40 bits of RC4.
const padding = Buffer.from('28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a', 'hex');
const owner = Buffer.alloc(32, 7);

function encryptionKey(password: string, id: Buffer): Buffer {
  const padded = Buffer.concat([Buffer.from(password, 'latin1'), padding]).subarray(0, 32);
  const permissions = Buffer.alloc(4);
  permissions.writeInt32LE(-4);
  return createHash('md5')
    .update(Buffer.concat([padded, owner, permissions, id]))
    .digest()
    .subarray(0, 5);
}

function objectKey(key: Buffer, number: number): Buffer {
  const salt = Buffer.from([number & 255, (number >> 8) & 255, (number >> 16) & 255, 0, 0]);
  return createHash('md5')
    .update(Buffer.concat([key, salt]))
    .digest()
    .subarray(0, 10);
}

function rc4(key: Buffer, data: Buffer): Buffer {
  const state = Array.from({ length: 256 }, (_, index) => index);
  const swap = (a: number, b: number): void => void ([state[a], state[b]] = [state[b]!, state[a]!]);
  for (let i = 0, j = 0; i < 256; i++) {
    j = (j + state[i]! + key[i % key.length]!) & 255;
    swap(i, j);
  }
  let i = 0;
  let j = 0;
  return Buffer.from(
    data.map((byte) => {
      i = (i + 1) & 255;
      j = (j + state[i]!) & 255;
      swap(i, j);
      return byte ^ state[(state[i]! + state[j]!) & 255]!;
    }),
  );
}
