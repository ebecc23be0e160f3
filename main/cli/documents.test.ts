import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { rc4Encryption } from '../documents/test/encrypt-pdf.ts';
import { line, writePdf } from '../documents/test/write-pdf.ts';
import { root } from '../host/paths.ts';

const folder = mkdtempSync(join(tmpdir(), 'loupe-documents-cli-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Outcome {
  code: number;
  out: string;
  err: string;
}

function loupe(...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, [join(root, 'main', 'cli', 'loupe.ts'), 'documents', ...args], { maxBuffer: 2 ** 26 }, (error, out, err) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err }),
    );
  });
}

function save(name: string, bytes: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

describe('loupe documents read', () => {
  const path = save(
    'договор 契約 عقد.pdf',
    writePdf({
      pages: [{ content: line('Visible') + line('SAY 9999', 72, 600, '1 g') }, { content: '' }],
      catalog: '/PageLabels<</Nums[0<</S/r>>]>>',
    }),
  );

  it('prints pages with exactly what is promised of each', async () => {
    const { code, out } = await loupe('read', path, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual({
      pages: [
        { number: 1, label: 'i', state: 'text', flags: ['hidden-text'], text: 'Visible' },
        { number: 2, label: 'ii', state: 'blank', flags: [], text: '' },
      ],
    });
  });

  it('prints text for people, and says what was left out', async () => {
    const { code, out, err } = await loupe('read', path);
    expect([code, out]).toEqual([0, '==> page 1 (i): text, hidden-text <==\nVisible\n\n==> page 2 (ii): blank <==\n']);
    expect(err).toBe('loupe: Page 1 has 2 words that nobody can see. They are left out.\n');
  });

  it('opens a locked file, and asks for its password', async () => {
    const locked = save('locked.pdf', writePdf({ pages: [{ content: line('Secret') }], encryption: rc4Encryption('sesame') }));
    expect((await loupe('read', locked)).err).toBe(
      'loupe: locked.pdf needs a password.\nPass it with --password. Loupe does not keep it.\n',
    );
    expect((await loupe('read', locked, '--password', 'sesame', '--json')).out).toContain('"text":"Secret"');
  });

  it('asks which of more than 5,000 pages', async () => {
    const long = save(
      'long.pdf',
      writePdf({ pages: Array.from({ length: 5001 }, (_, index) => ({ content: line(`Page ${index + 1}`) })) }),
    );
    const { code, err } = await loupe('read', long);
    expect([code, err]).toEqual([
      1,
      'loupe: long.pdf has 5,001 pages; at most 5,000 are read at once.\n' +
        'Name some of them, as in 1-5000 (on the command line: --pages 1-5000).\n',
    ]);
    expect(JSON.parse((await loupe('read', long, '--pages', '5000-5001', '--json')).out)).toMatchObject({
      pages: [
        { number: 5000, text: 'Page 5000' },
        { number: 5001, text: 'Page 5001' },
      ],
    });
  });

  it('takes pages that there are', async () => {
    expect((await loupe('read', path, '--pages', '3')).err).toContain('has 2 pages; there is no page 3.');
    expect((await loupe('read', path, '--pages', '2-1')).code).toBe(2);
    expect((await loupe('read')).code).toBe(2);
  });
});

describe('the library', () => {
  const data = join(folder, 'data');
  const inLibrary = (...args: string[]): Promise<Outcome> => loupe(...args, '--data', data);

  it('adds, lists, shows, searches and removes', async () => {
    const path = save(
      'lease.pdf',
      writePdf({ pages: [{ content: line('Either party may terminate') }, { content: '0 0 1 rg 9 9 90 90 re f' }, { content: '' }] }),
    );
    const added = await inLibrary('add', path);
    expect([added.code, added.out]).toEqual([0, 'lease.pdf: added as document 1\n  3 pages: 1 with text, 1 without text yet, 1 blank\n']);
    expect(added.err).toBe('loupe: 1 page of lease.pdf has no text yet.\nRead it now with: loupe documents resume 1 --ocr\n');
    expect((await inLibrary('add', path)).out).toContain('lease.pdf: already in the library as document 1\n');
    const copy = join(folder, 'copy.pdf');
    copyFileSync(path, copy);
    expect((await inLibrary('add', copy)).out).toContain('copy.pdf: already in the library as document 1, lease.pdf\n');
    expect((await inLibrary('list')).out).toMatch(
      /^ {3}1 {2}lease\.pdf, [\d.]+ k?B\n {6}3 pages: 1 with text, 1 without text yet, 1 blank\n$/,
    );
    expect((await inLibrary('show', '1', '--pages', '1-2')).out).toBe(
      '==> page 1: text <==\nEither party may terminate\n\n==> page 2: picture <==\n',
    );
    expect((await inLibrary('search', 'When does it end? terminating')).out).toBe(
      'lease.pdf (document 1), page 1\n      Either party may terminate\n',
    );
    expect((await inLibrary('search', 'zebra')).out).toBe('No page has any of these words: zebra.\n');
    const json = JSON.parse((await inLibrary('list', '--json')).out) as { documents: { id: number; states: object }[] };
    expect(json).toMatchObject({ ok: true, documents: [{ id: 1, name: 'lease.pdf', kind: 'pdf', pageCount: 3 }] });
    expect(json.documents[0]!.states).toEqual({ waiting: 0, text: 1, ocr: 0, picture: 1, blank: 1, failed: 0 });
    expect((await inLibrary('remove', '1')).out).toBe('lease.pdf is removed: its text, its search index and Loupe’s copy of the file.\n');
    expect((await inLibrary('list')).out).toBe('There are no documents in the library. Add one with: loupe documents add FILE\n');
    expect((await inLibrary('show', '1')).err).toBe('loupe: There is no document 1.\nLook in the list of documents.\n');
  });

  it('adds the files of a folder, and names those that are none', async () => {
    mkdirSync(join(folder, 'papers'));
    save(join('papers', 'a.pdf'), writePdf({ pages: [{ content: line('Alpha') }] }));
    save(join('papers', 'notes.txt'), 'Dear diary');
    const { code, out, err } = await inLibrary('add', join(folder, 'papers'), '--json');
    expect(code).toBe(1);
    expect(err).toContain('notes.txt is neither a PDF nor a picture that Loupe reads.');
    expect(JSON.parse(out)).toMatchObject({
      ok: false,
      documents: [
        { name: 'a.pdf', known: false, states: { text: 1 } },
        { file: join(folder, 'papers', 'notes.txt'), failure: { code: 'document_unreadable' } },
      ],
    });
  });

  it('asks for the password of a locked file', async () => {
    const locked = save('secret.pdf', writePdf({ pages: [{ content: line('Secret') }], encryption: rc4Encryption('sesame') }));
    expect((await inLibrary('add', locked)).err).toBe(
      'loupe: secret.pdf needs a password.\nPass it with --password. Loupe does not keep it.\n',
    );
    expect((await inLibrary('add', locked, '--password', 'sesame')).out).toContain('1 page: 1 with text');
  });

  it('takes only the options that mean something', async () => {
    expect((await inLibrary('list', '--ocr')).err).toContain('documents list has no option --ocr.');
    expect((await loupe('read', 'a.pdf', '--data', data)).err).toContain('documents read has no option --data.');
    expect((await inLibrary('show', 'lease.pdf')).err).toContain('Documents are named by their numbers, not "lease.pdf".');
    expect((await loupe('frobnicate')).err).toContain('Known: read, add, resume, list, show, search, remove, extract, ask.');
  });
});
