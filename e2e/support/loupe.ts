/** Loupe as a person meets it: a host with a data folder of its own, and windows of it. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { expect, test as base, type BrowserContext, type Locator, type Page } from 'playwright/test';
import { launchShell, whyNoElectron } from '../electron/launch.ts';

const entry = fileURLToPath(new URL('../../main/cli/loupe.ts', import.meta.url));
const fakeEntry = fileURLToPath(new URL('../fake-host.ts', import.meta.url));

type HostProcess = ChildProcessByStdio<null, Readable, Readable>;

/** The web host of a data folder, which can be ended and started again. */
export class Host {
  readonly directory = mkdtempSync(join(tmpdir(), 'loupe-e2e-'));
  readonly #command: string[];
  #process: HostProcess | null = null;
  #link = '';

  constructor(command: string[]) {
    this.#command = command;
  }

  /** Returns the link that opens it once. `more`: options that count for this start. */
  async start(...more: string[]): Promise<string> {
    const child = spawn(process.execPath, [...this.#command, '--data', this.directory, ...more], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = child;
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    const ended = once(child, 'exit').then(() => {
      throw new Error(`The host ended before it printed a link: ${said}`);
    });
    const [line] = (await Promise.race([once(child.stdout.setEncoding('utf8'), 'data'), ended])) as [string];
    ended.catch(() => {});
    this.#link = line.trim();
    return this.#link;
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#process;
    if (!child) return;
    this.#process = null;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  async end(): Promise<void> {
    await this.stop('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** What a person does in the main window, by the names that a screen reader would say. */
export class Window {
  readonly page: Page;
  readonly question: Locator;
  readonly send: Locator;
  readonly stop: Locator;
  readonly answers: Locator;
  readonly sidebar: Locator;

  constructor(page: Page) {
    this.page = page;
    this.question = page.getByRole('textbox', { name: 'Your question' });
    this.send = page.getByRole('button', { name: 'Send', exact: true });
    this.stop = page.getByRole('button', { name: 'Stop', exact: true });
    this.answers = page.getByRole('article', { name: 'Answer' });
    this.sidebar = page.getByRole('navigation');
  }

  async skipWelcome(): Promise<void> {
    await this.page.getByRole('button', { name: 'Start without a picture' }).click();
    await expect(this.question).toBeFocused();
  }

  async attach(...paths: string[]): Promise<void> {
    const before = await this.chips().count();
    const choosing = this.page.waitForEvent('filechooser');
    await this.page.getByRole('button', { name: 'Attach pictures' }).click();
    await (await choosing).setFiles(paths);
    await expect(this.chips()).toHaveCount(before + paths.length);
  }

  chips(): Locator {
    return this.page.getByRole('list', { name: 'Attached pictures' }).getByRole('listitem');
  }

  /** Begins a conversation, and waits until it is empty: what is asked before would be counted with the answers of the other one. */
  async startNew(): Promise<void> {
    await this.page.keyboard.press('Control+n');
    await expect(this.answers).toHaveCount(0);
  }

  /** Asks and waits until the answer is whole. Returns its text. */
  async ask(text: string): Promise<string> {
    const before = await this.answers.count();
    await this.question.fill(text);
    await this.question.press('Enter');
    await expect(this.answers).toHaveCount(before + 1);
    return this.lastAnswer();
  }

  async lastAnswer(): Promise<string> {
    const answer = this.answers.last();
    await expect(answer).toHaveAttribute('aria-busy', 'false', { timeout: 60_000 });
    const words = answer.locator('.markdown');
    // An answer has no inner text before the first frame that shows it (content-visibility).
    await expect(words).toHaveText(/\S/, { useInnerText: true });
    return (await words.innerText()).trim();
  }
}

interface Fixtures {
  host: Host;
  /** With the real engine and the demo model. */
  loupe: Window;
}

async function openWindow(page: Page, link: string): Promise<Window> {
  await page.goto(link);
  return new Window(page);
}

export const test = base.extend<Fixtures>({
  host: async ({}, use) => {
    const host = new Host([entry, 'serve', '--no-open']);
    await use(host);
    await host.end();
  },
  loupe: async ({ page, host }, use, testInfo) => {
    if (testInfo.project.name !== 'electron') return use(await openWindow(page, await host.start()));
    const why = whyNoElectron();
    testInfo.skip(why !== undefined, why);
    const shell = await launchShell();
    await use(new Window(shell.page));
    await shell.close();
  },
});

export function hostWithFakeEngine(wordMs: number, atOnce = 0, more: readonly string[] = []): Host {
  return new Host([fakeEntry, '--word-ms', String(wordMs), '--words-at-once', String(atOnce), ...more]);
}

/**
 * The whole app with an engine that says back what it was asked,
 * a word every `wordMs` after the first `atOnce`: for what needs long answers.
 */
export const testWithFakeEngine = (wordMs: number, atOnce = 0, more: readonly string[] = []): typeof test =>
  test.extend({
    host: async ({}, use, testInfo) => {
      testInfo.skip(testInfo.project.name === 'electron', 'the desktop app runs the real engine only');
      const host = hostWithFakeEngine(wordMs, atOnce, more);
      await use(host);
      await host.end();
    },
  });

/** Its answers wait after so many words for longer than a test may take: they end when they are stopped, and shorter ones by themselves. */
export const testWithWaitingEngine = (words: number): typeof test => testWithFakeEngine(300_000, words);

/** The small window without a picture; it takes one from here on. */
export async function openQuickAsk(page: Page): Promise<void> {
  await page.goto(new URL('/?view=quick', page.url()).href);
  await expect(page.getByText('There is no picture')).toBeVisible();
}

/** As a program leaves a picture on the clipboard. */
export async function pastePicture(page: Page, bytes: Buffer, name = 'shot.png'): Promise<void> {
  await page.evaluate(
    ([base64, fileName]) => {
      const data = new DataTransfer();
      data.items.add(new File([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], fileName, { type: 'image/png' }));
      document.activeElement!.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
    },
    [bytes.toString('base64'), name] as const,
  );
}

/** Another window of the same app, as a second tab. */
export async function secondWindow(context: BrowserContext, first: Window): Promise<Window> {
  return openWindow(await context.newPage(), new URL('/', first.page.url()).href);
}

export { expect };
