/** A conversation for somebody else: a page that opens anywhere and asks nobody, and a picture. */
import { readFileSync, writeFileSync } from 'node:fs';
import sharp from 'sharp';
import type { Download, Page } from 'playwright/test';
import { violations } from './support/axe.ts';
import { expect, testWithFakeEngine } from './support/loupe.ts';
import { samples } from './support/samples.ts';

const test = testWithFakeEngine(1, 1000);

const said = [
  'Explain this.',
  '',
  '## A heading',
  '',
  'Inline $e^{i\\pi}+1=0$ and **bold**, <script>document.title = "run"</script> and [a page](https://example.org/a).',
  '',
  '$$\\frac{a}{b}$$',
  '',
  '```js',
  'const sum = [1, 2, 3].reduce((a, b) => a + b, 0); // adds',
  '```',
  '',
  '| item | price |',
  '|---|--:|',
  '| Milk | 1.20 |',
  '',
  '- one',
  '  - inside',
].join('\n');

async function share(page: Page, form: 'A web page' | 'A picture'): Promise<Download> {
  const dialog = page.getByRole('dialog', { name: 'Share this conversation' });
  await dialog.getByRole('radio', { name: form }).check();
  const saving = page.waitForEvent('download');
  await dialog.getByRole('button', { name: 'Save' }).click();
  const saved = await saving;
  await expect(dialog).toBeHidden();
  return saved;
}

test('as a page, from the row: it opens by itself in both themes, and asks nobody for anything', async ({
  loupe,
  page,
  browser,
}, testInfo) => {
  await loupe.skipWelcome();
  await loupe.attach(samples[0]!.path);
  await loupe.ask(said);
  await loupe.sidebar.getByRole('button', { name: /^Explain this/ }).click({ button: 'right' });
  await page.getByRole('menuitem', { name: 'Share…' }).click();
  await expect(page.getByRole('dialog', { name: 'Share this conversation' })).toBeVisible();
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await violations(page)).toEqual([]);
    await page.screenshot({ path: testInfo.outputPath(`dialog-${colorScheme}.png`) });
  }
  const saved = await share(page, 'A web page');
  expect(saved.suggestedFilename()).toBe('Explain this.html');
  const path = testInfo.outputPath('shared.html');
  writeFileSync(path, readFileSync(await saved.path()));

  // As whoever gets it opens it: in a browser that has never seen Loupe.
  const elsewhere = await browser.newContext();
  const shared = await elsewhere.newPage();
  const asked: string[] = [];
  shared.on('request', (request) => asked.push(request.url().slice(0, 40)));
  const complaints: string[] = [];
  shared.on('console', (message) => complaints.push(message.text()));
  await shared.goto(`file://${path}`);
  await expect(shared.getByRole('heading', { level: 1 })).toHaveText(/^Explain this/);
  await expect(shared).toHaveTitle(/^Explain this/);
  await expect(shared.getByRole('heading', { name: 'A heading' })).toBeVisible();
  expect(await shared.getByRole('img').evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(20);
  await expect(shared.locator('math')).toHaveCount(2);
  await expect(shared.locator('pre .is-keyword').first()).toHaveText('const');
  await expect(shared.getByRole('cell', { name: '1.20' })).toBeVisible();
  await expect(shared.getByText('<script>document.title = "run"</script>').first()).toBeVisible();
  expect(asked.filter((url) => !url.startsWith('data:') && !url.startsWith('file:'))).toEqual([]);
  const grounds = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    await shared.emulateMedia({ colorScheme });
    grounds.push(await shared.evaluate(() => getComputedStyle(document.body).backgroundColor));
    expect(await violations(shared)).toEqual([]);
    await shared.screenshot({ path: testInfo.outputPath(`page-${colorScheme}.png`), fullPage: true });
  }
  expect(grounds).toEqual(['rgb(251, 250, 247)', 'rgb(23, 22, 20)']);
  // Printed in ink on white, whatever the theme.
  await shared.emulateMedia({ media: 'print', colorScheme: 'dark' });
  expect(await shared.evaluate(() => getComputedStyle(document.body).color)).toBe('rgb(30, 28, 25)');
  await shared.screenshot({ path: testInfo.outputPath('page-print.png'), fullPage: true });
  // A phone.
  await shared.emulateMedia({ media: 'screen', colorScheme: 'light' });
  await shared.setViewportSize({ width: 360, height: 700 });
  expect(await shared.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
  expect(complaints).toEqual([]);
  await elsewhere.close();
});

test('as a picture, from above the conversation: all of it, in the colours of the window', async ({ loupe, page }, testInfo) => {
  const complaints: string[] = [];
  page.on('console', (message) => complaints.push(message.text()));
  await loupe.skipWelcome();
  await loupe.attach(samples[0]!.path);
  await loupe.ask(said);
  const heights = [];
  for (const [colorScheme, ground] of [
    ['light', [251, 250, 247]],
    ['dark', [23, 22, 20]],
  ] as const) {
    await page.emulateMedia({ colorScheme });
    await page.getByRole('button', { name: 'Conversation actions' }).click();
    await page.getByRole('menuitem', { name: 'Share…' }).click();
    const saved = await share(page, 'A picture');
    expect(saved.suggestedFilename()).toBe('Explain this.png');
    const bytes = readFileSync(await saved.path());
    writeFileSync(testInfo.outputPath(`picture-${colorScheme}.png`), bytes);
    const { width, height } = await sharp(bytes).metadata();
    expect(width).toBe(1440);
    heights.push(height);
    const { data } = await sharp(bytes)
      .extract({ left: 2, top: height - 4, width: 1, height: 1 })
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect([...data]).toEqual([...ground]);
  }
  expect(heights[0]).toBeGreaterThan(1200);
  expect(heights[0]).toBe(heights[1]);
  expect(complaints.filter((text) => text.includes('Content Security Policy'))).toEqual([]);
});

test('one that is too long for a picture says so, and is shared as a page', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  await loupe.ask(Array.from({ length: 700 }, (_, line) => `line ${line}`).join('\n'));
  await page.getByRole('button', { name: 'Conversation actions' }).click();
  await page.getByRole('menuitem', { name: 'Share…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Share this conversation' });
  await dialog.getByRole('radio', { name: 'A picture' }).check();
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog.getByRole('alert')).toContainText('too long for one picture');
  const saved = await share(page, 'A web page');
  expect(readFileSync(await saved.path(), 'utf8')).toContain('line 699');
});

test('a private one is shared by an express act, which is said, and stays unkept', async ({ loupe, page, host }) => {
  await loupe.skipWelcome();
  await loupe.sidebar.getByRole('button', { name: 'New private conversation' }).click();
  await loupe.attach(samples[0]!.path);
  await loupe.ask('Something about xylophones');
  await page.getByRole('button', { name: 'Conversation actions' }).click();
  await page.getByRole('menuitem', { name: 'Share…' }).click();
  await expect(page.getByText('This conversation is not kept, but the file stays until you delete it.')).toBeVisible();
  const shared = readFileSync(await (await share(page, 'A web page')).path(), 'utf8');
  expect(shared).toContain('xylophones');
  expect(shared).toContain('src="data:image/webp;base64,');
  expect(readFileSync(`${host.directory}/loupe.db`).includes('xylophones')).toBe(false);
});
