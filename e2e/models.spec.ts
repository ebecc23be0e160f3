/** Models: found on this computer and used in place, agreed to, downloaded, paused, resumed, checked, deleted. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Locator } from 'playwright/test';
import { catalogueModel } from '../main/services/models/catalogue.ts';
import { startHubDouble, type HubDouble } from '../main/services/models/test/hub-double.ts';
import { publishedFiles, write } from '../main/services/models/test/write-model.ts';
import { violations } from './support/axe.ts';
import { expect, testWithFakeEngine, type Window } from './support/loupe.ts';

const test = testWithFakeEngine(5);
const small = catalogueModel('llama-3.2-3b-instruct');

let folder: string;
let hub: HubDouble;
/** The weights do not come. */
let held: boolean;
/** The hub hangs up. */
let unplugged: boolean;
test.beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-e2e-models-'));
  held = true;
  unplugged = false;
  hub = await startHubDouble({
    repository: small.mirrors[0]!,
    files: new Map(Object.entries(publishedFiles()).map(([name, content]) => [name, Buffer.from(content)])),
    next: (what) => (unplugged ? 'drop' : what.endsWith('.safetensors') && held ? 'stall' : null),
  });
  write(join(folder, 'hub', 'models--unsloth--Llama-3.2-11B-Vision-Instruct', 'snapshots', 'abc'), publishedFiles());
  // The host is started by the test and inherits this.
  Object.assign(process.env, {
    HF_ENDPOINT: hub.endpoint,
    HF_HUB_CACHE: join(folder, 'hub'),
    OLLAMA_MODELS: join(folder, 'none'),
    LOUPE_MODELS: join(folder, 'models'),
  });
});
test.afterEach(async () => {
  for (const name of ['HF_ENDPOINT', 'HF_HUB_CACHE', 'OLLAMA_MODELS', 'LOUPE_MODELS']) delete process.env[name];
  await hub.close();
  rmSync(folder, { recursive: true, force: true });
});

