/**
 * What a picture or a document may talk a model into: the model obeys here (it says back what it reads), and nothing opens, is fetched
 * or runs. The corpus is injections.json; it comes as an answer, as the text of a document's page, and as the name of a picture.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BrowserContext, Page } from 'playwright/test';
import { line, writePdf } from '../main/documents/test/write-pdf.ts';
import { samples } from './support/samples.ts';
import { expect, testWithFakeEngine } from './support/loupe.ts';

const test = testWithFakeEngine(0, 10_000);
const corpus = JSON.parse(readFileSync(new URL('injections.json', import.meta.url), 'utf8')) as string[];

/** Everything that a page could do by itself, as it happens. */
function watch(page: Page, context: BrowserContext): string[] {
  const done: string[] = [];
  const own = new URL('/', page.url()).host;
  context.on('request', (request) => {
    if (new URL(request.url()).host !== own && !request.url().startsWith('blob:')) done.push(`asked for ${request.url()}`);
  });
  context.on('page', (opened) => done.push(`opened ${opened.url()}`));
  page.on('dialog', (dialog) => void (done.push(`said ${dialog.message()}`), dialog.dismiss()));
  page.on('download', (download) => done.push(`saved ${download.url()}`));
  // The window itself notes in the address which conversation is open.
  page.on('framenavigated', (frame) => {
    if (new URL(frame.url()).host !== own || frame !== page.mainFrame()) done.push(`went to ${frame.url()}`);
  });
  return done;
}

test('nothing that an answer says opens, fetches or runs', async ({ loupe, page, context }) => {
  test.setTimeout(120_000);
  await loupe.skipWelcome();
  await loupe.ask('the first');
  const title = await page.title();
  const address = page.url();
  const done = watch(page, context);
  for (const [at, text] of corpus.entries()) {
    await loupe.ask(`${text}\n\nend of ${at}`);
    await expect(loupe.answers.last()).toContainText(`end of ${at}`);
  }
  expect(done).toEqual([]);
  expect(page.url()).toBe(address);
  expect(await page.title()).toBe(title);
  const made = 'img, script, iframe, object, embed, video, audio, form, style, link, meta, base, svg image';
  await expect(loupe.answers.locator('.markdown').locator(made)).toHaveCount(0);
  // Nothing but pages and mail can be clicked, and each says where it leads.
  const links = loupe.answers.locator('.markdown a');
  for (const link of await links.all()) expect(await link.getAttribute('href')).toMatch(/^(https?|mailto):/);
  await expect(loupe.answers.getByText('(collect.example)').first()).toBeVisible();
});

test('a click on a link of an answer asks first, and names the host', async ({ loupe, page, context }) => {
  await loupe.skipWelcome();
  await loupe.ask('see [microsoft.com](https://t.co.example/microsoft.com)');
  await context.route('https://t.co.example/**', (route) => route.fulfill({ body: 'there' }));
  const link = loupe.answers.last().getByRole('link');
  const question = page.getByRole('dialog', { name: 'Open t.co.example in your browser?' });
  const done = watch(page, context);
  for (const press of [() => link.click(), () => link.press('Enter'), () => link.click({ button: 'middle' })]) {
    await press();
    await expect(question).toContainText('https://t.co.example/microsoft.com');
    await question.getByRole('button', { name: 'Cancel' }).click();
    await expect(question).toHaveCount(0);
  }
  expect(done).toEqual([]);
  await link.click();
  const opening = context.waitForEvent('page');
  await question.getByRole('button', { name: 'Open in Browser' }).click();
  await (await opening).waitForURL('https://t.co.example/microsoft.com');
});

test('nothing that a document says, or a file is called, opens, fetches or runs', async ({ loupe, page, context, host }) => {
  test.setTimeout(120_000);
  await loupe.skipWelcome();
  const done = watch(page, context);
  const ascii = corpus.map((text) => text.replace(/[^ -~]/g, ' ').replace(/[()\\]/g, '\\$&'));
  const path = join(host.directory, 'injections.pdf');
  writeFileSync(path, writePdf({ pages: ascii.map((text) => ({ content: line(text) })) }));
  await page.keyboard.press('Control+Shift+D');
  const library = page.getByRole('dialog', { name: 'Documents' });
  const choosing = page.waitForEvent('filechooser');
  await library.getByRole('button', { name: 'Add documents' }).click();
  await (await choosing).setFiles(path);
  await expect(library.getByRole('article', { name: 'injections.pdf' })).toContainText(`${corpus.length} pages have text`);
  await library.getByRole('textbox', { name: 'Search all documents' }).fill('collect');
  await expect(library.getByRole('list', { name: 'Pages that were found' })).toContainText('collect.example');
  await library
    .getByRole('button', { name: /injections\.pdf, page 1/ })
    .first()
    .press('Enter');
  await expect(page.getByRole('dialog', { name: 'injections.pdf' }).getByRole('img').first()).toHaveJSProperty('complete', true);
  await page.keyboard.press('Escape');
  await expect(library).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(library).toBeHidden();
  const named = join(host.directory, '<img src=x onerror=alert(1)> [a](javascript:alert(1)).png');
  writeFileSync(named, readFileSync(samples[0]!.path));
  await loupe.attach(named);
  await loupe.ask('What is it called?');
  expect(done).toEqual([]);
});
