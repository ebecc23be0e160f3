/** What a new user does in the first hour, and where it must not stumble. */
import sharp from 'sharp';
import type { Page } from 'playwright/test';
import { line, writePdf } from '../main/documents/test/write-pdf.ts';
import { violations } from './support/axe.ts';
import { expect, openQuickAsk, pastePicture, testWithFakeEngine, testWithWaitingEngine } from './support/loupe.ts';

const test = testWithFakeEngine(1, 1000);

async function flat(background: string): Promise<Buffer> {
  return sharp({ create: { width: 120, height: 80, channels: 3, background } })
    .png()
    .toBuffer();
}

test('the quick-ask window first: what was asked there is not hidden by the first page', async ({ loupe, page }) => {
  await expect(page.getByRole('button', { name: 'Start without a picture' })).toBeVisible();
  await openQuickAsk(page);
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

test('a start that takes its time shows the places of the window, and never the first page to somebody who has begun', async ({
  loupe,
  page,
}) => {
  await expect(page.getByRole('button', { name: 'Start without a picture' })).toBeVisible();
  await openQuickAsk(page);
  await pastePicture(page, await flat('#336699'));
  await loupe.question.fill('What colour is it?');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: 'Open in Loupe' })).toBeVisible();
  // As on a slow machine: what each reply waits for is let go by hand.
  const held = new Map<string, () => void>();
  await page.routeWebSocket(/./, (route) => {
    const app = route.connectToServer();
    route.onMessage((frame) => {
      const { name } = JSON.parse(String(frame)) as { name: string };
      if (name === 'engine.state' || name === 'conversations.list') held.set(name, () => app.send(frame));
      else app.send(frame);
    });
  });
  await page.addInitScript(() => {
    new MutationObserver(() => {
      const seen = [...document.querySelectorAll('button')].some(({ textContent }) => textContent.includes('Start without a picture'));
      if (seen) document.documentElement.dataset['flashed'] = 'yes';
    }).observe(document, { childList: true, subtree: true });
  });
  await page.goto(new URL('/', page.url()).href);
  const starting = page.getByRole('status').filter({ hasText: 'Starting Loupe…' });
  for (const name of ['engine.state', 'conversations.list']) {
    await expect.poll(() => held.has(name)).toBe(true);
    await expect(starting).toBeAttached();
    held.get(name)!();
  }
  await expect(loupe.question).toBeFocused();
  await expect(starting).toHaveCount(0);
  await expect(loupe.sidebar).toContainText('What colour is it?');
  expect(await page.evaluate(() => document.documentElement.dataset['flashed'])).toBeUndefined();
});

test('a document first: chosen on the first page, and attached in a conversation, it opens the library', async ({ loupe, page }) => {
  const pdf = {
    name: 'lease.pdf',
    mimeType: 'application/pdf',
    buffer: Buffer.from(writePdf({ pages: [{ content: line('Rent is due') }] })),
  };
  const documents = page.getByRole('dialog', { name: 'Documents' });
  const choose = async (button: string, file: typeof pdf): Promise<void> => {
    const choosing = page.waitForEvent('filechooser');
    await page.getByRole('button', { name: button }).click();
    await (await choosing).setFiles(file);
  };
  await choose('Choose a picture or PDF', pdf);
  await expect(documents.getByRole('article', { name: 'lease.pdf' })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(loupe.question).toBeFocused();
  await choose('Attach pictures or PDFs', { ...pdf, name: 'addendum.pdf', buffer: Buffer.concat([pdf.buffer, Buffer.from('\n')]) });
  await expect(documents.getByRole('article', { name: 'addendum.pdf' })).toBeVisible();
  // Nothing of it is attached as a picture.
  await page.keyboard.press('Escape');
  await expect(loupe.chips()).toHaveCount(0);
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
  const usual = ['Rename', 'Pin', 'Tags…', 'Instructions…', 'Share…', 'Export as Markdown', 'Export as JSON', 'Delete', 'Delete now…'];
  // Several are chosen in the list alone.
  expect(inRow).toEqual([...usual.slice(0, 7), 'Select', ...usual.slice(7)]);
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Conversation actions' }).click();
  await expect(items.first()).toBeFocused();
  expect(await offered()).toEqual(usual);
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

test('a conversation has instructions of its own, which stay and are seen', async ({ loupe, page }, testInfo) => {
  await loupe.skipWelcome();
  await loupe.ask('First matter');
  await page.getByRole('button', { name: 'Conversation actions' }).click();
  await page.getByRole('menuitem', { name: 'Instructions…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Instructions for this conversation' });
  const field = dialog.getByRole('textbox', { name: 'What the model should keep in mind' });
  await expect(field).toBeFocused();
  await page.keyboard.type('Answer in French.');
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await violations(page)).toEqual([]);
    await page.screenshot({ path: testInfo.outputPath(`instructions-${colorScheme}.png`) });
  }
  await page.keyboard.press('Control+Enter');
  await expect(dialog).toBeHidden();
  await expect(loupe.question).toBeFocused();
  await page.reload();
  await page.getByRole('button', { name: 'This conversation has instructions' }).click();
  await expect(field).toHaveValue('Answer in French.');
  await field.fill('');
  await dialog.getByRole('button', { name: 'Keep' }).click();
  await expect(page.getByRole('button', { name: 'This conversation has instructions' })).toBeHidden();
});

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

test('what the model sees of an attached picture opens in a new conversation, from its name as well', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  const choosing = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: 'Attach pictures' }).click();
  await (await choosing).setFiles({ name: 'red.png', mimeType: 'image/png', buffer: await flat('#c00') });
  const panel = page.getByRole('complementary', { name: 'What the model sees' });
  await expect(page.getByRole('button', { name: 'Remove red.png' })).toBeVisible();
  await loupe.chips().getByText('red.png').click();
  await expect(panel).toBeVisible();
  await page.getByRole('button', { name: 'What the model sees', exact: true }).click();
  await expect(panel).toHaveCount(0);
});