test('what is here already is used where it lies, once the licence is agreed to', async ({ loupe }) => {
  const { page } = loupe;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await loupe.skipWelcome();
  await page.getByRole('button', { name: 'Get Llama 3.2 Vision' }).click();
  const dialog = page.getByRole('dialog', { name: 'Models' });
  const found = dialog.getByRole('article', { name: /^Hugging Face: Llama-3\.2-11B-Vision-Instruct/ });
  await expect(found).toBeVisible();
  await expect(dialog.getByRole('article', { name: /^Llama 3\.2 11B Vision Instruct/ }).first()).toBeVisible();
  await expect(dialog.getByRole('article', { name: /4 bits, ready to use/ })).toContainText('no access token is needed');
  expect(await violations(page), 'models').toEqual([]);

  await found.getByRole('button', { name: 'Use it' }).click();
  const licence = page.getByRole('dialog', { name: 'Llama 3.2 Community License' });
  await expect(licence).toContainText('European Union');
  expect(await violations(page), 'licence').toEqual([]);
  await licence.getByRole('button', { name: 'Not now' }).click();
  await expect(licence).toBeHidden();
  await expect(found).toBeVisible();
  await found.getByRole('button', { name: 'Use it' }).click();
  await licence.getByRole('button', { name: 'I agree' }).click();
  const mine = dialog.getByRole('article', { name: /^Llama-3\.2-11B-Vision-Instruct/ });
  // The fake device computes on the processor.
  const doubt = page.getByRole('dialog', { name: 'Llama-3.2-11B-Vision-Instruct will be slow here' });
  await expect(doubt).toContainText('Without a graphics card');
  expect(await violations(page), 'doubt').toEqual([]);
  await doubt.getByRole('button', { name: 'Not now' }).click();
  await expect(doubt).toBeHidden();
  await mine.getByRole('button', { name: 'Use it' }).click();
  await doubt.getByRole('button', { name: 'Load anyway, slowly' }).click();
  await expect(mine.getByText('In use')).toBeVisible();
  expect(hub.requests).toBe(0);

  await mine.getByRole('button', { name: /^More for/ }).click();
  await page.getByRole('menuitem', { name: 'Check its files' }).click();
  await expect(mine.getByText('Its source publishes no checksums.')).toBeVisible();
  await expect(mine.getByText('Works: checked on Fake device')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(dialog).toBeHidden();
});

/** Of the small model, whose licence nobody has agreed to yet. */
async function beginDownload(loupe: Window): Promise<{ dialog: Locator; card: Locator }> {
  const { page } = loupe;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await loupe.skipWelcome();
  await page.getByRole('button', { name: 'Get Llama 3.2 Vision' }).click();
  const dialog = page.getByRole('dialog', { name: 'Models' });
  const card = dialog.getByRole('article', { name: new RegExp(`^${small.name}`) });
  await card.getByRole('button', { name: /^Download/ }).click();
  await page.getByRole('button', { name: 'I agree' }).click();
  return { dialog, card };
}

test('a download is paused, resumed and finished; the ledger says so; its files are deleted again', async ({ loupe }) => {
  const { page } = loupe;
  const { dialog, card } = await beginDownload(loupe);
  await card.getByRole('button', { name: 'Pause' }).click();
  await expect(card.getByText(/^Paused/)).toBeVisible();
  expect(await violations(page), 'paused').toEqual([]);
  held = false;
  await card.getByRole('button', { name: 'Resume' }).click();
  await expect(page.getByText(`${small.name} was downloaded.`)).toBeVisible();
  const mine = dialog.getByRole('article', { name: /^Llama-3\.2-3B-Instruct/ });
  const directory = join(folder, 'models', 'Llama-3.2-3B-Instruct');
  await expect(mine).toContainText(directory);
  expect(existsSync(join(directory, 'NOTICE'))).toBe(true);

  await page.keyboard.press('Escape');
  await page.keyboard.press('Control+,');
  await expect(page.getByRole('region', { name: 'Connections' })).toContainText(`download of ${small.name}`);
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Get Llama 3.2 Vision' }).click();
  await mine.getByRole('button', { name: /^More for/ }).click();
  await page.getByRole('menuitem', { name: 'Delete its files' }).click();
  await page.getByRole('button', { name: 'Delete the files' }).click();
  await expect(mine).toBeHidden();
  expect(existsSync(directory)).toBe(false);
});

test('without a connection the card says so, and tries again when it is told to', async ({ loupe }) => {
  const { page } = loupe;
  unplugged = true;
  held = false;
  const { card } = await beginDownload(loupe);
  await expect(card.getByRole('alert')).toContainText('The connection to 127.0.0.1');
  await expect(card).toContainText(/Try \d of 8 failed. Loupe keeps trying./);
  expect(await violations(page), 'waiting for another try').toEqual([]);
  await expect(card.getByRole('button', { name: 'Pause' })).toBeEnabled();
  await expect(card.getByRole('button', { name: 'Cancel' })).toBeEnabled();
  unplugged = false;
  await card.getByRole('button', { name: 'Try now' }).click();
  await expect(page.getByText(`${small.name} was downloaded.`)).toBeVisible();
});

test('another folder for downloads: said when it is none, used when it is', async ({ loupe }) => {
  const { page } = loupe;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await loupe.skipWelcome();
  await page.keyboard.press('Control+,');
  const field = page.getByLabel('Folder for downloads and quantised copies');
  await expect(field).toHaveValue(join(folder, 'models'));
  await field.fill('drive');
  await page.getByRole('button', { name: 'Use this folder' }).click();
  await expect(page.getByText('drive is not a full path.')).toBeVisible();
  await field.fill(join(folder, 'drive'));
  await page.getByRole('button', { name: 'Use this folder' }).click();
  await expect(page.getByText('drive is not a full path.')).toBeHidden();
  expect(existsSync(join(folder, 'drive'))).toBe(true);
  expect(await violations(page), 'folder').toEqual([]);
  await page.getByRole('button', { name: 'Use the default folder' }).click();
  await expect(field).toHaveValue(join(folder, 'models'));
});
