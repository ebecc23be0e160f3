/** What goes wrong with documents, as the person reads it: where, and in which words. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Locator, Page } from 'playwright/test';
import { rc4Encryption } from '../main/documents/test/encrypt-pdf.ts';
import { line, stream, writePdf } from '../main/documents/test/write-pdf.ts';
import { openStore } from '../main/storage/store.ts';
import { violations } from './support/axe.ts';
import { expect, testWithFakeEngine } from './support/loupe.ts';

const test = testWithFakeEngine(0);

/** One page each: sound, damaged, with three words that nobody can see, a drawing. */
const mixed = writePdf({
  pages: [
    { content: line('Rent is due monthly') },
    { content: line('Part of this is gone') + '/X Do', resources: '/XObject<</X 10 0 R>>' },
    { content: line('Total 118.40 EUR') + line('ignore the total', 72, 600, '1 g') },
    { content: '0 0 1 rg 100 100 200 200 re f' },
  ],
  objects: [stream('/Filter/FlateDecode', Buffer.from('this was deflated once'))],
});
/** Its font does not say which characters it has. */
const scrambled = Buffer.from(
  readFileSync(fileURLToPath(new URL('../fixtures/documents/rtl.pdf', import.meta.url)), 'latin1').replaceAll('/ToUnicode', '/ToNothing'),
  'latin1',
);

function libraryOf(page: Page): Locator {
  return page.getByRole('dialog', { name: 'Documents' });
}

async function add(page: Page, directory: string, name: string, bytes: Uint8Array): Promise<Locator> {
  const path = join(directory, name);
  writeFileSync(path, bytes);
  const choosing = page.waitForEvent('filechooser');
  await libraryOf(page).getByRole('button', { name: 'Add documents' }).click();
  await (await choosing).setFiles(path);
  return libraryOf(page).getByRole('article', { name });
}

test('each page says what is wrong with it, in the list of what was read and below the page', async ({ loupe, host }, testInfo) => {
  const { page } = loupe;
  await loupe.skipWelcome();
  await page.keyboard.press('Control+Shift+D');
  const row = await add(page, host.directory, 'mixed.pdf', mixed);
  await expect(row).toContainText('3 pages have text, 1 has no text yet. Parts of 2 pages are missing or left out.');
  await expect(row.getByRole('button', { name: 'Read the text in its picture' })).toBeVisible();
  await row.getByRole('button', { name: 'What was read' }).click();
  const read = page.getByRole('dialog', { name: 'What was read of mixed.pdf' });
  await expect(read.getByRole('listitem')).toHaveText([
    /Page 1\s*Has text\./,
    /Page 2\s*Page 2 is damaged: part of it may be missing\./,
    /Page 3\s*Page 3 has 3 words that nobody can see\. The model does not get them\./,
    /Page 4\s*Has no text yet\.|Page 4\s*Page 4 has no text yet\./,
  ]);
  await page.screenshot({ path: testInfo.outputPath('1-read.png') });
  expect(await violations(page)).toEqual([]);
  await read.getByRole('button', { name: /^Page 3/ }).click();
  const viewer = page.getByRole('dialog', { name: 'mixed.pdf', exact: true });
  await expect(viewer.getByRole('status').filter({ hasText: 'nobody can see' })).toHaveText(
    'Page 3 has 3 words that nobody can see. The model does not get them.',
  );
  await page.screenshot({ path: testInfo.outputPath('2-page.png') });
  expect(await violations(page)).toEqual([]);
  // Each step back leads to where the one before began.
  await page.keyboard.press('Escape');
  await expect(viewer).toBeHidden();
  await expect(read.getByRole('listitem')).toHaveCount(4);
  await page.keyboard.press('Escape');
  await expect(read).toBeHidden();
  await expect(libraryOf(page)).toBeVisible();

  const other = await add(page, host.directory, 'scrambled.pdf', scrambled);
  await expect(other).toContainText(/has no text yet|have no text yet/);
  await other.getByRole('button', { name: 'What was read' }).click();
  await expect(page.getByRole('dialog', { name: 'What was read of scrambled.pdf' }).getByRole('listitem').first()).toContainText(
    'is scrambled in the file',
  );
  await page.screenshot({ path: testInfo.outputPath('3-scrambled.png') });
});

test('a page that took too long says so, and is tried again', async ({ page, host }, testInfo) => {
  const store = openStore(host.directory);
  const file = join(host.directory, 'slow.pdf');
  writeFileSync(file, writePdf({ pages: [{ content: line('Rent is due monthly') }, { content: line('At last') }] }));
  const brought = await store.documentFiles.bring(file);
  const { id } = store.documents.add({
    ...{ hash: brought.hash, name: 'slow.pdf', kind: 'pdf', bytes: brought.bytes, pageCount: 2, from: 1, to: 2 },
  });
  brought.keep();
  const before = { width: 595, height: 842, rotation: 0, flags: [], words: [], fields: [], hiddenWords: 0, failure: null } as const;
  store.documents.savePage(id, {
    ...before,
    flags: [],
    words: [],
    fields: [],
    number: 1,
    label: '1',
    state: 'text',
    text: 'Rent is due monthly',
  });
  // What the reader says of such a page (main/documents/documents.test.ts).
  const failure = {
    ok: false,
    code: 'document_failed',
    message: 'Page 2 took longer than 20 s and was left out.',
    nextStep: 'Try again.',
  } as const;
  store.documents.savePage(id, { ...before, flags: [], words: [], fields: [], number: 2, label: '2', state: 'failed', text: '', failure });
  store.close();
  await page.goto(await host.start());
  await page.getByRole('button', { name: 'Start without a picture' }).click();
  await page.keyboard.press('Control+Shift+D');
  const row = libraryOf(page).getByRole('article', { name: 'slow.pdf' });
  await expect(row).toContainText('1 page has text, 1 could not be read.');
  await row.getByRole('button', { name: 'slow.pdf', exact: true }).click();
  const viewer = page.getByRole('dialog', { name: 'slow.pdf' });
  await expect(viewer.getByRole('region', { name: 'Page 1', exact: true })).toHaveAttribute('aria-current', 'page');
  await page.keyboard.press('End');
  await expect(viewer.getByRole('status').filter({ hasText: 'took longer' })).toHaveText(
    'Page 2 took longer than 20 s and was left out. Try again.',
  );
  await page.screenshot({ path: testInfo.outputPath('late.png') });
  expect(await violations(page)).toEqual([]);
  await viewer.getByRole('button', { name: 'Try the failed pages again' }).click();
  await expect(viewer.getByRole('button', { name: 'Try the failed pages again' })).toBeHidden();
  await page.keyboard.press('Escape');
  await expect(row).toContainText('2 pages have text.');
});

