/** A locked document that is opened "only until Loupe closes": read, searched and asked about, and then gone from every file. */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright/test';
import { rc4Encryption } from '../main/documents/test/encrypt-pdf.ts';
import { line, writePdf } from '../main/documents/test/write-pdf.ts';
import { violations } from './support/axe.ts';
import { expect, testWithFakeEngine } from './support/loupe.ts';

const test = testWithFakeEngine(0);

/** No two begin alike: what words have in common the index writes once. */
const words = ['quincunx', 'jabberwock', 'vorpalblade', 'zugzwang'];
const locked = writePdf({
  pages: [0, 1, 2].map((page) => ({ content: words.map((word, row) => line(`${word} ${page}`, 72, 700 - 20 * row)).join('') })),
  encryption: rc4Encryption('open'),
});

/** Files of the data folder that hold one of these words, in any case. */
function filesWithWords(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => {
    const file = join(folder, path);
    if (!statSync(file).isFile()) return false;
    const text = readFileSync(file, 'latin1').toLowerCase();
    return words.some((word) => text.includes(word));
  });
}

function cachedPages(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.png'));
}

async function openLibrary(page: Page): Promise<void> {
  await page.keyboard.press('Control+Shift+D');
  await expect(page.getByRole('dialog', { name: 'Documents' })).toBeVisible();
}

test('what is opened only until Loupe closes leaves no word in the data folder, neither at the end nor after a kill', async ({
  loupe,
  host,
}, testInfo) => {
  const { page } = loupe;
  await loupe.skipWelcome();
  await openLibrary(page);
  const library = page.getByRole('dialog', { name: 'Documents' });
  const row = library.getByRole('article', { name: 'locked.pdf' });
  const path = join(host.directory, 'locked.pdf');
  writeFileSync(path, locked);
  const choosing = page.waitForEvent('filechooser');
  await library.getByRole('button', { name: 'Add documents' }).click();
  await (await choosing).setFiles(path);

  const question = page.getByRole('dialog', { name: 'locked.pdf needs a password' });
  await expect(question).toContainText('Loupe does not keep it.');
  await expect(question.getByRole('radio', { name: 'Keep it for the search' })).toBeChecked();
  await page.keyboard.type('open');
  await page.keyboard.press('Tab');
  await page.keyboard.press('ArrowRight');
  await expect(question.getByRole('radio', { name: 'Only until Loupe closes' })).toBeChecked();
  await expect(question).toContainText('Then all that it has read is deleted');
  await page.screenshot({ path: testInfo.outputPath('1-password.png') });
  expect(await violations(page)).toEqual([]);
  await page.keyboard.press('Enter');
  await expect(row).toContainText('3 pages have text.');
  await expect(row).toContainText('What was read of it is deleted when Loupe closes.');
  await page.screenshot({ path: testInfo.outputPath('2-row.png') });
  expect(await violations(page)).toEqual([]);

  // In this session it is a document as others are.
  await row.getByRole('button', { name: 'locked.pdf', exact: true }).click();
  const viewer = page.getByRole('dialog', { name: 'locked.pdf' });
  await expect(viewer.getByRole('region', { name: 'Page 1', exact: true }).getByRole('img')).toHaveJSProperty('complete', true);
  await viewer.getByRole('textbox', { name: 'Search this document' }).fill('zugzwang');
  await expect(viewer.getByRole('search')).toContainText('On 3 pages');
  expect(cachedPages(host.directory)).toEqual([]);
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await openLibrary(page);
  await row.getByRole('button', { name: 'Actions for locked.pdf' }).click();
  await page.getByRole('menuitem', { name: 'Ask about it' }).click();
  expect(await loupe.ask('Quote something else')).toBe('The pages do not say.');
  await expect(page.getByRole('region', { name: 'Citations, checked against the pages' })).toContainText('Looked at 3 of 3 pages (1-3).');
  expect(filesWithWords(host.directory)).not.toEqual([]);

  await host.stop('SIGTERM');
  expect(filesWithWords(host.directory)).toEqual([]);

  await page.goto(await host.start());
  await expect(loupe.question).toBeVisible();
  await openLibrary(page);
  await expect(row).toContainText('needs a password');
  await page.screenshot({ path: testInfo.outputPath('3-again.png') });
  await row.getByRole('button', { name: 'Open', exact: true }).click();
  await expect(question.getByRole('radio', { name: 'Only until Loupe closes' })).toBeChecked();
  await question.getByRole('textbox', { name: 'Password' }).fill('open');
  await page.keyboard.press('Enter');
  await expect(row).toContainText('3 pages have text.');
  expect(filesWithWords(host.directory)).not.toEqual([]);

  await host.stop('SIGKILL');
  expect(filesWithWords(host.directory)).not.toEqual([]);
  await page.goto(await host.start());
  await expect(loupe.question).toBeVisible();
  // The log is emptied once the file is known to be sound.
  await expect.poll(() => filesWithWords(host.directory)).toEqual([]);
});
