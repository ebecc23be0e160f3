/** Everything out of one Loupe and into another, as a person does it in a browser. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright/test';
import { violations } from './support/axe.ts';
import { expect, testWithFakeEngine } from './support/loupe.ts';

const test = testWithFakeEngine(1);
test.describe.configure({ timeout: 120_000 });

async function openBackups(page: Page): Promise<void> {
  await page.keyboard.press('Control+,');
  await page.getByRole('dialog', { name: 'Settings' }).getByRole('button', { name: 'Backups' }).click();
}

test('is exported, deleted and imported again, and a file that is no export is refused', async ({ loupe, page }, testInfo) => {
  const folder = mkdtempSync(join(tmpdir(), 'loupe-export-'));
  try {
    await loupe.skipWelcome();
    await loupe.ask('Something about xylophones');
    await expect(loupe.answers.last()).toContainText('xylophones');
    const file = join(folder, 'all.zip');
    await openBackups(page);
    const group = page.getByRole('group', { name: 'Export and import' });
    await expect(group.getByRole('button', { name: 'Export everything' })).toBeDisabled();
    await group.getByLabel('File').fill(file);
    await group.getByRole('button', { name: 'Export everything' }).click();
    await expect(group.getByRole('status')).toHaveText(`Exported 1 conversation, 0 pictures, 0 documents and 0 tables to ${file}.`);
    expect(readFileSync(file).subarray(0, 2).toString()).toBe('PK');

    // A file that is there is not overwritten.
    await group.getByRole('button', { name: 'Export everything' }).click();
    await expect(group.getByRole('alert')).toContainText(`${file} exists already.`);

    await group.getByRole('button', { name: 'Import', exact: true }).click();
    await expect(group.getByRole('status')).toHaveText('Nothing was added: everything in the file was here already.');
    await group.scrollIntoViewIfNeeded();
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await violations(page)).toEqual([]);
      await page.screenshot({ path: testInfo.outputPath(`export-${colorScheme}.png`) });
    }

    const wrong = join(folder, 'wrong.zip');
    writeFileSync(wrong, 'not an export');
    await group.getByLabel('File').fill(wrong);
    await group.getByRole('button', { name: 'Import', exact: true }).click();
    await expect(group.getByRole('alert')).toContainText('wrong.zip cannot be imported: it is not a ZIP file');
    await page.screenshot({ path: testInfo.outputPath('export-refused.png') });
    await group.getByLabel('File').fill('all.zip');
    await group.getByRole('button', { name: 'Export everything' }).click();
    await expect(group.getByRole('alert')).toContainText('Enter the whole path of the file');
    expect(existsSync('all.zip')).toBe(false);

    await page.keyboard.press('Escape');
    const row = page.getByRole('navigation', { name: 'Conversations' }).getByRole('button', { name: /^Something about/ });
    await row.focus();
    await page.keyboard.press('Delete');
    await expect(row).toHaveCount(0);
    await openBackups(page);
    await group.getByLabel('File').fill(file);
    await group.getByRole('button', { name: 'Import', exact: true }).click();
    await expect(group.getByRole('status')).toContainText('1 conversation that was here got what was missing.');
    await page.keyboard.press('Escape');
    await expect(row).toBeVisible();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
