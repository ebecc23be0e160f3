/** The search of all conversations: a row for each, and the way to the words. */
import sharp from 'sharp';
import { violations } from './support/axe.ts';
import { expect, testWithFakeEngine } from './support/loupe.ts';

const test = testWithFakeEngine(1, 1000);

test('a hit leads to its words, which are marked, counted and stepped through', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  const filler = Array.from({ length: 60 }, (_, index) => `Line ${index} of something else.`).join('\n\n');
  await loupe.ask('When is the rent due?');
  await loupe.ask(filler);
  await loupe.ask('Who pays the rent and the heating?');
  await loupe.ask(filler);
  await loupe.startNew();
  await loupe.ask('Another matter, without it');

  await page.keyboard.press('Control+k');
  await page.keyboard.type('rent');
  const results = loupe.sidebar.locator('.results');
  // A question and its answer, twice, and the title.
  await expect(results.getByRole('status')).toHaveText('5 hits');
  await expect(results.locator('.head')).toHaveCount(1);
  await expect(results.locator('.hit')).toHaveCount(3);
  await results.getByRole('button', { name: '2 more in When is the rent due?' }).press('Enter');
  await expect(results.locator('.hit')).toHaveCount(4);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await violations(page)).toEqual([]);
  }

  await results.getByRole('button', { name: /^Who pays the/ }).click();
  const bar = page.getByRole('search', { name: 'Find in this conversation' });
  await expect(bar.getByRole('textbox')).toHaveValue('rent');
  await expect(bar.getByRole('status')).toHaveText('3 of 4');
  await expect(page.getByText('Who pays the rent and the heating?', { exact: true }).last()).toBeInViewport();
  const marked = (name: string): Promise<string[]> =>
    page.evaluate((of) => [...(CSS.highlights.get(of) ?? [])].map((range) => (range as Range).toString()), name);
  expect(await marked('found')).toEqual(['rent', 'rent', 'rent', 'rent']);
  expect(await marked('found-current')).toEqual(['rent']);
  await page.keyboard.press('F3');
  await expect(bar.getByRole('status')).toHaveText('4 of 4');
  await bar.getByRole('button', { name: 'Close' }).click();
  expect(await marked('found')).toEqual([]);

  // Words that stand apart: what matched is marked.
  await page.keyboard.press('Control+k');
  await page.keyboard.press('Control+a');
  await page.keyboard.type('heating who');
  await expect(results.getByRole('status')).toHaveText('2 hits');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await expect(bar.getByRole('textbox')).toHaveValue('Who');
});

test('a picture that was named is found by its name, and what is chosen leads there without marks', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  const buffer = await sharp({ create: { width: 40, height: 30, channels: 3, background: '#369' } })
    .png()
    .toBuffer();
  const choosing = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: 'Attach pictures' }).click();
  await (await choosing).setFiles({ name: 'floor_plan.png', mimeType: 'image/png', buffer });
  await expect(loupe.chips()).toHaveCount(1);
  await loupe.ask('How many rooms?');
  await loupe.startNew();
  await page.keyboard.press('Control+k');
  await page.keyboard.type('plan');
  const results = loupe.sidebar.locator('.results');
  await expect(results.getByRole('status')).toHaveText('1 hit');
  await expect(results.getByText('Name of a file')).toBeVisible();
  await results.getByRole('button', { name: /floor_plan/ }).click();
  await expect(loupe.answers).toHaveCount(1);
  await expect(page.getByRole('search', { name: 'Find in this conversation' })).toHaveCount(0);
});
