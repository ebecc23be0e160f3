/** A disk that fills up while documents are added and read, as the window tells it; and what happens when there is room again. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { line, writePdf } from '../main/documents/test/write-pdf.ts';
import { violations } from './support/axe.ts';
import { expect, testWithFakeEngine, Window } from './support/loupe.ts';

const test = testWithFakeEngine(0);

/** To the last byte. */
function fillDisk(ballast: string): void {
  const piece = Buffer.alloc(4096, 'x');
  try {
    for (;;) writeFileSync(ballast, piece, { flag: 'a' });
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' });
  }
}

const small = writePdf({ pages: [{ content: line('Rent is due monthly') }] });
/** Reading it takes some seconds, and its text has no room beside what fills the disk. */
const pages = 200;
const long = writePdf({
  pages: Array.from({ length: pages }, (_, page) => ({
    content: Array.from({ length: 45 }, (_line, row) =>
      line(`Row ${row} of sheet ${page} has a payment to somebody for some thing`, 72, 780 - 16 * row),
    ).join(''),
  })),
});

test('a full disk is said where the document is, nothing is lost, and reading goes on when there is room', async ({
  page,
  host,
}, testInfo) => {
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', host.directory]).status === 0;
  testInfo.skip(!mounted, 'skipped: a full disk needs the right to mount a small file system (root on Linux)');
  const elsewhere = mkdtempSync(join(tmpdir(), 'loupe-full-disk-'));
  const ballast = join(host.directory, 'ballast');
  try {
    await page.goto(await host.start());
    const loupe = new Window(page);
    await loupe.skipWelcome();
    await page.keyboard.press('Control+Shift+D');
    const library = page.getByRole('dialog', { name: 'Documents' });
    const add = async (name: string, bytes: Uint8Array): Promise<void> => {
      const path = join(elsewhere, name);
      writeFileSync(path, bytes);
      const choosing = page.waitForEvent('filechooser');
      await library.getByRole('button', { name: 'Add documents' }).click();
      await (await choosing).setFiles(path);
    };
    const row = (name: string) => library.getByRole('article', { name });
    await add('lease.pdf', small);
    await expect(row('lease.pdf')).toContainText('1 page has text.');

    // While it is read.
    await add('ledger.pdf', long);
    await expect(row('ledger.pdf')).toContainText(/Reading: \d+ pages left/);
    fillDisk(ballast);
    await expect(row('ledger.pdf').getByRole('alert')).toContainText(
      `The disk that holds ${host.directory} is full, so nothing new can be kept.`,
      { timeout: 60_000 },
    );
    await page.screenshot({ path: testInfo.outputPath('1-reading.png') });
    expect(await violations(page)).toEqual([]);

    // While it is added.
    await add('contract.pdf', writePdf({ pages: [{ content: line('Termination requires notice') }] }));
    const refused = library.getByRole('alert').filter({ hasText: 'contract.pdf was not added.' });
    await expect(refused).toContainText(`The disk that holds ${host.directory} is full, so nothing new can be kept.`);
    await page.screenshot({ path: testInfo.outputPath('2-adding.png') });
    expect(await violations(page)).toEqual([]);
    await refused.getByRole('button', { name: 'Dismiss' }).click();

    // What was there is searched and shown.
    await library.getByRole('textbox', { name: 'Search all documents' }).fill('rent');
    await expect(library.getByRole('button', { name: /lease\.pdf, page 1/ })).toBeVisible();
    await library.getByRole('textbox', { name: 'Search all documents' }).fill('');

    rmSync(ballast);
    await row('ledger.pdf').getByRole('button', { name: 'Try again' }).click();
    await expect(row('ledger.pdf')).toContainText(`${pages} pages have text.`, { timeout: 60_000 });
    await expect(row('ledger.pdf').getByRole('alert')).toBeHidden();
    await add('contract.pdf', writePdf({ pages: [{ content: line('Termination requires notice') }] }));
    await expect(row('contract.pdf')).toContainText('1 page has text.');
    await page.screenshot({ path: testInfo.outputPath('3-room.png') });
  } finally {
    await host.stop('SIGKILL');
    // The processes of a host that was killed end a moment later.
    spawnSync('umount', ['-l', host.directory]);
    rmSync(elsewhere, { recursive: true });
  }
});
