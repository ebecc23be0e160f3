/** Hebrew and Arabic stand on their own side, block by block, wherever words of people and models are shown; code is left to right. */
import type { Locator } from 'playwright/test';
import { expect, testWithFakeEngine } from './support/loupe.ts';

const test = testWithFakeEngine(1);

const question = 'מה כתוב בתמונה הזאת? (README.md) - שורה 12.\nA second line (in English).';

/** The engine says it back, between a few words of English. */
const mixed = `say

מה כתוב בתמונה הזאת? (README.md) - שורה 12.

Run the tests (all of them).

## כותרת (ראשונה)

- פריט ראשון: \`ls -la\`
- npm install
- פריט שלישי

1. First (one)
2. שני

> ציטוט קצר.

| שם | value |
|---|---|
| אורך | 12 |

\`\`\`sh
echo "שלום"
\`\`\`
`;

/** On which side of its box the first line of an element begins. */
const begins = (element: Locator): Promise<'left' | 'right'> =>
  element.evaluate((box) => {
    const text = document
      .createTreeWalker(box, NodeFilter.SHOW_TEXT, (node) => (node.nodeValue?.trim() ? NodeFilter.FILTER_ACCEPT : NodeFilter.FILTER_SKIP))
      .nextNode()!;
    const line = document.createRange();
    line.setStart(text, text.nodeValue!.search(/\S/));
    line.setEnd(text, text.nodeValue!.search(/\S/) + 1);
    const [first, around] = [line.getBoundingClientRect(), box.getBoundingClientRect()];
    return first.left - around.left < around.right - first.right ? 'left' : 'right';
  });

const direction = (element: Locator): Promise<string> => element.evaluate((box) => getComputedStyle(box).direction);

test('each block of an answer has its own direction, and code has none', async ({ loupe }) => {
  await loupe.skipWelcome();
  await loupe.ask(mixed);
  const answer = loupe.answers.last();
  expect(await begins(answer.getByText('מה כתוב'))).toBe('right');
  expect(await begins(answer.getByText('Run the tests'))).toBe('left');
  expect(await begins(answer.getByRole('heading'))).toBe('right');

  const [bullets, numbers] = [answer.locator('ul'), answer.locator('ol')];
  expect([await direction(bullets), await direction(numbers)]).toEqual(['rtl', 'ltr']);
  // Marks stand on the side of the list, and the words beside them.
  expect(await bullets.evaluate((list) => getComputedStyle(list).paddingRight)).not.toBe('0px');
  expect(
    await Promise.all((await bullets.getByRole('listitem').all()).map((item) => item.evaluate((box) => getComputedStyle(box).textAlign))),
  ).toEqual(['right', 'right', 'right']);
  expect(await begins(numbers.getByRole('listitem').first())).toBe('left');

  const quote = answer.locator('blockquote');
  expect([await direction(quote), await begins(quote)]).toEqual(['rtl', 'right']);
  const table = answer.getByRole('table');
  expect(await direction(table)).toBe('rtl');
  const [name, value] = [
    await table.getByRole('columnheader').first().boundingBox(),
    await table.getByRole('columnheader').last().boundingBox(),
  ];
  expect(name!.x, 'the first column is on the right').toBeGreaterThan(value!.x);

  expect(await direction(answer.locator('pre'))).toBe('ltr');
  expect(await begins(answer.locator('pre'))).toBe('left');
  expect(await direction(answer.locator('li code'))).toBe('ltr');
});

test('questions, titles, hits and fields have the direction of what stands in them', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  await loupe.question.fill(question);
  expect(await direction(loupe.question)).toBe('rtl');
  await loupe.question.press('Enter');
  await expect(loupe.answers).toHaveCount(1);
  await loupe.lastAnswer();
  const asked = page.getByRole('article', { name: 'You' }).locator('p');
  // The box is as wide as its longest line; the shorter one shows where lines begin.
  const edges = await asked.evaluate((box) => {
    const text = box.firstChild!;
    const at = text.nodeValue!.indexOf('A second');
    const of = (start: number) => {
      const range = document.createRange();
      range.setStart(text, start);
      range.setEnd(text, start + 1);
      return range.getBoundingClientRect();
    };
    return { hebrew: box.getBoundingClientRect().right - of(0).right, english: of(at).left - box.getBoundingClientRect().left };
  });
  expect(edges.hebrew).toBeLessThan(20);
  expect(edges.english).toBeLessThan(20);

  expect(await direction(page.locator('main header h1'))).toBe('rtl');
  expect(await direction(loupe.sidebar.locator('[data-conversation] .title'))).toBe('rtl');
  await page.getByRole('textbox', { name: /search/i }).fill('כתוב');
  expect(await direction(page.getByRole('textbox', { name: /search/i }))).toBe('rtl');
  await expect(loupe.sidebar.locator('mark').first()).toBeVisible();
  expect(await direction(loupe.sidebar.locator('.results .title').first())).toBe('rtl');
});
