/** Questions about documents: what was looked at, and what became of each citation. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { line, writePdf } from '../main/documents/test/write-pdf.ts';
import { violations } from './support/axe.ts';
import { expect, testWithFakeEngine } from './support/loupe.ts';

const test = testWithFakeEngine(0);

const lease = writePdf({
  pages: [{ content: line('Rent is due monthly') }, { content: line('Termination requires notice', 72, 60) }, { content: '' }],
  catalog: '/PageLabels<</Nums[0<</S/r>>1<</S/D>>]>>',
});

/** The fake engine says back what it is asked, so that a question with citations gets an answer with them. */
test('a document is asked about: the answer shows what was looked at, and each citation opens its page', async ({
  loupe,
  host,
}, testInfo) => {
  const { page } = loupe;
  await loupe.skipWelcome();
  await page.keyboard.press('Control+Shift+D');
  const dialog = page.getByRole('dialog', { name: 'Documents' });
  const row = dialog.getByRole('article', { name: 'lease.pdf' });
  const path = join(host.directory, 'lease.pdf');
  writeFileSync(path, lease);
  const choosing = page.waitForEvent('filechooser');
  await dialog.getByRole('button', { name: 'Add documents' }).click();
  await (await choosing).setFiles(path);
  await expect(row).toContainText('2 pages have text');
  await row.getByRole('button', { name: 'Actions for lease.pdf' }).click();
  await page.getByRole('menuitem', { name: 'Ask about it' }).click();
  await expect(dialog).toBeHidden();
  await expect(page.getByText('About lease.pdf')).toBeVisible();

  await page.keyboard.type(
    'Is it [p. 3 "Termination requires notice"] or [p. i "Rent is due weekly"] or [p. 1 "Termination requires notice"]?',
  );
  await page.keyboard.press('Enter');
  const sources = page.getByRole('region', { name: 'Citations, checked against the pages' });
  await expect(sources.getByRole('listitem')).toHaveCount(3);
  await expect(sources).toContainText('Looked at 2 of 3 pages (1, printed i; 2, printed 1). 1 is blank.');
  await expect(sources.getByRole('listitem').nth(2)).toContainText('Verified: page 1 has “Termination requires notice”.');
  // In the answer itself each stands as a mark, which leads to its page.
  const answer = page.getByRole('article').last();
  const marks = answer.locator('[data-citation]');
  await expect(marks).toHaveText(['p. 1', 'p. i', 'p. 1']);
  await expect(marks.nth(1)).toHaveAccessibleName(/^p\. i: Not found: .* Open the page\.$/);
  await expect(answer).not.toContainText('[p. 3');
  await page.screenshot({ path: testInfo.outputPath('asked.png') });
  await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
  await page.screenshot({ path: testInfo.outputPath('asked-dark.png') });
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: null });
  expect(await violations(page)).toEqual([]);

  // The next question is about it as well, until that is taken away.
  await expect(page.getByRole('button', { name: 'Stop asking about lease.pdf' })).toBeVisible();
  await sources.getByRole('button', { name: /^Verified/ }).focus();
  await page.keyboard.press('Enter');
  const viewer = page.getByRole('dialog', { name: 'lease.pdf' });
  await expect(viewer.getByRole('region', { name: 'Page 1 (2)', exact: true })).toHaveAttribute('aria-current', 'page');
  await expect(viewer.locator('.mark').first()).toBeInViewport();
  await page.keyboard.press('[');
  await expect(viewer.getByRole('region', { name: 'Page i (1)', exact: true })).toHaveAttribute('aria-current', 'page');
  await page.keyboard.press(']');
  await expect(viewer.getByRole('region', { name: 'Page 1 (2)', exact: true })).toHaveAttribute('aria-current', 'page');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Stop asking about lease.pdf' }).click();
  await expect(page.getByRole('button', { name: 'Stop asking about lease.pdf' })).toBeHidden();
});

/** Twenty pages that have no room together. The fake engine notes what it is asked, so that every page has something about it. */
const ledger = writePdf({
  pages: Array.from({ length: 20 }, (_, page) => ({
    content: Array.from({ length: 45 }, (_, row) =>
      line(`Row ${row + 1} of sheet ${page + 1} has a payment to somebody for some thing or other`, 72, 780 - 16 * row),
    ).join(''),
  })),
});

test('a question is asked of every page: from the field, and again from an answer', async ({ loupe, host }, testInfo) => {
  const { page } = loupe;
  await loupe.skipWelcome();
  await page.keyboard.press('Control+Shift+D');
  const dialog = page.getByRole('dialog', { name: 'Documents' });
  const row = dialog.getByRole('article', { name: 'ledger.pdf' });
  const path = join(host.directory, 'ledger.pdf');
  writeFileSync(path, ledger);
  const choosing = page.waitForEvent('filechooser');
  await dialog.getByRole('button', { name: 'Add documents' }).click();
  await (await choosing).setFiles(path);
  await expect(row).toContainText('20 pages have text');
  await row.getByRole('button', { name: 'Actions for ledger.pdf' }).click();
  await page.getByRole('menuitem', { name: 'Ask about it' }).click();

  // First of the best pages; the question itself makes the window offer more.
  await page.keyboard.type('List the payments');
  const every = page.getByRole('button', { name: 'Look at every page?' });
  await expect(every).toHaveAttribute('aria-pressed', 'false');
  await page.screenshot({ path: testInfo.outputPath('advice.png') });
  await page.keyboard.press('Enter');
  const sources = page.getByRole('region', { name: 'Citations, checked against the pages' });
  await expect(sources).toContainText('Looked at 5 of 20 pages');
  await page.screenshot({ path: testInfo.outputPath('offer.png') });
  expect(await violations(page)).toEqual([]);
  await sources.getByRole('button', { name: /^Look at every page \(20/ }).focus();
  await page.keyboard.press('Enter');
  await expect(sources).toContainText('Looked at 20 of 20 pages, one by one (1-20). 20 have something about it (1-20).');
  await expect(page.getByText('About ledger.pdf, every page', { exact: true })).toBeVisible();
  await expect(sources.getByRole('button', { name: /^Look at every page/ })).toBeHidden();
  // It is a branch beside the first question, which is still there.
  await page.getByRole('button', { name: 'Previous version' }).first().click();
  await expect(sources).toContainText('Looked at 5 of 20 pages');

  // What was searched for can be changed.
  await sources.getByRole('button', { name: 'Search for other words' }).click();
  await page.keyboard.press('Control+A');
  await page.keyboard.type('sheet 7, sheet 11');
  await page.screenshot({ path: testInfo.outputPath('words.png') });
  await page.keyboard.press('Enter');
  await expect(sources).toContainText('Searched for: sheet 7, sheet 11.');
  await expect(sources.getByRole('button', { name: 'Search for other words' })).toBeVisible();

  // By itself, for one question only.
  await loupe.question.focus();
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Space');
  await expect(page.getByRole('button', { name: 'Every page', exact: true })).toHaveAttribute('aria-pressed', 'true');
  await page.screenshot({ path: testInfo.outputPath('every.png') });
  await page.keyboard.type('And who was paid?');
  await page.keyboard.press('Enter');
  await expect(sources.last()).toContainText('Looked at 20 of 20 pages, one by one');
  await expect(page.getByRole('button', { name: 'Every page', exact: true })).toHaveAttribute('aria-pressed', 'false');
});
