/** The text of a picture into the clipboard: in the main window, the small one and while capturing; by keyboard, without a model. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import type { Page } from 'playwright/test';
import { violations } from './support/axe.ts';
import { expect, openQuickAsk, pastePicture, testWithFakeEngine, type Window } from './support/loupe.ts';

const test = testWithFakeEngine(5);

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/ocr/${name}`, import.meta.url));
const truth = JSON.parse(readFileSync(fixture('truth.json'), 'utf8')) as { file: string; lines: string[] }[];
const linesOf = (file: string): string[] => truth.find((entry) => entry.file === file)!.lines;
const list = 'pictures/36.png';
const table = 'pictures/03.png';

/** Attached, and read. */
async function attach(page: Page, loupe: Window, name: string): Promise<void> {
  await loupe.attach(fixture(name));
  await expect(page.getByRole('button', { name: `Remove ${basename(name)}` })).toBeVisible();
}

const clipboard = (page: Page): Promise<string> => page.evaluate(() => navigator.clipboard.readText());
/** Of the picture in the clipboard: width and height. */
const copiedSize = (page: Page): Promise<number[]> =>
  page.evaluate(async () => {
    const [item] = await navigator.clipboard.read();
    const { width, height } = await createImageBitmap(await item!.getType('image/png'));
    return [width, height];
  });
const notices = (page: Page) => page.getByRole('region', { name: 'Notifications' });

test.beforeEach(async ({ context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
});

test('of a picture that is attached, that was asked about, and that is looked at', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  await expect(notices(page)).toBeEmpty();
  await page.keyboard.press('Control+Shift+x');
  await expect(notices(page)).toContainText('There is no picture to copy text from.');
  await attach(page, loupe, table);
  await page.keyboard.press('Control+Shift+x');
  await expect(notices(page)).toContainText('9 lines copied');
  const words = linesOf(table);
  expect(await clipboard(page)).toBe(Array.from({ length: 9 }, (_, row) => words.slice(row * 4, row * 4 + 4).join('\t')).join('\n'));
  expect(await violations(page), 'copied').toEqual([]);
  await loupe.ask('What is it?');
  await page.evaluate(() => navigator.clipboard.writeText('something else'));
  await page.getByRole('button', { name: /^Actions for/ }).click();
  await page.getByRole('menuitem', { name: 'Copy text' }).click();
  await expect.poll(() => clipboard(page)).toContain('Quantity');
  await page.evaluate(() => navigator.clipboard.writeText('something else'));
  await page.keyboard.press('Control+i');
  await page.getByRole('complementary', { name: 'What the model sees' }).getByRole('button', { name: 'Copy text' }).click();
  await expect.poll(() => clipboard(page)).toContain('Quantity');
});

test('says how far it is, stops when told to, and says when there is nothing', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  await attach(page, loupe, 'screen.png');
  await page.evaluate(() => navigator.clipboard.writeText('untouched'));
  await page.keyboard.press('Control+Shift+x');
  await expect(notices(page)).toContainText(/lines? so far/);
  expect(await violations(page), 'reading').toEqual([]);
  await notices(page).getByRole('button', { name: 'Stop' }).click();
  await expect(notices(page)).not.toContainText('Reading the text');
  expect(await clipboard(page)).toBe('untouched');
  const choosing = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: 'Attach pictures' }).click();
  const buffer = await sharp({ create: { width: 300, height: 200, channels: 3, background: '#336699' } })
    .png()
    .toBuffer();
  await (await choosing).setFiles({ name: 'empty.png', mimeType: 'image/png', buffer });
  await expect(page.getByRole('button', { name: 'Remove empty.png' })).toBeVisible();
  await page.keyboard.press('Control+Shift+x');
  await expect(notices(page)).toContainText('No text was found in this picture.');
  expect(await clipboard(page)).toBe('untouched');
});

