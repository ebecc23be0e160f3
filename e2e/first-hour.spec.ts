/** What a new user does in the first hour, and where it must not stumble. */
import sharp from 'sharp';
import type { Page } from 'playwright/test';
import { expect, testWithFakeEngine } from './support/loupe.ts';

const test = testWithFakeEngine(1, 1000);

async function flat(background: string): Promise<Buffer> {
  return sharp({ create: { width: 120, height: 80, channels: 3, background } })
    .png()
    .toBuffer();
}

/** As a program leaves a picture on the clipboard. */
async function pastePicture(page: Page, bytes: Buffer): Promise<void> {
  await page.evaluate((base64) => {
    const data = new DataTransfer();
    data.items.add(new File([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], 'shot.png', { type: 'image/png' }));
    document.activeElement!.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
  }, bytes.toString('base64'));
}

test('the quick-ask window first: what was asked there is not hidden by the first page', async ({ loupe, page }) => {
  await expect(page.getByRole('button', { name: 'Start without a picture' })).toBeVisible();
  await page.goto(new URL('/?view=quick', page.url()).href);
  await expect(page.getByText('There is no picture')).toBeVisible();
  await pastePicture(page, await flat('#336699'));
  await loupe.question.fill('What colour is it?');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Open in Loupe' }).click();
  await expect(loupe.answers).toHaveCount(1);
  await expect(loupe.question).toBeFocused();
  await page.getByRole('button', { name: 'New conversation' }).click();
  await page.goto(new URL('/', page.url()).href);
  await expect(loupe.question).toBeFocused();
});

test('the keyboard is where one types', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  await loupe.ask('First matter');
  await page.getByRole('button', { name: 'New conversation' }).click();
  await expect(loupe.answers).toHaveCount(0);
  await loupe.ask('Second matter');
  await loupe.sidebar.getByRole('button', { name: /^First matter/ }).click();
  await expect(loupe.question).toBeFocused();
  await expect(page.getByRole('article').first()).toContainText('First matter');

  // Typed elsewhere, it goes to the field; the space bar and keys of the list stay what they are.
  await loupe.sidebar.getByRole('button', { name: 'Settings' }).focus();
  await page.keyboard.type('Typed anywhere');
  await expect(loupe.question).toHaveValue('Typed anywhere');
  await loupe.question.fill('');

  for (const [name, colour] of [
    ['red.png', '#c00'],
    ['green.png', '#0a0'],
  ] as const) {
    const choosing = page.waitForEvent('filechooser');
    await page.getByRole('button', { name: 'Attach pictures' }).click();
    await (await choosing).setFiles({ name, mimeType: 'image/png', buffer: await flat(colour) });
    await expect(page.getByRole('button', { name: `Remove ${name}` })).toBeVisible();
  }
  await page.getByRole('button', { name: 'Compose them' }).click();
  await page.getByRole('button', { name: 'Use this composition' }).click();
  await expect(loupe.chips()).toHaveCount(1);
  await expect(loupe.question).toBeFocused();
});

test('the open conversation is renamed, exported and deleted from the field, its row and the menu above it', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  await loupe.ask('First matter');
  await loupe.startNew();
  await loupe.ask('Second matter');
  await loupe.sidebar.getByRole('button', { name: /^First matter/ }).click();
  await expect(loupe.question).toBeFocused();

  await page.keyboard.press('F2');
  const title = page.getByRole('textbox', { name: 'New title' });
  await expect(title).toBeFocused();
  await title.fill('Breakfast');
  await title.press('Enter');
  await expect(page.getByRole('heading', { name: 'Breakfast' })).toBeVisible();
  await expect(loupe.question).toBeFocused();

  const row = loupe.sidebar.getByRole('button', { name: /^Breakfast/ });
  await row.click({ button: 'right', position: { x: 20, y: 10 } });
  const items = page.getByRole('menuitem');
  await expect(items.first()).toBeFocused();
  const offered = async (): Promise<string[]> => items.locator('.label').allInnerTexts();
  const inRow = await offered();
  expect(inRow).toEqual(['Rename', 'Pin', 'Export as Markdown', 'Export as JSON', 'Delete', 'Delete now…']);
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Conversation actions' }).click();
  await expect(items.first()).toBeFocused();
  expect(await offered()).toEqual(inRow);
  await page.keyboard.press('Escape');

  // The keyboard's own way to a context menu.
  await row.focus();
  await page.keyboard.press('Shift+F10');
  await expect(items.first()).toBeFocused();
  await page.keyboard.press('Escape');

  await loupe.question.focus();
  await page.keyboard.press('Control+Shift+Backspace');
  await expect(row).toHaveCount(0);
  await expect(loupe.answers).toHaveCount(0);
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(page.getByRole('heading', { name: 'Breakfast' })).toBeVisible();
});

/** As a program leaves a text on the clipboard; the browser inserts it by itself. */
async function pasteText(page: Page, text: string): Promise<void> {
  await page.evaluate((words) => navigator.clipboard.writeText(words), text);
  await page.keyboard.press('Control+v');
}

test('a long text is cut before it is inserted, refused where the model has no room for it, and folded in the conversation', async ({
  loupe,
  page,
  context,
}) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await loupe.skipWelcome();
  // Counted, not timed: the field never holds more than it may, not even for a moment.
  await loupe.question.evaluate((field: HTMLTextAreaElement) => {
    field.addEventListener('input', () => {
      document.body.dataset['most'] = String(Math.max(Number(document.body.dataset['most'] ?? 0), field.value.length));
    });
  });
  await loupe.question.fill('Before ');
  await pasteText(page, `line\r\n${'word '.repeat(100_000)}`);
  await expect(page.getByText(/A question can have 200,000 characters at most\. .* left out\./)).toBeVisible();
  expect(await loupe.question.evaluate((field: HTMLTextAreaElement) => field.value.length)).toBe(200_000);
  expect(await page.evaluate(() => document.body.dataset['most'])).toBe('200000');
  await expect(loupe.question).toHaveValue(/^Before line\nword word/);

  // 40,000 words: the model has room for 8,192.
  await loupe.question.fill('word '.repeat(40_000));
  await expect(page.getByText('too long', { exact: true })).toBeVisible();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('alert')).toContainText('This question is too long for the model');
  await expect(loupe.question).toHaveValue(/^word word/);
  await expect(loupe.answers).toHaveCount(0);
  await expect(loupe.sidebar.getByText('Your conversations will be listed here.')).toBeVisible();

  await loupe.ask('word '.repeat(2_000));
  const asked = page.getByRole('article', { name: 'You' });
  const shown = (): Promise<number> => asked.locator('.words p').evaluate((words) => words.textContent.length);
  expect(await shown()).toBeLessThan(1_300);
  await asked.getByRole('button', { name: 'Show all 9,999 characters' }).click();
  expect(await shown()).toBe(9_999);
  await asked.getByRole('button', { name: 'Show less' }).click();
  expect(await shown()).toBeLessThan(1_300);
});
