/** Documents of an encrypted folder: read by the real process from files that are sealed, and drawn, with nothing of them in plain form. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createDocumentReader } from '../../documents/document-client.ts';
import { line, writePdf } from '../../documents/test/write-pdf.ts';
import { openStore } from '../../storage/store.ts';
import { cheap, code, filesWith, passphrase } from '../../storage/test/vault.ts';
import type { DocumentReader, Store } from '../ports.ts';
import { createLibrary } from './library.ts';
import { libraryFile } from './library-file.ts';
import { createPagePictures } from './page-pictures.ts';

let folder: string;
let store: Store;
let reader: DocumentReader;
beforeAll(() => {
  reader = createDocumentReader();
});
afterAll(() => reader.close());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-sealed-'));
  store = openStore(join(folder, 'data'), { stretching: cheap });
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

test('added, sent in pieces, read, drawn and kept as pictures, before and after it was decrypted', { timeout: 120_000 }, async () => {
  const data = join(folder, 'data');
  await store.vault.turnOn({ passphrase, recoveryCode: code });
  const library = createLibrary({ store, reader });
  // Longer than a piece of a sealed file.
  const padding = `% ${'Clausepadding '.repeat(20_000)}\n`;
  const bytes = Buffer.concat([
    writePdf({ pages: [{ content: line('Clauseone') }, { content: line('Clausetwo') }] }),
    Buffer.from(padding),
  ]);
  const path = join(folder, 'lease.pdf');
  writeFileSync(path, bytes);
  const { document } = await library.add(path);
  await library.read(document.id);
  expect(store.documents.page(document.id, 2).text).toContain('Clausetwo');

  const incoming = await store.documentFiles.receive();
  const other = Buffer.concat([bytes, Buffer.from('% again\n')]);
  for (let at = 0; at < other.length; at += 50_000) await incoming.append(other.subarray(at, at + 50_000));
  expect(filesWith(data, ['Clausepadding'])).toEqual([]);
  const sent = await library.addReceived(incoming, 'sent.pdf');
  await library.read(sent.document.id);
  expect(sent.document.bytes).toBe(other.length);

  const directory = join(data, 'cache', 'pages');
  let pictures = createPagePictures({ store, reader, directory, passwordOf: () => undefined });
  const drawn = await pictures.show(document.id, 1, 640);
  await pictures.close();
  const noReader = { showPage: () => Promise.reject(new Error('it is kept')) };
  pictures = createPagePictures({ store, reader: noReader, directory, passwordOf: () => undefined });
  expect(Buffer.compare(Buffer.from((await pictures.show(document.id, 1, 640)).bytes), Buffer.from(drawn.bytes))).toBe(0);
  await pictures.close();
  expect(filesWith(data, ['Clauseone', 'Clausetwo', 'Clausepadding', 'IHDR'])).toEqual([]);

  await store.vault.turnOff(passphrase);
  const file = libraryFile(store.documentFiles, document, undefined);
  expect(file.key).toBeUndefined();
  expect((await reader.readPage(file, 1)).text).toContain('Clauseone');
  pictures = createPagePictures({ store, reader: noReader, directory, passwordOf: () => undefined });
  await expect(pictures.show(document.id, 1, 640)).rejects.toThrow('it is kept');
  await pictures.close();
});