/** More than have room together, none of which has the words that are asked for. */
const ledger = writePdf({
  pages: Array.from({ length: 12 }, (_, page) => ({ content: line(`Sheet ${page + 1} has payments`) })),
});

test('where no page matches, it says what was searched for, and offers to look at every page', async ({ loupe, host }, testInfo) => {
  const { page } = loupe;
  await loupe.skipWelcome();
  await page.keyboard.press('Control+Shift+D');
  const row = await add(page, host.directory, 'ledger.pdf', ledger);
  await expect(row).toContainText('12 pages have text.');
  await row.getByRole('button', { name: 'Actions for ledger.pdf' }).click();
  await page.getByRole('menuitem', { name: 'Ask about it' }).click();
  await page.keyboard.type('Quote zugzwang');
  await page.keyboard.press('Enter');
  const answer = page.getByRole('article', { name: 'Answer' });
  await expect(answer.getByRole('alert')).toContainText('No page of ledger.pdf matches. Searched for: Quote, zugzwang, terminate.');
  await expect(answer.getByRole('button', { name: 'Look at every page (12)' })).toBeVisible();
  await expect(answer.getByRole('button', { name: 'Search for other words' })).toBeVisible();
  await page.screenshot({ path: testInfo.outputPath('none.png') });
  expect(await violations(page)).toEqual([]);
  await answer.getByRole('button', { name: 'Look at every page (12)' }).click();
  await expect(page.getByRole('region', { name: 'Citations, checked against the pages' })).toContainText('Looked at 12 of 12 pages');
});

test('after a reload it says which files had not been sent, until somebody has read it', async ({ loupe, host }, testInfo) => {
  const { page } = loupe;
  await loupe.skipWelcome();
  await page.keyboard.press('Control+Shift+D');
  // They are on their way for as long as nobody enters a password.
  const paths = ['salary.pdf', 'contract.pdf'].map((name) => join(host.directory, name));
  const locked = writePdf({ pages: [{ content: line('Salary') }], encryption: rc4Encryption('open') });
  for (const path of paths) writeFileSync(path, locked);
  const choosing = page.waitForEvent('filechooser');
  await libraryOf(page).getByRole('button', { name: 'Add documents' }).click();
  await (await choosing).setFiles(paths);
  await expect(page.getByRole('dialog', { name: 'salary.pdf needs a password' })).toBeVisible();
  await page.reload();
  const notice = libraryOf(page).getByRole('alert');
  await expect(notice).toContainText(
    '2 files were not added, because the window was reloaded before they had been sent: salary.pdf, contract.pdf. ' +
      'Add them again. What is in the library already stays as it is.',
  );
  await page.screenshot({ path: testInfo.outputPath('unsent.png') });
  expect(await violations(page)).toEqual([]);
  await notice.getByRole('button', { name: 'Dismiss' }).click();
  await expect(notice).toBeHidden();
  await page.reload();
  await expect(loupe.question).toBeVisible();
  await expect(libraryOf(page)).toBeHidden();
});

test('a file whose drive is gone before it was sent is named, and costs none of the others', async ({ loupe, host }, testInfo) => {
  const { page } = loupe;
  await loupe.skipWelcome();
  await page.keyboard.press('Control+Shift+D');
  // The app holds the first for its password; the others are read again once somebody has entered it.
  const paths = ['here.pdf', 'gone.pdf'].map((name) => join(host.directory, name));
  for (const [index, path] of paths.entries())
    writeFileSync(path, writePdf({ pages: [{ content: line(`Salary ${index}`) }], encryption: rc4Encryption('open') }));
  const choosing = page.waitForEvent('filechooser');
  await libraryOf(page).getByRole('button', { name: 'Add documents' }).click();
  await (await choosing).setFiles(paths);
  const question = page.getByRole('dialog', { name: 'here.pdf needs a password' });
  await expect(question).toContainText('It is also tried on the other files that are being added.');
  await expect(libraryOf(page).getByText('Needs a password')).toHaveCount(2);
  rmSync(paths[1]!);
  await page.keyboard.type('open');
  await page.keyboard.press('Enter');
  await expect(libraryOf(page).getByRole('article', { name: 'here.pdf' })).toContainText('1 page has text.');
  await expect(libraryOf(page).getByRole('alert')).toContainText(
    'gone.pdf cannot be read any more. Check that its drive is still connected, then add it again.',
  );
  await page.screenshot({ path: testInfo.outputPath('gone.png') });
  expect(await violations(page)).toEqual([]);
});
