/** From the first run to a conversation about pictures: real engine, real database, demo model. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { violations } from './support/axe.ts';
import { expect, secondWindow, test, testWithWaitingEngine } from './support/loupe.ts';
import { distance, samples, type Sample } from './support/samples.ts';

const pairs = samples.flatMap((a, index) => samples.slice(index + 1).map((b): [Sample, Sample] => [a, b]));
/** Two pictures with as little in common as there are: no answer can pass for the other. */
const [first, second] = pairs.toSorted((a, b) => differentLetters(b) - differentLetters(a))[0]!;

function differentLetters([a, b]: [Sample, Sample]): number {
  return distance(a.answer, b.answer) * Math.min(a.answer.length, b.answer.length);
}

/** The demo model misreads letters in longer conversations; which picture it looks at is beyond doubt. */
function expectToBeOf(answer: string, picture: Sample, other: Sample): void {
  const [near, far] = [distance(answer, picture.answer), distance(answer, other.answer)];
  expect(near, `"${answer}" is of the picture that says "${picture.answer}", not of "${other.answer}"`).toBeLessThan(far);
}

test('first run: from nothing to a first answer with the sample', async ({ loupe }) => {
  await loupe.page.getByRole('button', { name: /Try a sample/ }).click();
  await expect(loupe.chips()).toHaveCount(1);
  await loupe.send.click();
  // The first thing that anybody sees has to be right.
  expect(await loupe.lastAnswer()).toBe('12.80');
});

test('a picture, a question, a follow-up; then a second picture takes over', async ({ loupe }) => {
  await loupe.skipWelcome();
  await loupe.attach(first.path);
  expect(await loupe.ask(first.question)).toContain(first.answer);
  const follow = await loupe.ask(first.question);
  expectToBeOf(follow, first, second);

  await loupe.attach(second.path);
  expectToBeOf(await loupe.ask(second.question), second, first);

  // Which picture is in force is said at the pictures themselves.
  await expect(loupe.page.getByText('Loupe sees this')).toHaveCount(1);
  await expect(loupe.page.getByText('no longer seen')).toHaveCount(1);
});

test('an older picture is looked at again', async ({ loupe }) => {
  await loupe.skipWelcome();
  await loupe.attach(first.path);
  await loupe.ask(first.question);
  await loupe.attach(second.path);
  await loupe.ask(second.question);
  await loupe.page.getByRole('button', { name: /^Look again at/ }).click();
  await expect(loupe.chips()).toHaveCount(1);
  expectToBeOf(await loupe.ask(first.question), first, second);
});

test('a pasted picture is attached', async ({ loupe }) => {
  await loupe.skipWelcome();
  await loupe.question.evaluate(async (field) => {
    const canvas = new OffscreenCanvas(80, 40);
    const context = canvas.getContext('2d')!;
    context.fillStyle = '#2255cc';
    context.fillRect(0, 0, 80, 40);
    const transfer = new DataTransfer();
    transfer.items.add(new File([await canvas.convertToBlob()], 'image.png', { type: 'image/png' }));
    field.dispatchEvent(new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true, cancelable: true }));
  });
  await expect(loupe.chips()).toHaveCount(1);
  await expect(loupe.chips().getByRole('img').or(loupe.chips().locator('img')).first()).toBeVisible();
});

test('two pictures are composed into one and asked about', async ({ loupe }) => {
  await loupe.skipWelcome();
  await loupe.attach(first.path, second.path);
  await expect(loupe.page.getByText(/The model sees only the last picture/)).toBeVisible();
  await loupe.page.getByRole('button', { name: 'Compose them' }).click();
  const dialog = loupe.page.getByRole('dialog', { name: 'Compose pictures' });
  await dialog.getByRole('radio', { name: 'Stacked' }).check();
  await expect(dialog.getByRole('img', { name: /as the model will see them/ })).toBeVisible();
  await dialog.getByRole('button', { name: 'Use this composition' }).click();
  await expect(loupe.chips()).toHaveCount(1);
  expect((await loupe.ask('What does it say?')).length).toBeGreaterThan(0);
});

