/** A database that is damaged or gone, and a disk that cannot be written to: what the window says, and the way back. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright/test';
import { violations } from './support/axe.ts';
import { expect, testWithFakeEngine, Window, type Host } from './support/loupe.ts';

const test = testWithFakeEngine(1);

/** Two conversations, a backup of both, and Loupe closed. */
async function fill(host: Host, loupe: Window): Promise<void> {
  await loupe.skipWelcome();
  await loupe.ask('The first question about lenses');
  await loupe.startNew();
  await loupe.ask('The second question');
  await host.stop('SIGTERM');
  expect(readdirSync(join(host.directory, 'backups'))).toHaveLength(1);
}

function spoil(directory: string): Buffer {
  const path = join(directory, 'loupe.db');
  const bytes = readFileSync(path);
  const before = Buffer.from(bytes);
  bytes.fill(0x7f, 0, 8192);
  writeFileSync(path, bytes);
  return before;
}

async function startAgain(host: Host, page: Page): Promise<Window> {
  await page.goto(await host.start());
  return new Window(page);
}

test('a damaged database: the window opens, and the newest backup is restored from it', async ({ host, loupe, page }) => {
  await fill(host, loupe);
  spoil(host.directory);
  const again = await startAgain(host, page);
  await expect(page.getByRole('heading', { name: 'Your conversations cannot be opened' })).toBeVisible();
  await expect(page.getByRole('alert')).toContainText('Nothing was deleted');
  const backups = page.getByRole('list', { name: 'Backups' });
  await expect(backups.getByRole('listitem')).toHaveCount(1);
  await expect(backups).toContainText('2 conversations');
  await expect(page.getByRole('alert')).toContainText('Restore the newest intact backup.');
  expect(await violations(page)).toEqual([]);
  await backups.getByRole('button', { name: /Restore the backup of/ }).click();
  await page.getByRole('dialog', { name: 'Restore this backup?' }).getByRole('button', { name: 'Restore', exact: true }).click();
  await expect(again.sidebar).toContainText('The first question about lenses');
  await expect(again.sidebar).toContainText('The second question');
  await expect(page.getByRole('alert')).toHaveCount(0);
  expect(readdirSync(host.directory).filter((name) => name.startsWith('loupe-replaced-'))).toHaveLength(1);
  await again.ask('It continues');
});

test('a database that is gone does not start over without a question', async ({ host, loupe, page }) => {
  await fill(host, loupe);
  rmSync(join(host.directory, 'loupe.db'));
  rmSync(join(host.directory, 'backups'), { recursive: true });
  // Pictures are what tells that there was something.
  const picture = join(host.directory, 'pictures', 'ab');
  spawnSync('mkdir', ['-p', picture]);
  writeFileSync(join(picture, 'a'), '');
  await startAgain(host, page);
  await expect(page.getByRole('alert')).toContainText('is gone');
  await expect(page.getByText('There is no backup.')).toBeVisible();
  await page.getByRole('button', { name: 'Start over…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Start over', exact: true }).click();
  await expect(page.getByRole('button', { name: 'Start without a picture' })).toBeVisible();
});

test('damage that is found while Loupe runs is said, and leads to the backups', async ({ host, loupe, page }) => {
  await fill(host, loupe);
  // A word, within a page: sound in itself.
  const path = join(host.directory, 'loupe.db');
  const bytes = readFileSync(path);
  bytes.write('2030', bytes.lastIndexOf('installedAt') + 'installedAt'.length, 'latin1');
  writeFileSync(path, bytes);
  const again = await startAgain(host, page);
  await expect(page.getByRole('alert')).toContainText('while Loupe was closed', { timeout: 20_000 });
  expect(await violations(page)).toEqual([]);
  await page.getByRole('button', { name: 'Show the backups' }).click();
  await expect(page.getByRole('dialog', { name: 'Settings' }).getByRole('list', { name: 'Backups' })).toContainText('Newest');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Keep using it' }).click();
  await expect(page.getByRole('alert')).toHaveCount(0);
  await again.ask('It continues');
});

test('a folder that cannot be written to: read, search and export; the question stays in the field', async ({ host, loupe, page }) => {
  const { directory } = host;
  await fill(host, loupe);
  const mount = (...args: string[]) => spawnSync('mount', args).status === 0;
  const bound = mount('--bind', directory, directory);
  test.skip(!bound || !mount('-o', 'remount,bind,ro', directory), 'it needs the right to mount (root on Linux)');
  try {
    const again = await startAgain(host, page);
    const retry = page.getByRole('button', { name: 'Try again' });
    const notice = page.getByRole('alert').filter({ has: retry });
    await expect(notice).toContainText('cannot be written to, so nothing new can be kept');
    expect(await violations(page)).toEqual([]);
    await again.sidebar.getByText('The first question').first().click();
    // The other conversation, which was open, has one answer as well.
    await expect(page.getByRole('heading', { name: 'The first question about lenses' })).toBeVisible();
    await expect(again.answers).toContainText('The first question about lenses');
    const download = page.waitForEvent('download');
    await page.keyboard.press('Control+Shift+e');
    expect(readFileSync(await (await download).path(), 'utf8')).toContain('The first question about lenses');
    await again.question.fill('Nobody keeps this');
    await again.question.press('Enter');
    await expect(page.getByText(/cannot be written to/)).toHaveCount(2);
    await expect(again.question).toHaveValue('Nobody keeps this');
    await page.keyboard.press('Control+k');
    await page.keyboard.type('lens');
    await expect(page.getByRole('navigation').getByRole('status')).toContainText(/hit/);
    await page.keyboard.press('Escape');

    expect(spawnSync('umount', [directory]).status).toBe(0);
    await expect(notice).toHaveCount(0, { timeout: 20_000 });
    await again.question.press('Enter');
    expect(await again.lastAnswer()).toContain('Nobody keeps this');
  } finally {
    spawnSync('umount', ['-l', directory]);
  }
});
