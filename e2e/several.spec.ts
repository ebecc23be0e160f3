/** Several conversations are chosen and deleted together: by pointer, by keyboard, and brought back at once. */
import { violations } from './support/axe.ts';
import { expect, testWithFakeEngine } from './support/loupe.ts';

const test = testWithFakeEngine(0);
const topics = ['Apples', 'Pears', 'Quinces', 'Plums'];

test('several conversations are chosen, deleted together and brought back', async ({ loupe }, testInfo) => {
  const { page, sidebar } = loupe;
  await loupe.skipWelcome();
  for (const topic of topics) {
    await loupe.startNew();
    await loupe.ask(topic);
  }
  const row = (topic: string) => sidebar.getByRole('button', { name: topic, exact: true });
  const titles = sidebar.locator('[data-conversation]');
  const chosen = sidebar.getByRole('status').filter({ hasText: 'selected' });
  await expect(titles).toHaveText(['Plums', 'Quinces', 'Pears', 'Apples']);

  // By pointer: from the menu, then a click chooses, and Shift reaches all between.
  await row('Quinces').click({ button: 'right' });
  await page.getByRole('menuitem', { name: 'Select' }).click();
  await expect(chosen).toHaveText('1 selected');
  await row('Apples').click();
  await expect(chosen).toHaveText('2 selected');
  await row('Apples').click();
  await expect(row('Apples')).toHaveAttribute('aria-pressed', 'false');
  await row('Quinces').click();
  await expect(chosen).toBeHidden();
  await row('Quinces').click({ modifiers: ['ControlOrMeta'] });
  await row('Apples').click({ modifiers: ['Shift'] });
  await expect(chosen).toHaveText('3 selected');
  for (const scheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: scheme });
    expect(await violations(page)).toEqual([]);
    await page.screenshot({ path: testInfo.outputPath(`chosen-${scheme}.png`) });
  }
  await sidebar.getByRole('button', { name: 'Delete 3' }).click();
  await expect(titles).toHaveText(['Plums']);
  await expect(page.getByText('3 conversations were deleted.')).toBeVisible();
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(titles).toHaveText(['Plums', 'Quinces', 'Pears', 'Apples']);

  // By keyboard: Shift and an arrow; Escape leaves them; Delete takes them away.
  await row('Plums').focus();
  await page.keyboard.press('Shift+ArrowDown');
  await expect(chosen).toHaveText('2 selected');
  await page.keyboard.press('Escape');
  await expect(chosen).toBeHidden();
  await page.keyboard.press('ControlOrMeta+a');
  await expect(chosen).toHaveText('4 selected');
  await page.keyboard.press('Delete');
  await expect(titles).toHaveCount(0);
  await expect(page.getByText('4 conversations were deleted.')).toBeVisible();
  await page.reload();
  await expect(sidebar.getByText('Your conversations will be listed here.')).toBeVisible();
});
