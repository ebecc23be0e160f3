/** Private conversations, as a person has them. */
import { violations } from './support/axe.ts';
import { filesWith } from './support/files.ts';
import { expect, testWithFakeEngine, type Window } from './support/loupe.ts';
import { samples } from './support/samples.ts';

const test = testWithFakeEngine(1);
const marked = 'Not kept: gone when you close it.';

async function beginPrivate({ page, sidebar, question }: Window): Promise<void> {
  await sidebar.getByRole('button', { name: 'New private conversation' }).click();
  await expect(page.getByText(marked)).toBeVisible();
  await expect(question).toBeFocused();
  // A browser keeps what stands in other fields for its next start.
  await expect(question).toHaveAttribute('autocomplete', 'off');
}

test('is marked while it is open, stays when the page is loaded again, and is gone when it is closed', async ({ host, loupe, page }) => {
  await loupe.skipWelcome();
  await loupe.ask('What is kept');
  await beginPrivate(loupe);
  await expect(page.getByRole('heading', { name: 'A private conversation' })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Keep this conversation' })).toBeDisabled();
  expect(await violations(page)).toEqual([]);

  await loupe.attach(samples[0]!.path);
  await loupe.ask('Something about xylophones');
  await expect(loupe.answers.last()).toContainText('xylophones');
  await expect(page.getByRole('img').first()).toBeVisible();
  await loupe.question.fill('A draft about xylophones');
  await expect(loupe.sidebar.getByRole('heading', { name: 'Not kept' })).toBeVisible();
  await expect(loupe.sidebar).not.toContainText('xylophones');
  await expect(page).toHaveTitle('Private conversation · Loupe');
  expect(await violations(page)).toEqual([]);

  await page.waitForTimeout(600);
  await page.reload();
  await expect(page.getByText(marked)).toBeVisible();
  await expect(loupe.answers).toHaveCount(1);
  await expect(loupe.question).toHaveValue('A draft about xylophones');
  expect(filesWith(host.directory, 'xylophones')).toEqual([]);

  // Another conversation meanwhile leaves it where it is.
  await loupe.sidebar.getByRole('button', { name: 'What is kept' }).click();
  await expect(page.getByText(marked)).toBeHidden();
  await loupe.sidebar.getByRole('button', { name: 'Private conversation', exact: true }).click();
  await expect(page.getByText(marked)).toBeVisible();

  await page.getByRole('button', { name: 'Close', exact: true }).click();
  const asked = page.getByRole('dialog', { name: 'Close “Private conversation”?' });
  expect(await violations(page)).toEqual([]);
  await asked.getByRole('button', { name: 'Leave it open' }).click();
  await expect(loupe.answers).toHaveCount(1);
  await page.keyboard.press('Control+Shift+Backspace');
  await asked.getByRole('button', { name: 'Close it' }).click();
  await expect(loupe.answers).toHaveCount(0);
  await expect(loupe.sidebar.getByRole('heading', { name: 'Not kept' })).toBeHidden();
  expect(filesWith(host.directory, 'xylophones')).toEqual([]);
  expect(filesWith(host.directory, 'What is kept')).not.toEqual([]);
});

test('with the key, empty: it closes without a question; documents are not taken', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  await page.keyboard.press('Control+Shift+f');
  await expect(page.getByText(marked)).toBeVisible();
  const choosing = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: 'Attach pictures' }).click();
  await (await choosing).setFiles({ name: 'lease.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.4') });
  await expect(page.getByText('A private conversation takes no documents')).toBeVisible();
  await page.keyboard.press('Control+Shift+Backspace');
  await expect(page.getByText(marked)).toBeHidden();
  await expect(page.getByRole('heading', { name: 'What should Loupe look at?' })).toBeVisible();
});

test('kept after all, it is there after a restart', async ({ host, loupe, page }) => {
  await loupe.skipWelcome();
  await beginPrivate(loupe);
  await loupe.ask('Something about xylophones');
  await page.getByRole('button', { name: 'Keep this conversation' }).click();
  await expect(page.getByText('“Something about xylophones” is kept from now on.')).toBeVisible();
  await expect(page.getByText(marked)).toBeHidden();
  await expect(loupe.answers).toHaveCount(1);
  await loupe.ask('And more of them');
  await host.stop('SIGKILL');
  await page.goto(await host.start());
  await loupe.sidebar.getByRole('button', { name: 'Something about xylophones' }).click();
  await expect(loupe.answers).toHaveCount(2);
});

test('after Loupe was killed it is gone, and the window says so', async ({ host, loupe, page }) => {
  await loupe.skipWelcome();
  await beginPrivate(loupe);
  await loupe.ask('Something about xylophones');
  const { searchParams } = new URL(page.url());
  await host.stop('SIGKILL');
  const link = new URL(await host.start());
  link.searchParams.set('conversation', searchParams.get('conversation')!);
  await page.goto(link.href);
  await expect(page.getByText('This private conversation was closed, and nothing of it was kept.')).toBeVisible();
  expect(filesWith(host.directory, 'xylophones')).toEqual([]);
});
