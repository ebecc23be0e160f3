/** Encryption of what is kept, and the lock, as a person has them. */
import type { Page } from 'playwright/test';
import { violations } from './support/axe.ts';
import { filesWith } from './support/files.ts';
import { expect, testWithWaitingEngine } from './support/loupe.ts';

/** A long answer is still being written when somebody locks. */
const test = testWithWaitingEngine(30);
test.describe.configure({ timeout: 300_000 });
const passphrase = 'correct horse battery';

async function openPrivacy(page: Page): Promise<void> {
  await page.keyboard.press('Control+,');
  await page.getByRole('dialog', { name: 'Settings' }).getByRole('button', { name: 'Privacy' }).click();
}

async function inBothThemes(page: Page, look: (theme: 'light' | 'dark') => Promise<void>): Promise<void> {
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme });
    await look(colorScheme);
  }
}

/** Returns the recovery code. */
async function encrypt(page: Page, look: (theme: 'light' | 'dark') => Promise<void> = async () => {}): Promise<string> {
  await openPrivacy(page);
  await page.getByRole('button', { name: 'Encrypt…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Encrypt what Loupe keeps' });
  const go = dialog.getByRole('button', { name: 'Encrypt', exact: true });
  await dialog.getByLabel('New passphrase').fill('short');
  await expect(dialog.getByText('At least 8 characters.', { exact: true })).toBeVisible();
  await dialog.getByLabel('New passphrase').fill(passphrase);
  await dialog.getByLabel('Repeat the passphrase').fill('another one');
  await expect(dialog.getByText('The two passphrases do not match.')).toBeVisible();
  await expect(go).toBeDisabled();
  await dialog.getByLabel('Repeat the passphrase').fill(passphrase);
  await expect(go).toBeDisabled();
  await dialog.getByLabel('I have kept the recovery code somewhere else').check();
  const code = await dialog.locator('code').innerText();
  expect(code).toMatch(/^([0-9A-Z]{4}-){6}[0-9A-Z]{4}$/);
  await inBothThemes(page, look);
  await go.click();
  await expect(page.getByRole('dialog', { name: 'Encrypt what Loupe keeps' })).toBeHidden({ timeout: 60_000 });
  return code;
}

test('everything is encrypted, locked, and opened by the passphrase or the recovery code', async ({ host, loupe, page }, testInfo) => {
  await loupe.skipWelcome();
  await loupe.ask('Something about xylophones');
  await expect(loupe.answers.last()).toContainText('xylophones');
  expect(filesWith(host.directory, 'xylophones')).not.toEqual([]);
  const code = await encrypt(page, async (theme) => {
    expect(await violations(page)).toEqual([]);
    await page.screenshot({ path: testInfo.outputPath(`encrypt-${theme}.png`) });
  });

  // The window begins again, and all is there.
  await expect(loupe.sidebar.getByText('Something about xylophones')).toBeVisible({ timeout: 60_000 });
  expect(filesWith(host.directory, 'xylophones')).toEqual([]);
  await loupe.sidebar.getByText('Something about xylophones').click();
  await expect(loupe.answers.last()).toContainText('xylophones');
  await openPrivacy(page);
  await expect(page.getByText('Encrypted with your passphrase')).toBeVisible();
  await page.getByText('Lock after').scrollIntoViewIfNeeded();
  await inBothThemes(page, async (theme) => {
    expect(await violations(page)).toEqual([]);
    await page.screenshot({ path: testInfo.outputPath(`settings-${theme}.png`) });
  });
  await page.keyboard.press('Escape');

  // Locked in the middle of an answer: what there is of it is kept.
  await loupe.question.fill(`Say this: ${'marimba '.repeat(200)}`);
  await page.keyboard.press('Enter');
  await expect(loupe.answers.last()).toContainText('marimba');
  await page.keyboard.press('Control+Shift+l');
  await expect(page.getByRole('heading', { name: 'Loupe is locked' })).toBeVisible({ timeout: 30_000 });
  await expect(page.locator('body')).not.toContainText('xylophones');
  await expect(page.getByLabel('Passphrase or recovery code')).toBeFocused();
  await inBothThemes(page, async (theme) => {
    expect(await violations(page)).toEqual([]);
    await page.screenshot({ path: testInfo.outputPath(`locked-${theme}.png`) });
  });
  await page.getByLabel('Passphrase or recovery code').fill('wrong words');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('alert')).toContainText('neither the passphrase nor the recovery code', { timeout: 30_000 });
  await page.screenshot({ path: testInfo.outputPath('wrong.png') });
  expect(await violations(page)).toEqual([]);
  await page.getByLabel('Passphrase or recovery code').fill(code.toLowerCase().replaceAll('-', ' '));
  await page.getByRole('button', { name: 'Unlock' }).click();
  await expect(loupe.sidebar.getByText('Something about xylophones')).toBeVisible({ timeout: 60_000 });
  await loupe.sidebar.getByText('Something about xylophones').click();
  await expect(loupe.answers.last()).toContainText('marimba');

  // After kill -9: asked for, and back in plain form on request.
  await host.stop('SIGKILL');
  await page.goto(await host.start());
  await expect(page.getByRole('heading', { name: 'Loupe is locked' })).toBeVisible({ timeout: 60_000 });
  expect(filesWith(host.directory, 'marimba')).toEqual([]);
  await page.getByLabel('Passphrase or recovery code').fill(passphrase);
  await page.getByRole('button', { name: 'Unlock' }).click();
  await expect(loupe.sidebar.getByText('Something about xylophones')).toBeVisible({ timeout: 60_000 });
  await openPrivacy(page);
  await page.getByRole('button', { name: 'Decrypt…' }).click({ timeout: 60_000 });
  const dialog = page.getByRole('dialog', { name: 'Decrypt what Loupe keeps?' });
  await dialog.getByLabel('Passphrase or recovery code').fill('wrong words');
  await dialog.getByRole('button', { name: 'Decrypt', exact: true }).click();
  await expect(dialog.getByText('neither the passphrase nor the recovery code')).toBeVisible({ timeout: 30_000 });
  await dialog.getByLabel('Passphrase or recovery code').fill(passphrase);
  await dialog.getByRole('button', { name: 'Decrypt', exact: true }).click();
  await expect.poll(() => filesWith(host.directory, 'xylophones'), { timeout: 60_000 }).not.toEqual([]);
  await expect(dialog).toBeHidden({ timeout: 60_000 });
  await expect(loupe.sidebar.getByText('Something about xylophones')).toBeVisible({ timeout: 60_000 });
  await openPrivacy(page);
  await expect(page.getByText('Not encrypted', { exact: true })).toBeVisible();
});