test('in the small window, by button and by key', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  await attach(page, loupe, list);
  const address = (await loupe.chips().locator('img').getAttribute('src'))!;
  await page.setViewportSize({ width: 420, height: 560 });
  await page.goto(new URL(`/?view=quick&picture=${/[0-9a-f]{64}/.exec(address)![0]}`, page.url()).href);
  await expect(loupe.question).toBeFocused();
  await page.keyboard.press('Control+Shift+x');
  await expect(notices(page)).toContainText('9 lines copied');
  expect((await clipboard(page)).split('\n').filter(Boolean)).toEqual(linesOf(list));
  await page.evaluate(() => navigator.clipboard.writeText('something else'));
  await page.getByRole('button', { name: 'Copy text' }).click();
  await expect.poll(() => clipboard(page)).toContain(linesOf(list)[0]!);
  expect(await violations(page)).toEqual([]);
});

test('of a part of the screen, by one key or a button', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  await page.evaluate(
    async (data) => {
      const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
      const image = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [800, 600];
      const context = canvas.getContext('2d')!;
      const draw = (): void => {
        context.fillStyle = '#ffffff';
        context.fillRect(0, 0, 800, 600);
        context.drawImage(image, 100, 100);
      };
      navigator.mediaDevices.getDisplayMedia = async () => {
        const stream = canvas.captureStream(30);
        setInterval(draw, 30);
        return stream;
      };
    },
    readFileSync(fixture(list)).toString('base64'),
  );
  const overlay = page.getByRole('application', { name: /Frozen screen/ });
  await page.keyboard.press('Control+Shift+c');
  await expect(overlay).toBeVisible();
  await page.keyboard.press('c');
  await expect(notices(page)).toContainText('9 lines copied');
  await expect(overlay).toBeHidden();
  expect((await clipboard(page)).split('\n').filter(Boolean)).toEqual(linesOf(list));
  await expect(loupe.chips()).toHaveCount(0);
  // The region as a picture: it goes to the clipboard, and nothing of it is kept.
  await page.keyboard.press('Control+Shift+c');
  await expect(overlay).toBeVisible();
  await page.keyboard.press('p');
  await expect(notices(page)).toContainText('Picture copied.');
  await expect(overlay).toBeHidden();
  expect(await copiedSize(page)).toEqual([800, 600]);
  await expect(loupe.chips()).toHaveCount(0);

  await page.keyboard.press('Control+Shift+c');
  await expect(overlay).toBeVisible();
  await page.keyboard.press('a');
  await page.getByRole('button', { name: 'Copy text' }).click();
  await expect(overlay).toBeHidden();
});

test('the picture of the quick-ask window is copied and saved', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  await openQuickAsk(page);
  await pastePicture(page, readFileSync(fixture(list)), 'list.png');
  await page.getByRole('button', { name: 'Copy picture' }).click();
  await expect(notices(page)).toContainText('Picture copied.');
  const { width = 0, height = 0 } = await sharp(fixture(list)).metadata();
  expect(await copiedSize(page)).toEqual([width, height]);
  const downloading = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save picture' }).click();
  const download = await downloading;
  expect(download.suggestedFilename()).toBe('list.png');
  expect(await sharp(await download.path()).metadata()).toMatchObject({ format: 'png', width, height });
});

test('the search finds words in a picture of a conversation, and says so; switched off, it forgets them', async ({ loupe, page }) => {
  // Pictures are read when nobody has waited for a while.
  test.setTimeout(180_000);
  await loupe.skipWelcome();
  await attach(page, loupe, table);
  await loupe.ask('What is it?');
  const search = page.getByRole('textbox', { name: 'Search all conversations' });
  const results = page.getByRole('navigation').locator('.hit');
  await expect(async () => {
    await search.fill('');
    await search.fill('quantity');
    await expect(results).toHaveCount(1, { timeout: 1_000 });
  }).toPass({ timeout: 150_000, intervals: [2_000] });
  await expect(results).toContainText('In the picture');
  await expect(results.locator('mark')).toHaveText('Quantity');
  expect(await violations(page)).toEqual([]);
  await page.keyboard.press('Control+,');
  const choice = page.getByRole('switch', { name: 'Search the text in pictures' });
  await expect(choice).toBeChecked();
  await choice.click();
  await expect(choice).not.toBeChecked();
  await page.keyboard.press('Escape');
  await search.fill('');
  await search.fill('quantity');
  await expect(page.getByText('Nothing contains “quantity”.')).toBeVisible();
});

