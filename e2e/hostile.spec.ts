/**
 * Answers made to break the window, drawn by the window's own components in Chromium: each is seen, none goes deep, none asks
 * the network for anything. `LOUPE_HOSTILE` says how many (here a sample), `LOUPE_HOSTILE_FROM` which is the first.
 */
import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import type { Page } from 'playwright/test';
import { build } from 'vite';
import { mostPieces } from '../renderer/markdown/blocks.ts';
import { deepestInline } from '../renderer/markdown/inline.ts';
import { deepestBlock } from '../renderer/markdown/parser.ts';
import { families, hostileAnswer } from '../renderer/markdown/test/hostile.ts';
import type { Drawn } from '../renderer/components/markdown/test/drawn.ts';
import { expect, testWithFakeEngine } from './support/loupe.ts';

const test = testWithFakeEngine(1);

const project = fileURLToPath(new URL('../', import.meta.url));
const built = join(project, 'build/markdown-page');
const address = 'http://markdown.test/';
const types: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };

const count = Number(process.env['LOUPE_HOSTILE'] ?? 250);
const first = Number(process.env['LOUPE_HOSTILE_FROM'] ?? 0);
const atOnce = 50;
/** Signs that somebody can see; the rest has nothing to show. */
const visible = /[\p{L}\p{N}\p{P}\p{S}]/u;

/** The page that draws answers; answers a list of what it has asked the network for. */
async function openPage(page: Page): Promise<string[]> {
  await build({
    configFile: false,
    root: join(project, 'renderer/components/markdown/test'),
    base: './',
    logLevel: 'error',
    plugins: [svelte({ configFile: join(project, 'renderer/svelte.config.js') })],
    build: { outDir: built, emptyOutDir: true, target: 'chrome130', reportCompressedSize: false },
  });
  const asked: string[] = [];
  await page.route('**/*', async (route) => {
    const path = new URL(route.request().url()).pathname.slice(1) || 'index.html';
    const own = route.request().url().startsWith(address) ? await readFile(join(built, path)).catch(() => null) : null;
    if (!own) asked.push(route.request().url());
    return own ? route.fulfill({ body: own, contentType: types[extname(path)] ?? 'application/octet-stream' }) : route.abort();
  });
  await page.goto(address);
  await page.waitForFunction(() => 'draw' in globalThis);
  asked.length = 0;
  return asked;
}

const drawAll = (page: Page, answers: { text: string; steps: number }[]): Promise<Drawn[]> =>
  page.evaluate((given) => {
    const { draw } = globalThis as unknown as { draw: (text: string, steps: number) => Drawn };
    return given.map(({ text, steps }) => draw(text, steps));
  }, answers);

test('whatever an answer says, it is seen, and the page goes on', async ({ page }) => {
  test.setTimeout(60_000 + count * 500);
  const asked = await openPage(page);
  const wrong: { seed: number; drawn: Drawn }[] = [];
  const ms: number[] = [];
  for (let from = first; from < first + count; from += atOnce) {
    const seeds = Array.from({ length: Math.min(atOnce, first + count - from) }, (_, at) => from + at);
    const texts = seeds.map(hostileAnswer);
    // One in ten comes as answers do, piece by piece.
    const drawn = await drawAll(
      page,
      texts.map((text, at) => ({ text, steps: seeds[at]! % 10 === 0 ? 12 : 1 })),
    );
    for (const [at, one] of drawn.entries()) {
      const blank = one.blank && visible.test(texts[at]!);
      const large = one.depth > 2 * deepestBlock + 2 * deepestInline + 8 || one.elements > 4 * mostPieces;
      if (one.failure || blank || large) wrong.push({ seed: seeds[at]!, drawn: one });
      ms.push(one.ms);
    }
  }
  ms.sort((a, b) => a - b);
  const part = (share: number) => Math.round(ms[Math.floor((ms.length - 1) * share)]!);
  const description = [0.5, 0.99, 0.999, 1].map(part).join(', ');
  test.info().annotations.push({ type: 'drawn in, ms (median, 99 %, 99.9 %, slowest)', description });
  expect(wrong).toEqual([]);
  expect(asked).toEqual([]);
});

test('however long it is, an answer has no more parts than the window can draw', async ({ page }) => {
  test.setTimeout(240_000);
  const asked = await openPage(page);
  for (const [name, make] of Object.entries(families)) {
    const [drawn] = (await drawAll(page, [{ text: make(40_000), steps: 1 }])) as [Drawn];
    expect.soft(drawn.failure, name).toBe('');
    expect.soft(drawn.elements, name).toBeLessThan(2 * mostPieces);
  }
  expect(asked).toEqual([]);
});

/** The engine says back what it is asked, with a word before and after it. */
const worst = {
  'items on one line': `say\n\n${'- '.repeat(100)}end`,
  'quotes on one line': `say\n\n${'>'.repeat(250)}end`,
  'thousands of quotes on one line': `say\n\n${'>'.repeat(5_000)}end`,
  stars: `say\n\n${'**a**'.repeat(3_000)}end`,
};

test('a conversation keeps its answers, whatever they say, and has them after a reload', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  await loupe.ask('the first');
  for (const [name, text] of Object.entries(worst)) {
    await loupe.ask(text);
    await expect(loupe.answers.first(), name).toContainText('the first');
  }
  await page.reload();
  await expect(loupe.answers).toHaveCount(1 + Object.keys(worst).length);
  for (const [at, end] of ['the first', ...Object.keys(worst).map(() => 'end')].entries()) {
    const answer = loupe.answers.nth(at);
    await answer.scrollIntoViewIfNeeded();
    await expect(answer.locator('.markdown')).toContainText(end, { useInnerText: true });
  }
});

test('a message that cannot be drawn says so and is there as text; the others stay', async ({ loupe, page }) => {
  // No known answer does this any more: the fault is put in.
  await page.addInitScript(() => {
    const create = document.createElement.bind(document);
    document.createElement = ((name: string) => {
      if (name === 'ol') throw new RangeError('Maximum call stack size exceeded');
      return create(name);
    }) as typeof document.createElement;
  });
  await page.reload();
  await loupe.skipWelcome();
  await loupe.ask('before');
  await loupe.question.fill('say\n\n1. **one**\n2. two');
  await loupe.question.press('Enter');
  const broken = loupe.answers.nth(1);
  await expect(broken).toHaveAttribute('aria-busy', 'false');
  await expect(broken).toContainText('This message could not be shown.');
  await expect(broken.getByRole('button', { name: 'Answer again' })).toBeVisible();
  await broken.getByRole('button', { name: 'Show as text' }).click();
  await expect(broken).toContainText('1. **one**');
  await loupe.ask('after');
  await expect(loupe.answers.first()).toContainText('before');
  await expect(loupe.answers.last()).toContainText('after');
});
