// `npm run bench:start`: from starting Loupe to its window, and from a question to the first word of its answer, with the demo model on the
// processor or the card that is there. In Chromium against the web host, so that it runs wherever the specs run.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { inRoot } from './paths.mjs';

/** @typedef {{ host: number, content: number, word: number, picture: number, load: number }} Round Milliseconds; `load` of the machine. */

/** @param {string[]} args `--rounds N` @returns {Promise<number>} exit code */
export async function benchStart(args) {
  const { values } = parseArgs({ args, options: { rounds: { type: 'string', default: '5' } } });
  const { chromium } = await import('playwright');
  const executablePath = process.env['LOUPE_CHROMIUM'] ?? '/usr/bin/chromium';
  const browser = await chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });
  /** @type {Round[]} */
  const rounds = [];
  try {
    // The first one compiles and reads files that nobody has read yet; it is listed apart.
    for (let round = 0; round <= Number(values.rounds); round++) rounds.push(await play(browser));
  } finally {
    await browser.close();
  }
  const [first, ...rest] = rounds;
  const cpu = cpus()[0]?.model ?? 'unknown processor';
  process.stdout.write(`${new Date().toISOString().slice(0, 10)}, ${cpu}, ${cpus().length} threads, demo model\n`);
  if (first) process.stdout.write(`first: ${line(first)}\n`);
  if (rest.length > 0) process.stdout.write(`median of ${rest.length}: ${line(medians(rest))}\n`);
  return 0;
}

/** A data folder of its own, one window, one question, and one with a picture. @param {import('playwright').Browser} browser @returns {Promise<Round>} */
async function play(browser) {
  const data = mkdtempSync(join(tmpdir(), 'loupe-start-'));
  const begun = performance.now();
  const child = spawn(process.execPath, [inRoot('main', 'cli', 'loupe.ts'), 'serve', '--no-open', '--data', data], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  try {
    const [link] = await once(child.stdout.setEncoding('utf8'), 'data');
    const host = performance.now() - begun;
    const page = await context.newPage();
    const opened = performance.now();
    await page.goto(String(link).trim());
    const skip = page.getByRole('button', { name: 'Start without a picture' });
    await skip.waitFor();
    const content = performance.now() - opened;
    await skip.click();
    const word = await ask(page, 1, 'Hello');
    const choosing = page.waitForEvent('filechooser');
    await page.getByRole('button', { name: 'Attach pictures' }).click();
    await (await choosing).setFiles(inRoot('renderer', 'assets', 'sample.png'));
    await page.getByRole('list', { name: 'Attached pictures' }).getByRole('listitem').waitFor();
    const picture = await ask(page, 2, 'What is the total?');
    return { host, content, word, picture, load: loadavg()[0] ?? 0 };
  } finally {
    await context.close();
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
    rmSync(data, { recursive: true, force: true });
  }
}

/** From Enter to the first word that is seen; waits for the end. @param {import('playwright').Page} page @param {number} nth @param {string} text */
async function ask(page, nth, text) {
  const question = page.getByRole('textbox', { name: 'Your question' });
  await question.fill(text);
  const asked = performance.now();
  await question.press('Enter');
  const answer = page.getByRole('article', { name: 'Answer' }).nth(nth - 1);
  await answer.locator('.markdown').filter({ hasText: /\S/ }).waitFor({ timeout: 120_000 });
  const ms = performance.now() - asked;
  await answer.and(page.locator('[aria-busy="false"]')).waitFor({ timeout: 120_000 });
  return ms;
}

/** @param {Round[]} rounds @returns {Round} */
function medians(rounds) {
  /** @param {keyof Round} name */
  const middle = (name) => rounds.map((round) => round[name]).toSorted((a, b) => a - b)[rounds.length >> 1] ?? 0;
  return { host: middle('host'), content: middle('content'), word: middle('word'), picture: middle('picture'), load: middle('load') };
}

/** @param {Round} round */
function line({ host, content, word, picture, load }) {
  const ms = [
    `start to link ${host.toFixed(0)} ms`,
    `link to content ${content.toFixed(0)} ms`,
    `question to first word ${word.toFixed(0)} ms`,
    `with a picture ${picture.toFixed(0)} ms`,
  ];
  return `${ms.join(', ')}; load ${load.toFixed(1)}`;
}
