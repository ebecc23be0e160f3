/** How answers are shown: as Markdown and never as HTML, and without moving the reader. */
import { expect, testWithFakeEngine } from './support/loupe.ts';

const test = testWithFakeEngine(10);

const hostile = `look

<img src="/pictures/x" onerror="document.title = 'broken'"> <script>document.title = 'broken'</script>

[harmless](https://example.org/a) [script](javascript:alert(1)) [file](file:///etc/passwd)

![tracker](https://example.org/t.png)

| a | b |
|---|---|
| 1 | 2 |

\`\`\`html
<b>code</b>
\`\`\`

That was all.`;

test('hostile Markdown stays text; what is harmless is shown as it is meant', async ({ loupe, page }) => {
  const foreign: string[] = [];
  page.on('request', (request) => {
    if (!request.url().startsWith(new URL('/', page.url()).href)) foreign.push(request.url());
  });
  await loupe.skipWelcome();
  await loupe.ask(hostile);
  const answer = loupe.answers.last();
  await expect(answer.getByText('<img src="/pictures/x"')).toBeVisible();
  await expect(answer.locator('img, script, iframe')).toHaveCount(0);
  await expect(page).not.toHaveTitle('broken');
  expect(foreign).toEqual([]);

  const links = answer.getByRole('link');
  await expect(links).toHaveCount(1);
  await expect(links).toHaveAttribute('href', 'https://example.org/a');
  await expect(links).toHaveAttribute('rel', /noopener/);
  await expect(answer.getByText('(example.org)')).toBeVisible();
  await expect(answer.getByText('Picture: tracker')).toBeVisible();
  await expect(answer.getByRole('cell', { name: '2' })).toBeVisible();
  await expect(answer.locator('pre')).toHaveText('<b>code</b>');
});

test('who reads further up is left there, and one click leads back to the end', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  await loupe.question.fill('word '.repeat(5_000));
  await loupe.question.press('Enter');
  const scroller = page.getByRole('region', { name: 'Conversation' });
  const fromEnd = () => scroller.evaluate((element) => element.scrollHeight - element.scrollTop - element.clientHeight);
  const top = () => scroller.evaluate((element) => element.scrollTop);
  await expect(loupe.answers.last()).toContainText('word word');
  const height = await scroller.evaluate((element) => element.scrollHeight);
  // The end is followed while the answer grows by many lines.
  await expect.poll(() => scroller.evaluate((element) => element.scrollHeight)).toBeGreaterThan(height + 100);
  await expect.poll(fromEnd).toBeLessThan(40);

  await scroller.hover();
  await page.mouse.wheel(0, -400);
  await expect.poll(fromEnd).toBeGreaterThan(300);
  const before = await top();
  const heightBefore = await scroller.evaluate((element) => element.scrollHeight);
  await expect.poll(() => scroller.evaluate((element) => element.scrollHeight)).toBeGreaterThan(heightBefore + 60);
  expect(Math.abs((await top()) - before)).toBeLessThanOrEqual(1);

  await page.getByRole('button', { name: 'Jump to the end' }).click();
  await expect.poll(fromEnd).toBeLessThan(40);
  await page.keyboard.press('Escape');
  await expect(loupe.answers.last()).toHaveAttribute('aria-busy', 'false');
});
