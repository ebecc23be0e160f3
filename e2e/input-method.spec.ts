/**
 * Keys that belong to an input method: whoever writes Japanese,
 * Chinese or Korean takes and drops candidates with Enter, Escape and the arrows.
 */
import type { CDPSession, Page } from 'playwright/test';
import { expect, testWithFakeEngine } from './support/loupe.ts';

const test = testWithFakeEngine(20);

/** Composes `text` in the focused field, as an input method does. */
async function compose(page: Page, text: string): Promise<CDPSession> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Input.imeSetComposition', { text, selectionStart: text.length, selectionEnd: text.length });
  return devtools;
}

test('Enter takes a candidate and sends nothing', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  const devtools = await compose(page, 'かんじ');
  await page.keyboard.press('Enter');
  await devtools.send('Input.insertText', { text: '漢字' });
  await expect(loupe.question).toHaveValue(/漢字/);
  await expect(loupe.answers).toHaveCount(0);
});

test('Escape drops a candidate and stops no answer', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  const words = 'word '.repeat(400).trim();
  await loupe.question.fill(words);
  await loupe.question.press('Enter');
  await expect(loupe.answers.last()).toContainText('word word');
  await loupe.question.focus();
  await compose(page, 'かんじ');
  await page.keyboard.press('Escape');
  expect((await loupe.lastAnswer()).split(/\s+/).filter((word) => word === 'word')).toHaveLength(400);
});

test('Escape drops a candidate and keeps the question that is edited', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  await loupe.ask('first');
  await page.keyboard.press('ArrowUp');
  const editor = page.getByRole('textbox', { name: 'Edit the question' });
  await editor.fill('second thoughts');
  const devtools = await compose(page, 'かんじ');
  await page.keyboard.press('Escape');
  await devtools.send('Input.insertText', { text: '漢字' });
  await expect(editor).toHaveValue(/second thoughts.*漢字/);
  // Without an input method it is what it says.
  await page.keyboard.press('Escape');
  await expect(editor).toHaveCount(0);
});

test('the arrows choose a candidate and do not leave the search field', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  await loupe.ask('first');
  const search = page.getByRole('textbox', { name: 'Search all conversations' });
  await search.focus();
  await compose(page, 'かんじ');
  await page.keyboard.press('ArrowDown');
  await expect(search).toBeFocused();
});
