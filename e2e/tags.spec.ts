/** Tags: given by keyboard and in bulk, shown, filtered by, searched for, and exported. */
import { readFileSync } from 'node:fs';
import { violations } from './support/axe.ts';
import { expect, testWithFakeEngine } from './support/loupe.ts';

const test = testWithFakeEngine(1, 1000);

test('a conversation is tagged by keyboard alone; the list is filtered, searched and exported by its tag', async ({
  loupe,
  page,
}, testInfo) => {
  await loupe.skipWelcome();
  await loupe.ask('Rent of May');
  await loupe.startNew();
  await loupe.ask('A recipe');
  const row = (name: RegExp) => loupe.sidebar.getByRole('button', { name });
  await row(/^Rent of May/).focus();
  await page.keyboard.press('Shift+F10');
  await page.getByRole('menuitem', { name: 'Tags…' }).focus();
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Tags of this conversation' });
  const field = dialog.getByRole('textbox', { name: 'New tag' });
  await expect(field).toBeFocused();
  await page.keyboard.type('The  house ');
  await page.keyboard.press('Enter');
  await expect(dialog.getByRole('checkbox', { name: 'The house' })).toBeChecked();
  await page.keyboard.type('2026');
  await page.keyboard.press('Enter');
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await violations(page)).toEqual([]);
    await page.screenshot({ path: testInfo.outputPath(`dialog-${colorScheme}.png`) });
  }
  // Nothing is typed: Enter keeps them.
  await page.keyboard.press('Enter');
  await expect(dialog).toBeHidden();

  await row(/^Rent of May/).click();
  await expect(page.getByRole('button', { name: 'Tags: The house 2026' })).toBeVisible();
  const filter = loupe.sidebar.getByRole('button', { name: /^Show conversations with a tag/ });
  await filter.click();
  await page.getByRole('menuitemradio', { name: 'The house (1)' }).click();
  await expect(row(/^A recipe/)).toHaveCount(0);
  await expect(row(/^Rent of May/)).toBeVisible();
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await violations(page)).toEqual([]);
    await page.screenshot({ path: testInfo.outputPath(`filtered-${colorScheme}.png`) });
  }
  // What is searched for is searched for in what is shown.
  const search = page.getByRole('textbox', { name: 'Search all conversations' });
  await search.fill('recipe');
  await expect(loupe.sidebar.getByText('Nothing contains “recipe”.')).toBeVisible();
  await loupe.sidebar.getByRole('button', { name: 'Show all conversations' }).click();
  await expect(row(/A recipe/).first()).toBeVisible();
  await search.fill('house');
  await expect(loupe.sidebar.getByText('Tag', { exact: true })).toBeVisible();
  await page.screenshot({ path: testInfo.outputPath('search.png') });
  await loupe.sidebar
    .getByRole('button', { name: /Rent of May/ })
    .first()
    .click();
  await page.getByRole('button', { name: 'Clear the search' }).click();

  const saving = page.waitForEvent('download');
  await page.keyboard.press('Control+Shift+E');
  expect(readFileSync(await (await saving).path(), 'utf8')).toContain('*Tags: The house, 2026*');

  await page.reload();
  await expect(page.getByRole('button', { name: 'Tags: The house 2026' })).toBeVisible();
});

test('several are tagged together: what some have is seen, and a tag without a conversation is gone', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  for (const question of ['First', 'Second', 'Third']) {
    await loupe.ask(question);
    await loupe.startNew();
  }
  const row = (name: string) => loupe.sidebar.getByRole('button', { name, exact: true });
  const tagChosen = async (...names: string[]) => {
    for (const name of names) await row(name).click({ modifiers: ['Control'] });
    await loupe.sidebar.getByRole('button', { name: 'Tags…' }).click();
    return page.getByRole('dialog', { name: /^Tags of/ });
  };
  let dialog = await tagChosen('First', 'Second');
  await expect(dialog).toHaveAccessibleName('Tags of 2 conversations');
  await page.keyboard.type('work');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog).toBeHidden();
  await loupe.sidebar.getByRole('button', { name: 'Cancel' }).click();

  dialog = await tagChosen('Second', 'Third');
  const work = dialog.getByRole('checkbox', { name: 'work' });
  expect(await work.evaluate((box: HTMLInputElement) => box.indeterminate)).toBe(true);
  await work.check();
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog).toBeHidden();
  await loupe.sidebar.getByRole('button', { name: 'Cancel' }).click();
  await loupe.sidebar.getByRole('button', { name: /^Show conversations with a tag/ }).click();
  await page.getByRole('menuitemradio', { name: 'work (3)' }).click();

  dialog = await tagChosen('First', 'Second', 'Third');
  await dialog.getByRole('checkbox', { name: 'work' }).uncheck();
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(loupe.sidebar.getByRole('button', { name: /^Show conversations with a tag/ })).toHaveCount(0);
  await expect(row('First')).toBeVisible();
});
