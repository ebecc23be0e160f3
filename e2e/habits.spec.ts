/** What must hold for everybody and every day: keyboard alone, screen readers, restarts, exports, captures. */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { violations } from './support/axe.ts';
import { filesWith } from './support/files.ts';
import { expect, test, testWithFakeEngine, testWithWaitingEngine, Window } from './support/loupe.ts';
import { samples } from './support/samples.ts';
import { shareCanvas } from './support/screen.ts';

const sample = samples[0]!;

test.describe('accessibility', () => {
  for (const colorScheme of ['light', 'dark'] as const) {
    test(`no state of the window breaks a rule of axe, ${colorScheme}`, async ({ loupe }) => {
      const { page } = loupe;
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await expect(page.getByRole('button', { name: 'Start without a picture' })).toBeVisible();
      expect(await violations(page), 'first run').toEqual([]);
      await loupe.skipWelcome();
      expect(await violations(page), 'empty').toEqual([]);
      await loupe.attach(sample.path);
      await loupe.ask(sample.question);
      expect(await violations(page), 'conversation').toEqual([]);
      await page.keyboard.press('Control+i');
      await expect(page.getByRole('complementary', { name: 'What the model sees' })).toBeVisible();
      expect(await violations(page), 'inspector').toEqual([]);
      await page.keyboard.press('Control+i');
      await page.keyboard.press('Control+,');
      await expect(page.getByRole('dialog', { name: 'Settings' })).toBeVisible();
      expect(await violations(page), 'settings').toEqual([]);
      await page.keyboard.press('Escape');
      await page.keyboard.press('Control+/');
      await expect(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible();
      expect(await violations(page), 'shortcuts').toEqual([]);
    });
  }

  test('keyboard alone: from the first page to an answer, a search and back', async ({ loupe }) => {
    const { page } = loupe;
    const skip = page.getByRole('button', { name: 'Start without a picture' });
    for (let tab = 0; tab < 10 && !(await skip.evaluate((button) => button === document.activeElement)); tab++)
      await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await expect(loupe.question).toBeFocused();
    await page.keyboard.type('Keyboards are enough');
    await page.keyboard.press('Enter');
    await loupe.lastAnswer();
    await expect(loupe.question).toBeFocused();
    await loupe.startNew();
    await page.keyboard.press('Control+k');
    await page.keyboard.type('keyboar');
    await expect(page.getByRole('navigation').getByRole('status')).toContainText(/hits?/);
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await expect(loupe.answers).toHaveCount(1);
  });
});

const slow = testWithFakeEngine(40);
const longQuestion = Array.from({ length: 200 }, (_, index) => `word${index}`).join(' ');

slow('an answer that is being written survives a reload of the page', async ({ loupe }) => {
  await loupe.skipWelcome();
  await loupe.question.fill(longQuestion);
  await loupe.question.press('Enter');
  await expect(loupe.answers).toContainText('word20');
  await loupe.page.reload();
  await expect(loupe.answers).toContainText('word20');
  expect(await loupe.lastAnswer()).toContain('word199');
});

testWithWaitingEngine(60)(
  'the app is killed in mid-answer: the answer is there, interrupted, and goes on',
  async ({ loupe, host, page }) => {
    await loupe.skipWelcome();
    await loupe.question.fill(longQuestion);
    await loupe.question.press('Enter');
    // The last second of text may be lost.
    await expect.poll(() => filesWith(host.directory, 'You asked: word0 word1')).not.toEqual([]);
    await host.stop('SIGKILL');
    await expect(page.getByText('The connection to Loupe was lost.')).toBeVisible();
    await page.goto(await host.start('--word-ms', '0'));
    const again = new Window(page);
    await page.getByRole('navigation').getByText('word0 word1').first().click();
    await expect(again.answers).toContainText('You asked: word0 word1');
    await expect(page.getByText('Loupe was closed while this was being written.')).toBeVisible();
    await page.getByRole('button', { name: 'Continue' }).click();
    // It goes on when the app has said so.
    await expect(page.getByRole('button', { name: 'Continue' })).toHaveCount(0);
    expect(await again.lastAnswer()).toContain('word199');
  },
);

testWithWaitingEngine(1)('an answer is stopped without waiting for the engine, and keeps its words', async ({ loupe }) => {
  await loupe.skipWelcome();
  await loupe.question.fill(longQuestion);
  await loupe.question.press('Enter');
  await expect(loupe.answers).toContainText('You');
  await loupe.stop.click();
  await expect(loupe.answers.last()).toHaveAttribute('aria-busy', 'false');
  await expect(loupe.page.getByText('Stopped.')).toBeVisible();
  await expect(loupe.answers).toContainText('You');
  await expect(loupe.send).toBeVisible();
});

slow('a conversation is exported as Markdown', async ({ loupe }) => {
  await loupe.skipWelcome();
  await loupe.ask('Export me');
  const downloading = loupe.page.waitForEvent('download');
  await loupe.page.keyboard.press('Control+Shift+e');
  const download = await downloading;
  expect(download.suggestedFilename()).toMatch(/\.md$/);
  expect(readFileSync(await download.path(), 'utf8')).toContain('You asked: Export me');
});

slow('settings are kept: a theme, a longest answer; a wrong value says why', async ({ loupe }) => {
  await loupe.skipWelcome();
  const { page } = loupe;
  await page.keyboard.press('Control+,');
  const dialog = page.getByRole('dialog', { name: 'Settings' });
  await dialog.getByRole('radio', { name: 'Dark' }).check();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  const longest = dialog.getByLabel('Longest answer');
  await longest.fill('99999999');
  await longest.press('Tab');
  await expect(dialog.getByText(/Enter a number between 1 and 16,384/)).toBeVisible();
  await longest.fill('64');
  await longest.press('Tab');
  await page.reload();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await page.keyboard.press('Control+,');
  await expect(page.getByRole('dialog', { name: 'Settings' }).getByLabel('Longest answer')).toHaveValue('64');
});

slow('what is not a picture is refused by name, and the question stays', async ({ loupe }) => {
  await loupe.skipWelcome();
  await loupe.question.fill('Precious words');
  const choosing = loupe.page.waitForEvent('filechooser');
  await loupe.page.getByRole('button', { name: 'Attach pictures' }).click();
  await (
    await choosing
  ).setFiles({ name: 'broken.png', mimeType: 'image/png', buffer: Buffer.from('\x89PNG\r\n\x1a\nnonsense', 'latin1') });
  await expect(loupe.page.getByText(/broken\.png is damaged or cut short/)).toBeVisible();
  await expect(loupe.question).toHaveValue('Precious words');
});

testWithFakeEngine(2)(
  'questions and answers run no script and open no connection; a link opens a page of its own when that is agreed to',
  async ({ loupe, page, context }) => {
    test.setTimeout(240_000);
    const asked: IncomingMessage[] = [];
    const elsewhere = createServer((request, response) => {
      asked.push(request);
      response.end('elsewhere');
    });
    await new Promise<void>((resolve) => void elsewhere.listen(0, '127.0.0.1', resolve));
    const there = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}`;
    const attempts = [
      `![p](${there}/md.png) ![r][r] [![b](${there}/badge.svg)](${there}/link)`,
      `<img src="${there}/img.png" onerror="document.title=1"> <script src="${there}/s.js">document.title=1</script>`,
      `<link rel="preload" as="image" href="${there}/preload"> <link rel="dns-prefetch" href="${there}"> <base href="${there}/">`,
      `<style>@import "${there}/i.css"; * { background: url(${there}/css.png) }</style> <p style="background:url(${there}/style.png)">`,
      `<iframe src="${there}/frame"></iframe> <video poster="${there}/poster" src="${there}/v.mp4"></video> ` +
        `<svg><image href="${there}/svg.png"/></svg>`,
      `<meta http-equiv="refresh" content="0;url=${there}/refresh"> [l](javascript:alert(1)) [d](data:text/html,x)`,
      `[r]: ${there}/reference.png`,
    ];
    await loupe.skipWelcome();
    // The engine says back what it was asked: each stands in a question, a title and an answer.
    for (const attempt of attempts) await loupe.ask(attempt);
    await loupe.ask(attempts.join('\n\n'));
    await page.keyboard.press('Control+k');
    await page.keyboard.type('poster');
    await expect(page.getByRole('navigation').getByRole('status')).toContainText(/hits?/);
    await page.reload();
    await expect(loupe.answers).toHaveCount(attempts.length + 1);
    await expect(page).not.toHaveTitle('1');
    expect(
      await page
        .locator('article :is(img, script, link, style, iframe, video, svg image, meta, [style*=url]), article a:not([href^="http"])')
        .count(),
    ).toBe(0);
    expect(asked.map(({ url }) => url)).toEqual([]);

    await loupe.answers.last().locator(`a[href="${there}/link"]`).click();
    const opening = context.waitForEvent('page');
    await page.getByRole('dialog').getByRole('button', { name: 'Open in Browser' }).click();
    await (await opening).waitForURL(`${there}/link`);
    await expect.poll(() => asked.find(({ url }) => url === '/link')?.headers.host).toBe(there.slice('http://'.length));
    // It does not learn where it was opened from, and cannot steer the window.
    expect(asked[0]!.headers.referer).toBeUndefined();
    expect(await (await opening).evaluate(() => window.opener as unknown)).toBeNull();
    await expect(loupe.question).toBeVisible();
    elsewhere.closeAllConnections();
    elsewhere.close();
  },
);

slow('a part of the screen is captured through the browser and asked about', async ({ loupe, page }) => {
  await shareCanvas(page);
  await loupe.skipWelcome();
  await page.keyboard.press('Control+Shift+c');
  const overlay = page.getByRole('application');
  await expect(overlay).toBeVisible();
  const box = (await overlay.boundingBox())!;
  await page.mouse.move(box.x + 100, box.y + 100);
  await page.mouse.down();
  await page.mouse.move(box.x + 300, box.y + 250, { steps: 5 });
  await page.mouse.up();
  await page.keyboard.press('Enter');
  await expect(loupe.chips()).toHaveCount(1);
  await expect(loupe.question).toBeFocused();
  expect(await loupe.ask('What colour?')).toContain('1 picture');
});
