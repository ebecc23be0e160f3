/**
 * Models that do not chat. Llama Guard: in use it judges questions;
 * switched on in the settings it judges what another model answered. Base models.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Locator } from 'playwright/test';
import { publishedFiles, visionConfig, write } from '../main/services/models/test/write-model.ts';
import { violations } from './support/axe.ts';
import { expect, testWithFakeEngine } from './support/loupe.ts';

const test = testWithFakeEngine(5);

let folder: string;
test.beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-e2e-guard-'));
  write(join(folder, 'models--meta-llama--Llama-Guard-3-11B-Vision', 'snapshots', 'abc'), publishedFiles());
  const base = { ...visionConfig, vision_config: { image_size: 448 } };
  write(join(folder, 'models--meta-llama--Llama-3.2-11B-Vision', 'snapshots', 'abc'), publishedFiles(base));
  // The host is started by the test and inherits this.
  Object.assign(process.env, { HF_HUB_CACHE: folder, OLLAMA_MODELS: join(folder, 'none') });
});
test.afterEach(() => {
  for (const name of ['HF_HUB_CACHE', 'OLLAMA_MODELS']) delete process.env[name];
  rmSync(folder, { recursive: true, force: true });
});

test('a guard judges questions, and answers once the settings say so', async ({ loupe }) => {
  const { page } = loupe;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await loupe.skipWelcome();
  const check = page.getByRole('switch', { name: 'Check answers with Llama Guard' });
  const openSettings = () => page.keyboard.press('ControlOrMeta+Comma');
  await openSettings();
  await expect(check).toBeDisabled();
  await page.keyboard.press('Escape');

  await page.getByRole('button', { name: 'Get Llama 3.2 Vision' }).click();
  const dialog = page.getByRole('dialog', { name: 'Models' });
  await dialog
    .getByRole('article', { name: /^Hugging Face: Llama-Guard/ })
    .getByRole('button', { name: 'Use it' })
    .click();
  await page.getByRole('button', { name: 'I agree' }).click();
  // It is there to check answers; to be asked itself, it has to be chosen.
  const mine = dialog.getByRole('article', { name: /^Llama-Guard/ });
  await mine.getByRole('button', { name: 'Use it' }).click();
  // The fake device computes on the processor.
  await page.getByRole('button', { name: 'Load anyway, slowly' }).click();
  await expect(mine.getByText('In use')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(dialog).toBeHidden();

  await expect(page.getByText('says whether your question is safe. It does not answer it.')).toBeVisible();
  await loupe.question.fill('How do I vote?');
  await loupe.question.press('Enter');
  const verdict = loupe.answers.last().getByRole('group', { name: 'Verdict' });
  await expect(verdict.getByText('Question: safe')).toBeVisible();
  await expect(verdict.getByText(/^Answer/)).toHaveCount(0);
  await expect(loupe.answers.last().locator('.markdown')).toHaveCount(0);

  await openSettings();
  const demo = page.getByRole('radio', { name: /demo/i });
  await demo.click();
  await expect(demo).toBeChecked();
  await check.click();
  await expect(check).toBeChecked();
  await expect(page.getByText('The next answer waits for both')).toBeVisible();
  expect(await violations(page), 'settings').toEqual([]);
  await page.keyboard.press('Escape');
  const composer = await everShown(loupe.question.locator('xpath=ancestor::form'));
  await loupe.ask('Where is the polling station?');
  await expect(verdict.getByText('Question: safe')).toBeVisible();
  await expect(verdict.getByText('Answer: not safe, specialised advice (S6), elections (S13)')).toBeVisible();
  await expect(loupe.answers.last()).toContainText('polling station');
  // The guard comes and goes; the chosen model is the demo model all the time.
  expect(await composer()).not.toMatch(/guard|to judge/i);
  expect(await violations(page), 'verdict').toEqual([]);

  await page.reload();
  await expect(verdict.getByText('Answer: not safe')).toBeVisible();
});

test('a base model says that it goes on with a text', async ({ loupe }) => {
  const { page } = loupe;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await loupe.skipWelcome();
  await page.getByRole('button', { name: 'Get Llama 3.2 Vision' }).click();
  const dialog = page.getByRole('dialog', { name: 'Models' });
  await dialog
    .getByRole('article', { name: /^Hugging Face: Llama-3\.2-11B-Vision/ })
    .getByRole('button', { name: 'Use it' })
    .click();
  await page.getByRole('button', { name: 'I agree' }).click();
  // The fake device computes on the processor.
  await page.getByRole('button', { name: 'Load anyway, slowly' }).click();
  await expect(dialog.getByRole('article', { name: /^Llama-3\.2-11B-Vision/ }).getByText('In use')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByText('Llama-3.2-11B-Vision is a base model: it continues your text and does not answer questions.')).toBeVisible();
  await expect(loupe.question).toHaveAttribute('placeholder', 'Text to continue');
  expect(await violations(page)).toEqual([]);
  expect(await loupe.ask('Once upon a time')).toContain('Once upon a time');

  // Another model, from the field, by keyboard.
  const atField = loupe.question.locator('xpath=ancestor::form').getByRole('button', { name: /^Llama-3\.2-11B-Vision/ });
  await atField.focus();
  await page.keyboard.press('Enter');
  const choices = page.getByRole('menu', { name: 'Choose a model' });
  await expect(choices.getByRole('menuitemradio', { checked: true })).toHaveText('Llama-3.2-11B-Vision');
  await expect(choices.getByRole('menuitemradio', { checked: true })).toBeFocused();
  expect(await violations(page), 'choices').toEqual([]);
  await page.keyboard.press('Home');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: /^Demo model/ })).toBeVisible();
  await expect(loupe.question).toHaveAttribute('placeholder', 'Ask a follow-up question');
});

/** Returns a function that lists every text and placeholder shown in it since, for however short a time. */
async function everShown(element: Locator): Promise<() => Promise<string>> {
  const seen = await element.evaluateHandle((root) => {
    const shown: string[] = [];
    const look = (): void => void shown.push(root.textContent, root.querySelector('textarea')?.placeholder ?? '');
    new MutationObserver((changes) => {
      for (const { oldValue } of changes) shown.push(oldValue ?? '');
      look();
    }).observe(root, {
      subtree: true,
      childList: true,
      characterData: true,
      characterDataOldValue: true,
      attributeFilter: ['placeholder'],
      attributeOldValue: true,
    });
    look();
    return shown;
  });
  return () => seen.evaluate((shown) => shown.join('\n'));
}
