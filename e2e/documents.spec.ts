/** The library: adding, reading, searching, removing. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Locator, Page } from 'playwright/test';
import { rc4Encryption } from '../main/documents/test/encrypt-pdf.ts';
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

/** What is looked for stands at the foot of a page, where it has to be scrolled to. */
const lease = writePdf({
  pages: [{ content: line('Rent is due monthly') }, { content: line('Termination requires notice', 72, 60) }, { content: '' }],
  catalog: '/PageLabels<</Nums[0<</S/r>>1<</S/D>>]>>',
});

function save(directory: string, name: string, bytes: Uint8Array | string): string {
  const path = join(directory, name);
  writeFileSync(path, bytes);
  return path;
}

/** What keys do in the viewer of `lease`, which is open at its second page with a word marked. */
async function useKeys(page: Page, viewer: Locator): Promise<void> {
  const current = (name: string): Promise<void> =>
    expect(viewer.getByRole('region', { name, exact: true })).toHaveAttribute('aria-current', 'page');
  const small = viewer.getByRole('listbox', { name: 'Small pages at the side' });
  await expect(small.getByRole('option', { selected: true })).toHaveAccessibleName('Page 1 (2)');
  await page.keyboard.press('End');
  await current('Page 2 (3)');
  await expect(small.getByRole('option', { selected: true })).toHaveAccessibleName('Page 2 (3), blank');
  await page.keyboard.press('F3');
  await current('Page 1 (2)');
  await expect(viewer.locator('.mark')).toBeInViewport();

  // By the number that is printed on it; what is typed wrongly can be typed again.
  const field = viewer.getByRole('textbox', { name: 'Page', exact: true });
  await page.keyboard.press('g');
  await page.keyboard.type('9');
  await page.keyboard.press('Enter');
  await expect(viewer.getByRole('alert')).toHaveText('There is no page 9.');
  await page.keyboard.type('i');
  await page.keyboard.press('Enter');
  await current('Page i (1)');
  await expect(field).not.toBeFocused();

  await page.keyboard.press('Control+f');
  await page.keyboard.type('requires');
  await page.keyboard.press('Enter');
  await expect(viewer.getByRole('search')).toContainText('On 1 page');
  await current('Page 1 (2)');
  await page.keyboard.press('Escape');
  await expect(viewer.locator('.mark')).toHaveCount(0);
  await expect(viewer).toBeVisible();

  const sheet = viewer.getByRole('region', { name: 'Page 1 (2)', exact: true });
  const before = (await sheet.boundingBox())!;
  await page.keyboard.press('+');
  await expect.poll(async () => (await sheet.boundingBox())!.width / before.width).toBeCloseTo(1.25, 1);
  await page.keyboard.press('0');
  await page.keyboard.press('r');
  await expect.poll(async () => (await sheet.boundingBox())!.height / before.height).toBeCloseTo((595 / 842) ** 2, 1);
  await page.keyboard.press('t');
  await expect(small).toBeHidden();
}