test('where an answer differs from the text of its picture, a line below it shows both', async ({ loupe, page }) => {
  const differences = [
    { offset: 0, length: 5, answer: '1,208', picture: '1,280' },
    { offset: 9, length: 4, answer: '7200', picture: null },
  ];
  // The engine of these tests says back what it is asked, which is never doubted: the finding is put into what the app reports.
  await page.routeWebSocket(/.*/, (window) => {
    const app = window.connectToServer();
    app.onMessage((message) =>
      window.send(
        typeof message === 'string' ? message.replaceAll('"differences":[]', `"differences":${JSON.stringify(differences)}`) : message,
      ),
    );
  });
  await page.reload();
  await loupe.skipWelcome();
  await loupe.ask('1,208 and 7200');
  const said = loupe.answers.last().getByRole('region', { name: 'Compared with the text in the picture' });
  await expect(said.getByRole('listitem')).toHaveText([
    'The picture’s text says 1,280; the answer says 1,208.',
    'The answer says 7200; the picture’s text does not have it.',
  ]);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await violations(page), colorScheme).toEqual([]);
  }
});

test('words of an answer lead to their place in the picture, by pointer and by keyboard', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  await attach(page, loupe, table);
  // The engine of these tests says back what it is asked.
  await loupe.ask('Supply current costs 179.58, and **Table** is 63.54 of nowhere.');
  const answer = loupe.answers.last();
  const dialog = page.getByRole('dialog', { name: '03.png' });
  const said = dialog.getByRole('status');
  const mark = dialog.locator('.mark');

  // By keyboard, which reads the text where it is not known yet.
  await answer.getByRole('button', { name: 'Find its words in the picture' }).press('Enter');
  await expect(said).toHaveText('“Supply current”');
  await expect(mark).toHaveCount(1);
  await expect(mark.first()).toBeInViewport();
  await expect(dialog.locator('img')).toHaveJSProperty('complete', true);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await violations(page), colorScheme).toEqual([]);
  }
  await page.keyboard.press(']');
  await expect(said).toHaveText('“179.58”');
  await page.keyboard.press(']');
  await expect(said).toHaveText('“Table”');
  await page.keyboard.press('[');
  await expect(said).toHaveText('“179.58”');
  // In the picture, the price is in the last column of the fifth line of nine.
  const [box, whole] = [(await mark.boundingBox())!, (await dialog.locator('img').boundingBox())!];
  expect((box.x - whole.x) / whole.width).toBeGreaterThan(0.5);
  expect((box.y + box.height / 2 - whole.y) / whole.height).toBeCloseTo(0.5, 0);
  await dialog.getByRole('button', { name: 'Actual size' }).click();
  await expect(mark).toBeInViewport();
  await page.keyboard.press('Escape');
  await expect(dialog).toBeHidden();
  await expect(answer.getByRole('button', { name: 'Find its words in the picture' })).toBeFocused();

  // By pointer: the words that are there, and no others.
  await answer.hover();
  const words = answer.locator('.found');
  await expect(words).toHaveText(['Supply current', '179.58', 'Table', '63.54']);
  expect(await violations(page)).toEqual([]);
  await words.nth(3).click();
  await expect(said).toHaveText('“63.54”');
  await page.keyboard.press('Escape');
  // What is being selected is not clicked.
  await words.nth(1).dblclick();
  await page.keyboard.press('Escape');
  await answer.getByText('of nowhere').click();
  await expect(dialog).toBeHidden();
});
