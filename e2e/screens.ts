/**
 * `node node_modules/playwright/cli.js test -c e2e/screens.config.ts`: the states of the window in both themes and three sizes, as
 * build/screens/STATE-SIZE-THEME.png. It fails where a state cannot be reached, and where something is wider than its window.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import type { Page } from 'playwright/test';
import { line, writePdf } from '../main/documents/test/write-pdf.ts';
import { expect, openQuickAsk, pastePicture, testWithFakeEngine, type Window } from './support/loupe.ts';
import { samples } from './support/samples.ts';

const test = testWithFakeEngine(1, 1000);
const folder = fileURLToPath(new URL('../build/screens/', import.meta.url));
const sizes = { small: { width: 420, height: 720 }, usual: { width: 1280, height: 800 }, large: { width: 1920, height: 1080 } };

mkdirSync(folder, { recursive: true });

async function show(page: Page, state: string): Promise<void> {
  for (const [size, viewport] of Object.entries(sizes)) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      // The colours of the other theme are painted over a moment later.
      const paper = colorScheme === 'light' ? 'rgb(251, 250, 247)' : 'rgb(23, 22, 20)';
      await expect.poll(() => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)).toBe(paper);
      await page.waitForTimeout(200);
      await page.screenshot({ path: join(folder, `${state}-${size}-${colorScheme}.png`) });
    }
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect.soft(wide, `${state}, ${size}: wider than its window`).toBeLessThanOrEqual(0);
  }
  await page.setViewportSize(sizes.usual);
}

const answer = [
  'Three things about it.',
  '',
  '## What it costs',
  '',
  '| item | price | note |',
  '|---|--:|---|',
  '| Milk | 1.20 | two litres |',
  '| Bread | 2.50 | **sliced** |',
  '',
  '1. The sum is $1.20 + 2.50 = 3.70$.',
  '2. It was paid in `cash`.',
  '',
  '```python',
  'total = sum(price for _, price in items)  # 3.70',
  '```',
  '',
  '> Keep the receipt.',
].join('\n');

const lease = writePdf({
  pages: [
    {
      content:
        'BT /F 22 Tf 72 720 Td (Residential Lease Agreement) Tj ET\n' +
        Array.from({ length: 20 }, (_, row) =>
          line('The rent is due on the first day of each month, in advance.', 72, 680 - 18 * row),
        ).join(''),
    },
    { content: line('Signatures') },
  ],
});

async function askAboutPicture(loupe: Window): Promise<void> {
  await loupe.attach(samples[0]!.path);
  await loupe.ask(answer);
}

test('the main window', async ({ loupe, page }) => {
  await expect(page.getByRole('button', { name: 'Start without a picture' })).toBeVisible();
  await show(page, 'welcome');
  await loupe.skipWelcome();
  await show(page, 'empty');
  await askAboutPicture(loupe);
  await show(page, 'conversation');
  await page.getByRole('button', { name: 'What the model sees', exact: true }).click();
  await show(page, 'inspector');
  await page.getByRole('button', { name: 'What the model sees', exact: true }).click();

  const menu = async (entry: string): Promise<void> => {
    await page.getByRole('button', { name: 'Conversation actions' }).click();
    await page.getByRole('menuitem', { name: entry }).click();
  };
  await page.getByRole('button', { name: 'Conversation actions' }).click();
  await show(page, 'menu');
  await page.keyboard.press('Escape');
  await menu('Tags…');
  for (const tag of ['receipts', 'the house']) {
    await page.keyboard.type(tag);
    await page.keyboard.press('Enter');
  }
  await show(page, 'tags');
  await page.keyboard.press('Enter');
  await menu('Share…');
  await show(page, 'share');
  await page.keyboard.press('Escape');
  await menu('Instructions…');
  await show(page, 'instructions');
  await page.keyboard.press('Escape');
  await menu('Delete now…');
  await show(page, 'delete-now');
  await page.keyboard.press('Escape');

  for (const text of ['A second matter', 'The price of bread and milk, and why it changes so much from one week to the next']) {
    await loupe.startNew();
    await loupe.ask(text);
  }
  await page.keyboard.press('Control+k');
  await page.keyboard.type('milk');
  await expect(page.getByText(/hits?$/).first()).toBeVisible();
  await show(page, 'search');
  await page.keyboard.press('Control+k');
  await page.getByRole('textbox', { name: 'Search all conversations' }).fill('nowhere');
  await expect(page.getByText('Nothing contains “nowhere”.')).toBeVisible();
  await show(page, 'search-nothing');
  await page.keyboard.press('Escape');
  await loupe.question.focus();
  await page.keyboard.press('Control+f');
  await page.keyboard.type('matter');
  await show(page, 'find');
  await page.keyboard.press('Escape');
  await loupe.sidebar.getByRole('button', { name: 'A second matter', exact: true }).click({ modifiers: ['Control'] });
  await show(page, 'chosen');
  await loupe.sidebar.getByRole('button', { name: 'Cancel' }).click();

  await loupe.startNew();
  for (const { path } of samples.slice(0, 3)) await loupe.attach(path);
  await show(page, 'attached');
  await page.getByRole('button', { name: 'Compose them' }).click();
  await expect(page.getByRole('button', { name: 'Use this composition' })).toBeEnabled();
  await show(page, 'compose');
  await page.keyboard.press('Escape');
  await pastePicture(page, Buffer.from('\x89PNG\r\n\x1a\nnonsense', 'latin1'), 'broken.png');
  await expect(page.getByRole('alert')).toBeVisible();
  await show(page, 'error');

  await loupe.sidebar.getByRole('button', { name: 'New private conversation' }).click();
  await expect(page.getByRole('heading', { name: 'A private conversation' })).toBeVisible();
  await show(page, 'private');
});

test('the pages over it', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  await page.keyboard.press('Control+,');
  const settings = page.getByRole('dialog', { name: 'Settings' });
  for (const section of await settings.getByRole('navigation').getByRole('button').all()) {
    const name = (await section.innerText()).trim();
    await section.click();
    await show(page, `settings-${name.toLowerCase().replace(/\W+/g, '-')}`);
  }
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Demo model, on the processor' }).click();
  await show(page, 'models');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Help and about' }).click();
  await page.getByRole('menuitem', { name: 'Keyboard shortcuts' }).click();
  await show(page, 'shortcuts');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Help and about' }).click();
  await page.getByRole('menuitem', { name: 'About Loupe' }).click();
  await show(page, 'about');
  await page.keyboard.press('Escape');

  await page.getByRole('button', { name: 'Documents' }).click();
  await show(page, 'library-empty');
  await page.keyboard.press('Escape');
  const choosing = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: 'Attach pictures' }).click();
  await (
    await choosing
  ).setFiles([
    { name: 'lease.pdf', mimeType: 'application/pdf', buffer: Buffer.from(lease) },
    { name: 'scan.png', mimeType: 'image/png', buffer: await sharp(samples[1]!.path).resize(900).png().toBuffer() },
  ]);
  await expect(page.getByRole('article', { name: 'lease.pdf' })).toBeVisible();
  await page.waitForTimeout(3_000);
  await show(page, 'library');
  await page.getByRole('article', { name: 'lease.pdf' }).getByRole('button', { name: 'lease.pdf', exact: true }).click();
  await page.waitForTimeout(2_000);
  await show(page, 'viewer');
});

test('the small window, and a host that is gone', async ({ loupe, page, host }) => {
  await loupe.skipWelcome();
  await openQuickAsk(page);
  await show(page, 'quick-empty');
  await pastePicture(page, await sharp(samples[0]!.path).png().toBuffer());
  await expect(page.getByRole('button', { name: 'Copy text' })).toBeVisible();
  await show(page, 'quick-picture');
  await loupe.question.fill('What does it say?');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: 'Open in Loupe' })).toBeEnabled();
  await page.waitForTimeout(1_000);
  await show(page, 'quick-answer');
  await page.goto(new URL('/', page.url()).href);
  await expect(loupe.question).toBeVisible();
  await host.stop('SIGKILL');
  await expect(page.getByText('The connection to Loupe was lost.')).toBeVisible();
  await show(page, 'host-gone');
});
