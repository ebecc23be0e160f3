/**
 * A document in the packaged app, in a real Electron, from the drop to a CSV on the disk, and what axe says of the window there. The model
 * is the one that ships with Loupe. It has no room for a question with a page, so that the answer with a citation is one of an earlier day.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium, type Browser, type Page } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { violations } from '../e2e/support/axe.ts';
import { drop, keyboard, type Hands } from '../e2e/support/hands.ts';
import { createDocumentReader } from '../main/documents/document-client.ts';
import { line, writePdf } from '../main/documents/test/write-pdf.ts';
import { createFakeEngine } from '../main/engine/test/fake-engine.ts';
import { citationsOf, lookFor } from '../main/services/documents/ask.ts';
import { createLibrary } from '../main/services/documents/library.ts';
import { openStore } from '../main/storage/store.ts';
import { giveAway, startDesktop, unprivileged, until, type Desktop } from './desktop.mjs';
import { ensureElectronRuntime } from './electron-runtime.mjs';
import { admitDebugger, packageAround } from './packaged-app.mjs';

const notice = 'Either party may end this lease with three months written notice';
const port = 9547;

let folder: string;
let desktop: Desktop;
let browser: Browser;
let page: Page;
let hands: Hands;

beforeAll(async () => {
  const found = await ensureElectronRuntime();
  if ('reason' in found) throw new Error(found.reason);
  const packaged = await packageAround(found.runtime);
  folder = packaged.folder;
  admitDebugger(folder);
  desktop = await startDesktop({ width: 1280, height: 800 });
  await leaveAnswer(desktop.data);
  const options = { env: desktop.env, cwd: desktop.data, ...unprivileged };
  desktop.run(packaged.executable, [`--remote-debugging-port=${port}`], options);
  browser = await until('debugger', () => chromium.connectOverCDP(`http://127.0.0.1:${port}`).catch(() => null), { everyMs: 300 });
  const pages = (): Page[] => browser.contexts().flatMap((context) => context.pages());
  page = await until('page of the main window', () => pages().find((each) => each.url() === 'loupe://app/'));
  await page.waitForLoadState('load');
  // Playwright takes downloads for itself.
  await (await browser.newBrowserCDPSession()).send('Browser.setDownloadBehavior', { behavior: 'default' });
  hands = keyboard(page);
});
afterAll(async () => {
  await browser?.close();
  await desktop?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A lease that was asked about, and the answer. */
async function leaveAnswer(data: string): Promise<void> {
  const reader = createDocumentReader();
  const store = openStore(data);
  try {
    const file = join(folder, 'lease.pdf');
    writeFileSync(file, writePdf({ pages: [{ content: line('Rent is due monthly') }, { content: line(notice, 72, 80) }] }));
    const library = createLibrary({ store, reader });
    const { id } = (await library.add(file)).document;
    await library.read(id);
    const engine = createFakeEngine({ contextLength: 4000 });
    await engine.load({ directory: '/fake', engine: {} });
    const answerer = { documents: store.documents, engine, contextLength: 4000, draw: null };
    const scope = { kind: 'document' as const, id, pages: null };
    const { id: conversationId } = store.conversations.create('Notice period');
    const asked = { conversationId, parentId: null, text: 'How may it end?', pictures: [], state: 'complete' as const, model: null, scope };
    const question = store.conversations.append({ ...asked, role: 'user' });
    const text = `With notice [p. 2 "${notice}"].`;
    const answer = store.conversations.append({ ...asked, scope: null, parentId: question.id, role: 'assistant', text });
    const coverage = await lookFor(answerer, scope, question.text, { maxTokens: 500 });
    store.conversations.saveCoverage(answer.id, coverage);
    store.conversations.saveCitations(answer.id, citationsOf(store.documents, coverage.looks, text));
    store.saveSettings({ welcomed: true });
  } finally {
    store.close();
    await reader.close();
  }
  giveAway(data);
}

const library = () => page.getByRole('dialog', { name: 'Documents' });

test('a document is dropped and read, and what the small model cannot answer is said', async () => {
  const file = join(desktop.env['HOME']!, 'receipt.pdf');
  const words = line('Store', 14, 128) + line('Bolt', 116, 128) + line('Total', 14, 94) + line('25.97', 116, 94);
  writeFileSync(file, writePdf({ pages: [{ content: words, size: [192, 160] }] }), { mode: 0o644 });
  await drop(page, file);
  await library().getByRole('article', { name: 'receipt.pdf' }).getByText('1 page has text.').waitFor();
  await hands.press(library().getByRole('button', { name: 'Actions for receipt.pdf' }));
  await hands.press(page.getByRole('menuitem', { name: 'Ask about it' }));
  await page.keyboard.type('What is the Total?');
  await page.keyboard.press('Enter');
  const notice512 = page.getByRole('article', { name: 'Answer' }).getByRole('alert');
  await notice512.waitFor();
  expect(await notice512.innerText()).toContain('The model holds 512 tokens, which is too few for the question with a page.');
});

