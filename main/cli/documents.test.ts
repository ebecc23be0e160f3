import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
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

function save(name: string, bytes: Uint8Array): string {
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
    const locked = save('locked.pdf', writePdf({ pages: [{ content: line('Secret') }], password: 'sesame' }));
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
      'loupe: long.pdf has 5,001 pages; at most 5,000 are read at once.\nSay which, as in: --pages 1-5000\n',
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