test('documents are added, read, searched and removed, by keyboard as well', async ({ loupe, host }) => {
  const { page } = loupe;
  await loupe.skipWelcome();
  await page.keyboard.press('Control+Shift+D');
  const { dialog, row, add } = library(page);
  await expect(dialog).toContainText('There are no documents yet.');
  expect(await violations(page)).toEqual([]);

  await add(save(host.directory, 'lease.pdf', lease), save(host.directory, 'page.pdf', '<!doctype html><title>Log in</title>'));
  await expect(row('lease.pdf')).toContainText('2 pages have text, 1 is blank.');
  await expect(dialog.getByRole('alert')).toContainText('page.pdf is a web page, not a document.');
  await dialog.getByRole('button', { name: 'Dismiss' }).click();
  await add(save(host.directory, 'copy.pdf', lease));
  await expect(page.getByText('copy.pdf is in the library already, as lease.pdf.')).toBeVisible();
  expect(await violations(page)).toEqual([]);

  await dialog.getByRole('textbox', { name: 'Search all documents' }).fill('terminate');
  await expect(dialog.getByRole('list', { name: 'Pages that were found' }).getByRole('listitem')).toHaveText([
    /lease\.pdf, page 1\s*Termination requires notice/,
  ]);
  await expect(dialog.locator('mark')).toHaveText('Termination');
  expect(await violations(page)).toEqual([]);

  // The page that was found, with the word marked on it.
  await dialog.getByRole('button', { name: /lease\.pdf, page 1/ }).press('Enter');
  const viewer = page.getByRole('dialog', { name: 'lease.pdf' });
  const pages = viewer.getByRole('group', { name: 'Pages', exact: true });
  const second = pages.getByRole('region', { name: 'Page 1 (2)' });
  await expect(second.getByRole('img')).toHaveJSProperty('complete', true);
  expect(await second.getByRole('img').evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(600);
  await expect(second.locator('.mark')).toBeInViewport();
  const [mark, sheet] = await Promise.all([second.locator('.mark').boundingBox(), second.boundingBox()]);
  // `line` writes at 72 points from the left, 60 from the foot, of a page of 595 by 842.
  expect((mark!.x - sheet!.x) / sheet!.width).toBeCloseTo(72 / 595, 1);
  expect((mark!.y - sheet!.y) / sheet!.height).toBeCloseTo((842 - 72) / 842, 1);
  expect(await violations(page)).toEqual([]);
  await useKeys(page, viewer);
  await page.keyboard.press('Escape');
  await expect(viewer).toBeHidden();
  await expect(dialog.getByRole('button', { name: /lease\.pdf, page 1/ })).toBeFocused();

  await dialog.getByRole('textbox', { name: 'Search all documents' }).focus();
  await page.keyboard.press('Escape');
  await expect(row('lease.pdf')).toBeVisible();

  await row('lease.pdf').getByRole('button', { name: 'Actions for lease.pdf' }).press('Enter');
  await page.getByRole('menuitem', { name: 'What was read' }).press('Enter');
  const read = page.getByRole('dialog', { name: 'What was read of lease.pdf' });
  await expect(read.getByRole('listitem')).toHaveText([/Pages 1 to 2\s*Have text\./, /Page 2 \(3\)\s*Is blank\./]);
  expect(await violations(page)).toEqual([]);
  await read.getByRole('button', { name: /Page 2 \(3\)/ }).press('Enter');
  await expect(viewer.getByRole('region', { name: 'Page 2 (3)' })).toHaveAttribute('aria-current', 'page');
  await page.keyboard.press('a');
  await expect(viewer).toBeHidden();
  await expect(loupe.question).toBeFocused();
  await expect(page.getByText('About lease.pdf, page 3')).toBeVisible();
  await page.keyboard.press('Control+Shift+D');

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
  await add(save(host.directory, 'locked.pdf', writePdf({ pages: [{ content: line('Salary') }], encryption: rc4Encryption('open') })));
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
  await expect(row('lease.pdf')).toContainText('2 pages have text, 1 is blank.');
});

test('after a restart the pages of a locked document ask for its password again', async ({ loupe, host }, testInfo) => {
  testInfo.skip(testInfo.project.name === 'electron', 'restarts the web host');
  const { page } = loupe;
  await loupe.skipWelcome();
  await page.keyboard.press('Control+Shift+D');
  const { row, add } = library(page);
  await add(save(host.directory, 'locked.pdf', writePdf({ pages: [{ content: line('Salary') }], encryption: rc4Encryption('open') })));
  const question = page.getByRole('dialog', { name: 'locked.pdf needs a password' });
  const password = question.getByRole('textbox', { name: 'Password' });
  await password.fill('open');
  await page.keyboard.press('Enter');
  await expect(row('locked.pdf')).toContainText('1 page has text.');

  await host.stop('SIGTERM');
  await page.goto(await host.start());
  await expect(loupe.question).toBeVisible();
  await page.keyboard.press('Control+Shift+D');
  await row('locked.pdf').getByRole('button', { name: 'locked.pdf', exact: true }).click();
  const viewer = page.getByRole('dialog', { name: 'locked.pdf' });
  const alert = viewer.getByRole('alert').filter({ hasText: 'without its password' });
  for (const [entered, isRight] of [
    ['shut', false],
    ['open', true],
  ] as const) {
    await alert.getByRole('button', { name: 'Enter the password' }).click();
    await password.fill(entered);
    await page.keyboard.press('Enter');
    await expect(question).toBeHidden();
    if (!isRight) await expect(alert).toContainText('The password does not open locked.pdf.');
  }
  await expect(viewer.getByRole('region', { name: 'Page 1' }).getByRole('img')).toHaveJSProperty('complete', true);
  await expect(alert).toBeHidden();
});

test('a page that was read from its picture opens with the words marked', async ({ loupe }) => {
  const { page } = loupe;
  await loupe.skipWelcome();
  await page.keyboard.press('Control+Shift+D');
  const { dialog, row, add } = library(page);
  await add(fileURLToPath(new URL('../fixtures/ocr/pictures/36.png', import.meta.url)));
  await row('36.png').getByRole('button', { name: 'Read the text in its picture' }).click();
  await expect(row('36.png')).toContainText('1 page was read from its picture.', { timeout: 60_000 });
  await dialog.getByRole('textbox', { name: 'Search all documents' }).fill('island');
  await dialog.getByRole('list', { name: 'Pages that were found' }).getByRole('button').press('Enter');
  const viewer = page.getByRole('dialog', { name: '36.png' });
  const mark = viewer.locator('.page .mark');
  await expect(mark).toBeInViewport();
  const [box, sheet] = [(await mark.boundingBox())!, (await viewer.getByRole('region', { name: 'Page 1' }).boundingBox())!];
  // The second word of the sixth line of nine.
  expect(Math.floor(((box.y + box.height / 2 - sheet.y) / sheet.height) * 9)).toBe(5);
  expect(box.width / sheet.width).toBeLessThan(0.3);
  expect(await violations(page)).toEqual([]);
});
