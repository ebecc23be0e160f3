/** The library: adding, reading, searching, removing. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright/test';
import { line, writePdf } from '../main/documents/test/write-pdf.ts';
import { violations } from './support/axe.ts';
import { expect, test } from './support/loupe.ts';

/** What a person calls the library. */
function library(page: Page) {
  const dialog = page.getByRole('dialog', { name: 'Documents' });
  return {
    dialog,
    row: (name: string) => dialog.getByRole('article', { name }),
    async add(...paths: string[]): Promise<void> {
      const choosing = page.waitForEvent('filechooser');
      await dialog.getByRole('button', { name: 'Add documents' }).click();
      await (await choosing).setFiles(paths);
    },
  };
}

const lease = writePdf({ pages: [{ content: line('Rent is due monthly') }, { content: line('Termination requires notice') }] });

function save(directory: string, name: string, bytes: Uint8Array | string): string {
  const path = join(directory, name);
  writeFileSync(path, bytes);
  return path;
}

test('documents are added, read, searched and removed, by keyboard as well', async ({ loupe, host }) => {
  const { page } = loupe;
  await loupe.skipWelcome();
  await page.keyboard.press('Control+Shift+D');
  const { dialog, row, add } = library(page);
  await expect(dialog).toContainText('There are no documents yet.');
  expect(await violations(page)).toEqual([]);

  await add(save(host.directory, 'lease.pdf', lease), save(host.directory, 'page.pdf', '<!doctype html><title>Log in</title>'));
  await expect(row('lease.pdf')).toContainText('2 pages have text.');
  await expect(dialog.getByRole('alert')).toContainText('page.pdf is a web page, not a document.');
  await dialog.getByRole('button', { name: 'Dismiss' }).click();
  await add(save(host.directory, 'copy.pdf', lease));
  await expect(page.getByText('lease.pdf is in the library already.')).toBeVisible();
  expect(await violations(page)).toEqual([]);

  await dialog.getByRole('textbox', { name: 'Search all documents' }).fill('terminate');
  await expect(dialog.getByRole('list', { name: 'Pages that were found' }).getByRole('listitem')).toHaveText([
    /lease\.pdf, page 2\s*Termination requires notice/,
  ]);
  await expect(dialog.locator('mark')).toHaveText('Termination');
  expect(await violations(page)).toEqual([]);

  // The page that was found, with the word marked on it.
  await dialog.getByRole('button', { name: /lease\.pdf, page 2/ }).press('Enter');
  const viewer = page.getByRole('dialog', { name: 'lease.pdf' });
  const second = viewer.getByRole('region', { name: 'Page 2' });
  await expect(second.getByRole('img')).toHaveJSProperty('complete', true);
  expect(await second.getByRole('img').evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(600);
  await expect(second.locator('.mark')).toHaveCount(1);
  const [mark, sheet] = await Promise.all([second.locator('.mark').boundingBox(), second.boundingBox()]);
  // `line` writes at 72 points from the left, 100 from the top, of a page of 595 by 842.
  expect((mark!.x - sheet!.x) / sheet!.width).toBeCloseTo(72 / 595, 1);
  expect(await violations(page)).toEqual([]);
  await viewer.getByRole('group', { name: 'Pages', exact: true }).focus();
  await page.keyboard.press('Home');
  await expect(viewer.getByRole('region', { name: 'Page 1' })).toHaveAttribute('aria-current', 'page');
  await page.keyboard.press('F3');
  await expect(second).toHaveAttribute('aria-current', 'page');
  await page.keyboard.press('g');
  await page.keyboard.type('9');
  await page.keyboard.press('Enter');
  await expect(viewer.getByRole('alert')).toHaveText('There is no page 9.');
  await page.keyboard.press('Escape');
  await expect(viewer).toBeHidden();

  await dialog.getByRole('textbox', { name: 'Search all documents' }).focus();
  await page.keyboard.press('Escape');
  await expect(row('lease.pdf')).toBeVisible();

  await row('lease.pdf').getByRole('button', { name: 'Actions for lease.pdf' }).press('Enter');
  await page.getByRole('menuitem', { name: 'Remove' }).press('Enter');
  await expect(page.getByRole('dialog', { name: 'Remove lease.pdf?' })).toContainText('Your own file stays where it is.');
  await page.getByRole('button', { name: 'Remove the document' }).press('Enter');
  await expect(dialog).toContainText('There are no documents yet.');
  await page.keyboard.press('Escape');
  await expect(dialog).toBeHidden();
});

test('a locked document asks for its password, and another that is dropped beside the question opens the library', async ({
  loupe,
  host,
}) => {
  const { page } = loupe;
  await loupe.skipWelcome();
  await page.keyboard.press('Control+Shift+D');
  const { dialog, row, add } = library(page);
  await add(save(host.directory, 'locked.pdf', writePdf({ pages: [{ content: line('Salary') }], password: 'open' })));
  const locked = page.getByRole('dialog', { name: 'locked.pdf needs a password' });
  await expect(locked.getByRole('textbox', { name: 'Password' })).toBeFocused();
  expect(await violations(page)).toEqual([]);
  await page.keyboard.type('shut');
  await page.keyboard.press('Enter');
  await expect(locked).toContainText('This is not the password of this document.');
  await locked.getByRole('textbox', { name: 'Password' }).fill('open');
  await page.keyboard.press('Enter');
  await expect(row('locked.pdf')).toContainText('1 page has text.');
  await page.keyboard.press('Escape');
  await expect(dialog).toBeHidden();

  const carried = await page.evaluateHandle(
    (bytes) => {
      const data = new DataTransfer();
      data.items.add(new File([Uint8Array.from(bytes)], 'lease.pdf', { type: 'application/pdf' }));
      return data;
    },
    [...lease],
  );
  await page.dispatchEvent('body', 'drop', { dataTransfer: carried });
  await expect(row('lease.pdf')).toContainText('2 pages have text.');
});