test('a question is answered again, edited into a branch, and the branches are switched', async ({ loupe }) => {
  await loupe.skipWelcome();
  await loupe.attach(first.path);
  await loupe.ask(first.question);
  await loupe.page.getByRole('button', { name: 'Answer again' }).click();
  await expect(loupe.page.getByText('2 of 2')).toBeVisible();
  await loupe.lastAnswer();
  await loupe.page.getByRole('button', { name: 'Previous version' }).click();
  await expect(loupe.page.getByText('1 of 2')).toBeVisible();

  await loupe.page.getByRole('button', { name: 'Edit and ask again' }).click();
  const editor = loupe.page.getByRole('textbox', { name: 'Edit the question' });
  await editor.fill('Read the text.');
  await loupe.page.getByRole('button', { name: 'Ask', exact: true }).click();
  await expect(loupe.page.getByText('Read the text.')).toBeVisible();
  await loupe.lastAnswer();
});

test('a conversation is found by a word, renamed, pinned, deleted and brought back', async ({ loupe }) => {
  const { page } = loupe;
  const list = page.getByRole('navigation', { name: 'Conversations' });
  await loupe.skipWelcome();
  await loupe.ask('Something about marmalade');
  await loupe.startNew();
  await loupe.ask('Another matter');

  await page.keyboard.press('Control+k');
  await page.keyboard.type('marmal');
  await list
    .getByRole('button', { name: /marmalade/ })
    .first()
    .click();
  await expect(page.getByRole('article').first()).toContainText('marmalade');
  await list.getByRole('button', { name: 'Clear the search' }).click();

  const row = list.getByRole('button', { name: /^Something about marmalade/ });
  await row.focus();
  await page.keyboard.press('F2');
  const title = list.getByRole('textbox', { name: 'New title' });
  await title.fill('Breakfast');
  await title.press('Enter');
  const renamed = list.getByRole('button', { name: /^Breakfast/ });
  await expect(renamed).toBeVisible();
  await expect(row).toHaveCount(0);

  await list.getByRole('button', { name: 'Actions for Breakfast' }).click();
  await page.getByRole('menuitem', { name: 'Pin' }).click();
  await expect(list.getByText('Pinned')).toBeVisible();

  await renamed.focus();
  await page.keyboard.press('Delete');
  await expect(renamed).toHaveCount(0);
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(renamed).toBeVisible();
  await page.reload();
  await expect(renamed).toBeVisible();
  await expect(list.getByText('Pinned')).toBeVisible();
});

test('a conversation is deleted now: asked first, and nothing of it is left in any file', async ({ loupe, host }) => {
  const { page } = loupe;
  const list = page.getByRole('navigation', { name: 'Conversations' });
  await loupe.skipWelcome();
  await loupe.ask('Something about marmalade');
  await loupe.startNew();
  await loupe.ask('Another matter');
  await list.getByRole('button', { name: /^Something about/ }).hover();
  await list.getByRole('button', { name: 'Actions for Something about marmalade' }).click();
  await page.getByRole('menuitem', { name: 'Delete now…' }).click();
  const question = page.getByRole('dialog', { name: 'Delete “Something about marmalade” now?' });
  expect(await violations(page)).toEqual([]);
  await question.getByRole('button', { name: 'Delete now' }).click();
  await expect(page.getByText('“Something about marmalade” was erased.')).toBeVisible();
  await expect(list.getByRole('button', { name: /^Something about/ })).toHaveCount(0);
  await expect(list.getByRole('button', { name: /^Another matter/ })).toBeFocused();
  const files = readdirSync(host.directory, { recursive: true, encoding: 'utf8' }).map((name) => join(host.directory, name));
  const holding = files.filter((path) => statSync(path).isFile() && readFileSync(path).includes('marmalade'));
  expect(holding).toEqual([]);
});

testWithWaitingEngine(0)('an answer is stopped by a click, before it has a word', async ({ loupe }) => {
  await loupe.skipWelcome();
  await loupe.attach(first.path);
  await loupe.question.fill('Tell me everything that you can about this picture, please.');
  await loupe.question.press('Enter');
  await loupe.stop.click();
  await expect(loupe.send).toBeVisible();
  await expect(loupe.page.getByText('Stopped.')).toBeVisible();
});

test('two windows show the same conversation as it is written', async ({ loupe, context }, testInfo) => {
  testInfo.skip(testInfo.project.name === 'electron', 'the desktop app has one main window');
  await loupe.skipWelcome();
  const other = await secondWindow(context, loupe);
  const answer = await loupe.ask('Hello there');
  await other.page.getByRole('navigation').getByText('Hello there').click();
  expect(await other.lastAnswer()).toBe(answer);
});