test('a long conversation is read by keys: one press to each end, and by pages from the field', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  for (let turn = 0; turn < 14; turn++) await loupe.ask(`Turn ${turn}: ${'words and more words '.repeat(60)}`);
  await page.reload();
  const thread = page.getByRole('region', { name: 'Conversation' });
  await expect(loupe.answers.last()).toBeVisible();
  const fromEnd = (): Promise<number> => thread.evaluate((it) => Math.round(it.scrollHeight - it.scrollTop - it.clientHeight));
  const fromStart = (): Promise<number> => thread.evaluate((it) => Math.round(it.scrollTop));

  await loupe.question.focus();
  await expect.poll(fromEnd).toBeLessThan(2);
  // As a person does: again, where the page was still finding out how high it is.
  await expect(async () => {
    await page.keyboard.press('PageUp');
    expect(await fromEnd()).toBeGreaterThan(200);
  }).toPass({ timeout: 20_000 });
  await expect(async () => {
    await page.keyboard.press('PageDown');
    expect(await fromEnd()).toBeLessThan(2);
  }).toPass({ timeout: 20_000 });
  await expect(loupe.question).toBeFocused();

  await thread.focus();
  await page.keyboard.press('Home');
  await expect.poll(fromStart).toBe(0);
  await expect(page.getByRole('article').first()).toContainText('Turn 0:');
  await page.keyboard.press('End');
  await expect.poll(fromEnd).toBeLessThan(2);
});

test('a notice is closed, the text grows, and the numbers of an answer never lie on it', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  const choosing = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: 'Attach pictures' }).click();
  await (
    await choosing
  ).setFiles({ name: 'broken.png', mimeType: 'image/png', buffer: Buffer.from('\x89PNG\r\n\x1a\nnonsense', 'latin1') });
  const notice = page.getByRole('alert');
  await expect(notice).toContainText('broken.png is damaged or cut short.');
  await expect(notice).not.toContainText('buffer');
  await notice.getByRole('button', { name: 'Dismiss' }).click();
  await expect(notice).toHaveCount(0);

  await loupe.ask('How long?');
  await loupe.answers.last().hover();
  const numbers = page.getByRole('button', { name: /^How long it took/ });
  const bubble = page.locator('.tooltip');
  // The answer may still move up from under the pointer.
  await expect(async () => {
    await page.mouse.move(0, 0);
    await numbers.hover();
    await expect(bubble).toBeVisible({ timeout: 2_000 });
  }).toPass({ timeout: 20_000 });
  const [above, below] = [await numbers.boundingBox(), await bubble.boundingBox()];
  expect(below!.y).toBeGreaterThanOrEqual(above!.y + above!.height);

  const height = (): Promise<number> => loupe.answers.last().evaluate((answer) => parseFloat(getComputedStyle(answer).fontSize));
  const before = await height();
  await page.keyboard.press('Control+,');
  await page.getByRole('radio', { name: 'Larger' }).check();
  await expect.poll(height).toBe(before * 1.25);
});

test('words are found in a conversation: counted, marked, stepped through, and left with Escape', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  for (let turn = 0; turn < 12; turn++) await loupe.ask(`Turn ${turn} ${turn === 1 ? '**marma**lade' : ''} ${'more words '.repeat(40)}`);
  await page.reload();
  await expect(loupe.answers.last()).toBeVisible();
  await page.keyboard.press('Control+f');
  const field = page.getByRole('textbox', { name: 'Find in this conversation' });
  await expect(field).toBeFocused();
  await page.keyboard.type('MARMALADE');
  const bar = page.getByRole('search', { name: 'Find in this conversation' });
  // The answer, where bold letters part the word; in the question there are stars in it.
  await expect(bar.getByRole('status')).toHaveText('1 of 1');
  await expect(page.getByText('marma', { exact: true })).toBeInViewport();
  const marked = (): Promise<string[]> =>
    page.evaluate(() => [...(CSS.highlights.get('found-current') ?? [])].map((range) => (range as Range).toString()));
  expect(await marked()).toEqual(['marmalade']);
  await field.fill('Turn 1');
  await expect(bar.getByRole('status')).toHaveText('1 of 6');
  await page.keyboard.press('Enter');
  await expect(bar.getByRole('status')).toHaveText('2 of 6');
  await page.keyboard.press('Shift+F3');
  await page.keyboard.press('Shift+F3');
  await expect(bar.getByRole('status')).toHaveText('6 of 6');
  await field.fill('nowhere to be found');
  await expect(bar.getByRole('status')).toHaveText('Not found');
  await page.keyboard.press('Escape');
  await expect(bar).toHaveCount(0);
  await expect(loupe.question).toBeFocused();
  expect(await marked()).toEqual([]);
});

testWithWaitingEngine(1)(
  'an answer that Loupe was writing when it went away leaves no button to stop it',
  async ({ loupe, page, host }) => {
    await loupe.skipWelcome();
    await loupe.question.fill('word '.repeat(500));
    await page.keyboard.press('Enter');
    await expect(loupe.stop).toBeVisible();
    await host.stop('SIGKILL');
    await expect(page.getByText('The connection to Loupe was lost.')).toBeVisible();
    await expect(loupe.stop).toHaveCount(0);
    await expect(loupe.send).toBeDisabled();
  },
);
