import { describe, expect, test } from 'vitest';
import { checkCitations, citationsIn, pageNamed, type QuotedPage, type QuotedPages } from './citations.ts';

const pages = [
  { number: 1, label: 'i', text: 'The tenant pays a security of 2,400 euros, returned within six\nweeks after the keys are handed back.' },
  {
    number: 2,
    label: '1',
    text: 'Either party may termi-\nnate by three months’ written notice. The tenant is unable to pay 38 cents per kilometre at −5 °C.',
  },
  { number: 3, label: '2', text: '' },
  {
    number: 4,
    label: '3',
    text: 'La caution est de 2 400 euros. Ｆｕｌｌ width. ﬁne print: 契約の解除は三か月前に通知する。 R290 is filled in.',
  },
];

/** Of one document: every page may have the words. */
function among(listed: Pick<QuotedPage, 'number' | 'label' | 'text'>[]): QuotedPages {
  const all = listed.map((page) => ({ documentId: 1, name: 'lease.pdf', ...page }));
  return { named: ({ page }) => [pageNamed(page, all)].filter((one) => one !== null), likely: () => all };
}

const check = (page: string, quote: string): [string, number | null, string | null] => {
  const [{ finding, number, found }] = checkCitations(`So it is [p. ${page} "${quote}"].`, among(pages)) as [
    ReturnType<typeof checkCitations>[number],
  ];
  return [finding, number, found];
};

describe('citations in an answer', () => {
  test('are found with their places, whatever quotation marks they have', () => {
    const answer = 'A [p. 12 "so it is"] b [page iii, “or so”] c [p. 4] d [1] e [pp 2: «là»]';
    expect(citationsIn(answer).map(({ page, quote }) => [page, quote])).toEqual([
      ['12', 'so it is'],
      ['iii', 'or so'],
      ['4', null],
      ['2', 'là'],
    ]);
    expect(citationsIn(answer).map(({ offset, length }) => answer.slice(offset, offset + length))[0]).toBe('[p. 12 "so it is"]');
    expect(citationsIn('[p. 1 "never closed')).toEqual([]);
    expect(citationsIn('[lease.pdf, p. 12 "so it is"] [Bericht 2026.pdf: page 3]').map(({ document, page }) => [document, page])).toEqual([
      ['lease.pdf', '12'],
      ['Bericht 2026.pdf', '3'],
    ]);
  });

  test('name pages by the number that is printed on them, then by their index', () => {
    expect([pageNamed('1', pages)?.number, pageNamed('I', pages)?.number, pageNamed('4', pages)?.number, pageNamed('9', pages)]).toEqual([
      2,
      1,
      4,
      null,
    ]);
  });
});

describe('a quote is', () => {
  test.each([
    ['i', 'a security of 2,400 euros, returned within six weeks'],
    ['i', 'SECURITY of 2,400 euros'],
    ['1', 'party may terminate by three months’ written notice'],
    ['1', "three months' written notice"],
    ['1', 'at −5 °C'],
    ['1', 'at -5 °C'],
    ['3', 'full width'],
    ['3', 'fine print'],
    ['3', '契約の解除は三か月前'],
    ['3', '2 400 euros'],
  ])('verified where its words are on the page (%s: %s)', (page, quote) => {
    expect(check(page, quote)[0]).toBe('verified');
  });

  test.each([
    ['i', 'a security of 2,500 euros, returned within six weeks', 'a security of 2,400 euros, returned within six weeks'],
    ['i', 'pays a security of 24,00 euros', 'pays a security of 2,400 euros'],
    ['1', 'unable to pay 83 cents per kilometre', 'unable to pay 38 cents per kilometre'],
    ['1', 'cents per kilometre at 5 °C', 'cents per kilometre at −5 °C'],
  ])('never verified with another digit or sign (%s: %s)', (page, quote, found) => {
    const [finding, , words] = check(page, quote);
    expect([finding, words]).toEqual(['numbers-differ', found]);
  });

  test.each([
    ['i', '400 euros, returned within six weeks'],
    ['i', 'a security of 2,4'],
    ['3', '400 euros'],
    ['1', '8 cents per kilometre'],
    ['1', '5 °C'],
    ['3', '290 is filled in'],
  ])('never verified by a part of a number (%s: %s)', (page, quote) => {
    expect(check(page, quote)[0]).not.toBe('verified');
  });

  test('never verified by a part of a word', () => {
    expect(check('1', 'able to pay 38 cents per kilometre')).toEqual(['close', 2, 'unable to pay 38 cents per kilometre']);
  });

  test('close where a word differs, with the words of the page', () => {
    expect(check('i', 'returned within six weeks after the keys were handed back')).toEqual([
      'close',
      1,
      'returned within six weeks after the keys are handed back',
    ]);
  });

  test('on another page, not found, or not to be checked', () => {
    expect(check('3', 'Either party may terminate')).toEqual(['other-page', 2, null]);
    expect(check('i', 'the landlord pays all of the heating costs')).toEqual(['not-found', 1, null]);
    expect(check('2', 'the landlord pays all of the heating costs')).toEqual(['unchecked', 3, null]);
    expect(check('99', 'the landlord pays all of the heating costs')).toEqual(['unchecked', null, null]);
    expect(checkCitations('[p. i]', among(pages))[0]).toMatchObject({ finding: 'unchecked', number: 1 });
    expect(check('i', 'a')[0]).toBe('unchecked');
  });
});

test('every digit of every number, changed, is noticed', () => {
  const text = 'Invoice 20731: 14 pumps at 118.40 EUR, 2 hoses at 9.95 EUR, total 1,677.50 EUR, due on 2026-11-30 within 14 days.';
  const page = [{ number: 1, label: '1', text }];
  let changed = 0;
  for (const { index } of text.matchAll(/\d/g)) {
    for (const digit of '0123456789') {
      if (digit === text[index]) continue;
      const quote = text.slice(0, index) + digit + text.slice(index + 1);
      expect(checkCitations(`[p. 1 "${quote}"]`, among(page))[0]!.finding, quote).toBe('numbers-differ');
      changed++;
    }
  }
  expect(changed).toBe([...text.matchAll(/\d/g)].length * 9);
});
