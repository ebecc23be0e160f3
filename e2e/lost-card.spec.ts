/** A graphics card that is lost again and again: the question is answered all the same, and the window says on what. */
import { violations } from './support/axe.ts';
import { expect, testWithFakeEngine } from './support/loupe.ts';

const test = testWithFakeEngine(1, 0, ['--card-fails']);

for (const colorScheme of ['light', 'dark'] as const)
  test(`the answer comes from the processor, which is said, with a way back (${colorScheme})`, async ({ loupe, page }) => {
    await page.emulateMedia({ colorScheme });
    await loupe.skipWelcome();
    expect(await loupe.ask('Are you there?')).toContain('Are you there?');
    const said = page.getByRole('status').filter({ hasText: 'Graphics card failed twice in a row, so Loupe uses Processor.' });
    await expect(said).toBeVisible();
    expect(await violations(page)).toEqual([]);
    // Said once: the next question does not bring it back.
    await said.getByRole('button', { name: 'Dismiss' }).click();
    await loupe.ask('And now?');
    await expect(said).toBeHidden();
    // The card is tried again when Loupe is told to, and fails again.
    await page.reload();
    await said.getByRole('button', { name: 'Load again' }).click();
    await expect(said).toBeHidden();
    await loupe.ask('And after that?');
    await expect(said).toBeVisible();
  });
