/** Formulas and the colours of code in answers. The engine says back what it was asked. */
import type { Page } from 'playwright/test';
import { violations } from './support/axe.ts';
import { expect, testWithFakeEngine } from './support/loupe.ts';

const test = testWithFakeEngine(1, 1000);

const ranges = (page: Page, name: string): Promise<string[]> =>
  page.evaluate((of) => [...(CSS.highlights.get(of) ?? [])].map((range) => (range as Range).toString()), name);

test('formulas are drawn, amounts of money are not, and code has colours', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  await loupe.ask(
    [
      'The mean is $\\bar{x} = \\frac{1}{n}\\sum_{i=1}^{n} x_i$, and it costs $5, not $6.',
      '$$\n\\begin{pmatrix} a & b \\\\ c & d \\end{pmatrix}\n$$',
      'Broken: $\\frac{1}{$ and \\(\\unknown\\).',
      '```python\ndef area(r):\n    # of a circle\n    return 3.14 * r ** 2\n```',
      'End.',
    ].join('\n\n'),
  );
  const answer = loupe.answers.last();
  await expect(answer.locator('math')).toHaveCount(2);
  await expect(answer.locator('math msubsup, math munderover').first()).toBeVisible();
  await expect(answer.locator('math mtable')).toBeVisible();
  await expect(answer).toContainText('it costs $5, not $6.');
  // What is no TeX stands there as it was written.
  await expect(answer.getByText('\\(\\unknown\\)')).toBeVisible();
  await expect(async () => expect(await ranges(page, 'code-keyword')).toEqual(['def', 'return'])).toPass();
  expect(await ranges(page, 'code-number')).toEqual(['3.14', '2']);
  expect(await ranges(page, 'code-comment')).toEqual(['# of a circle']);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await violations(page)).toEqual([]);
  }
  // Nothing of it is left when the conversation is.
  await loupe.startNew();
  expect(await ranges(page, 'code-keyword')).toEqual([]);
});

test('a formula stays within its place, opens nothing and takes no time that anybody would notice', async ({ loupe, page }) => {
  const problems: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  const asked: string[] = [];
  page.on('request', (request) => {
    if (new URL(request.url()).hostname !== '127.0.0.1') asked.push(request.url());
  });
  await loupe.skipWelcome();
  const hostile = [
    '\\href{javascript:alert(1)}{a}',
    '\\includegraphics{https://example.org/a.png}',
    '\\def\\a{\\a\\a}\\a',
    `${'{'.repeat(900)}x${'}'.repeat(900)}`,
    '\\rule{9999em}{9999em}',
    '\\hspace{-999em}over',
    '\\class{evil}{x}\\style{position:fixed}{y}\\data{a=b}{z}',
    '\\text{<img src=x onerror=alert(1)>}',
  ];
  await loupe.ask(hostile.map((tex) => `$${tex}$`).join('\n\n'));
  const answer = loupe.answers.last();
  await expect(answer.locator('.formula')).toHaveCount(hostile.length);
  // It can be worked with at once.
  await loupe.question.fill('And now?');
  await expect(answer.locator('math')).not.toHaveCount(0);
  expect(await answer.locator(':is(a, img, [href], [src], [onerror], .evil)').count()).toBe(0);
  const column = (await answer.boundingBox())!;
  for (const math of await answer.locator('.drawn:not([hidden])').all()) {
    const box = (await math.boundingBox())!;
    expect(box.x).toBeGreaterThanOrEqual(column.x - 1);
    expect(box.x + box.width).toBeLessThanOrEqual(column.x + column.width + 1);
    expect(box.height).toBeLessThan(600);
  }
  expect(asked).toEqual([]);
  expect(problems).toEqual([]);
});

testWithFakeEngine(20)('what stands above an answer that grows is drawn once', async ({ loupe }) => {
  await loupe.skipWelcome();
  const rest = Array.from({ length: 150 }, (_, index) => `word${index}`).join(' ');
  await loupe.question.fill(`$$\nx^2\n$$\n\nThen $y$ and\n\n${rest}`);
  await loupe.question.press('Enter');
  const drawn = loupe.answers.last().locator('math');
  await expect(drawn).toHaveCount(2);
  await drawn.evaluateAll((all) => {
    for (const math of all) math.setAttribute('data-first', '');
  });
  await expect(loupe.answers.last()).toContainText('word120');
  await loupe.lastAnswer();
  await expect(loupe.answers.last().locator('math[data-first]')).toHaveCount(2);
});