test('a citation opens its page with the words marked, and the document is searched', async () => {
  await page.getByRole('navigation').getByText('Notice period', { exact: true }).first().click();
  const mark = page.getByRole('article', { name: 'Answer' }).locator('[data-citation]');
  await hands.press(mark);
  const viewer = page.getByRole('dialog', { name: 'lease.pdf' });
  const sheet = viewer.getByRole('region', { name: 'Page 2', exact: true });
  await until('marked words', async () => (await sheet.locator('.mark').count()) === notice.split(' ').length);
  await until('drawn page', () => sheet.getByRole('img').evaluate((image: { complete?: boolean }) => image.complete));
  await hands.type(viewer.getByRole('textbox', { name: 'Search this document' }), 'monthly');
  await page.keyboard.press('Enter');
  await until('found page', async () => (await viewer.locator('[aria-current="page"]').getAttribute('aria-label')) === 'Page 1');
  expect(await viewer.getByRole('search').innerText()).toContain('On 1 page');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await viewer.waitFor({ state: 'hidden' });
});

test('fields become a table, and its CSV lies where the person says', async () => {
  await page.keyboard.press('Control+Shift+D');
  await hands.press(library().getByRole('button', { name: 'Actions for receipt.pdf' }));
  await hands.press(page.getByRole('menuitem', { name: 'Extract to a table' }));
  const form = page.getByRole('dialog', { name: 'New table' });
  await hands.type(form.getByRole('textbox', { name: 'Name of field 1' }), 'Total');
  await hands.press(form.getByRole('button', { name: 'Extract' }));
  const table = page.getByRole('dialog', { name: 'Total' });
  const cell = table.getByRole('gridcell').first();
  // The model looks at the page as a picture, on software Vulkan, and the recogniser reads it anew.
  const named = (): Promise<string> => cell.innerText().catch(() => '');
  await until('value', async () => /\d/.test(await named()), { patienceMs: 200_000 });
  const own = (await desktop.windows()).map(({ id }) => id);
  await hands.press(table.getByRole('button', { name: 'Save as CSV' }));
  await until('dialog of the system', async () => !(await Promise.all(own.map(desktop.hasKeyboard))).includes(true));
  // It reads its folder first.
  await sleep(2000);
  await desktop.key('Return');
  const home = desktop.env['HOME']!;
  const saved = await until('saved file', () =>
    readdirSync(home, { recursive: true, encoding: 'utf8' }).find((path) => basename(path) === 'Total.csv'),
  );
  const csv = await until('contents of the file', () => readFileSync(join(home, saved), 'utf8'));
  expect(csv).toMatch(/^\ufeffDocument,Total,Doubts\r\nreceipt\.pdf,/);
  expect(csv).toContain((await named()).match(/[\d.]+/)![0]);
});

test('axe finds nothing in the window of the desktop, in either theme', async () => {
  // Each page that is left may lead back to the one before.
  await until('main window without a dialog', async () => {
    if ((await page.getByRole('dialog').count()) === 0) return true;
    await page.keyboard.press('Escape');
    return false;
  });
  await page.getByRole('navigation').getByText('Notice period', { exact: true }).first().click();
  const found: Record<string, string[]> = {};
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    // As a window that opens in this theme: where it changes under an open one, this Chromium leaves some inherited colours as they were.
    await page.reload();
    await page.getByRole('article', { name: 'Answer' }).waitFor();
    found[`conversation, ${colorScheme}`] = await violations(page);
    for (const [keys, name] of [
      ['Control+,', 'Settings'],
      ['Control+Shift+D', 'Documents'],
    ] as const) {
      await page.keyboard.press(keys);
      const dialog = page.getByRole('dialog', { name });
      await dialog.waitFor();
      found[`${name}, ${colorScheme}`] = await violations(page);
      await page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'hidden' });
    }
  }
  expect(Object.entries(found).filter(([, rules]) => rules.length > 0)).toEqual([]);
  expect(Object.keys(found)).toHaveLength(6);
});
