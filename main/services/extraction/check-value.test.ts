import { describe, expect, test } from 'vitest';
import type { ExtractionField } from '../../contract.ts';
import { checkCitations, type QuotedPage } from '../documents/citations.ts';
import { checkValue, otherwiseRead, valueIn, type CheckedValue } from './check-value.ts';

const total: ExtractionField = { name: 'Total', kind: 'number' };
const invoice = [
  'ACME Supplies Ltd',
  'Invoice date: 9 March 2026',
  'Due date: 8 April 2026',
  'Subtotal\t1,000.00',
  'VAT 19 %\t190.00',
  'Total\t€ 1,190.00',
].join('\n');

function check(answer: string, field: ExtractionField, texts: string[] = [invoice]): CheckedValue {
  const pages = texts.map((text, index): QuotedPage => ({
    documentId: 1,
    name: 'a.pdf',
    number: index + 1,
    label: String(index + 1),
    text,
  }));
  const citations = checkCitations(answer, {
    named: ({ page }) => pages.filter(({ label }) => label === page),
    likely: () => pages,
  });
  return checkValue(valueIn(answer, field, citations)!, field, pages, citations);
}

describe('the value of an answer', () => {
  test.each([
    ['€ 1,190.00 [p. 1 "Total € 1,190.00"]', '€ 1,190.00'],
    ['**Total:** 1,190.00', '1,190.00'],
    ['Total: "1,190.00".', '1,190.00'],
    ['[p. 1 "Total"] 1,190.00', '1,190.00'],
    ['- 1,190.00\nbecause it says so', '1,190.00'],
    ['ACME Ltd.', 'ACME Ltd'],
    ['(12.50)', '(12.50)'],
  ])('of %j is %j', (answer, value) => {
    expect(valueIn(answer, total, checkCitations(answer, { named: () => [], likely: () => [] }))).toBe(value);
  });

  test.each(['NONE', 'None.', 'Not stated', 'There is no total in the picture.', '', '[p. 1 "Total"]', '—'])('of %j is none', (answer) => {
    expect(valueIn(answer, total, checkCitations(answer, { named: () => [], likely: () => [] }))).toBeNull();
  });
});

describe('a value', () => {
  test('is sure where cited words of the page have it', () => {
    expect(check('€ 1,190.00 [p. 1 "Total € 1,190.00"]', total)).toEqual({
      value: '€ 1,190.00',
      quote: 'Total € 1,190.00',
      page: 1,
      doubts: [],
      reading: null,
    });
  });

  test('is found beside the name of its field without a citation', () => {
    expect(check('1,190.00', total)).toMatchObject({ quote: 'Total € 1,190.00', page: 1, doubts: [] });
    expect(check('ACME Supplies Ltd', { name: 'Vendor', kind: 'text' })).toMatchObject({ page: 1, doubts: ['no-quote'] });
  });

  test('may stand under the name of its column', () => {
    const table = 'Number\tDate\tTotal\n4711\t9 March 2026\t1,190.00';
    expect(check('1,190.00 [p. 1 "4711 9 March 2026 1,190.00"]', total, [table])).toMatchObject({ doubts: [], page: 1 });
    expect(check('4711', { name: 'Number', kind: 'text' }, [table]).doubts).not.toContain('beside-another');
    expect(check('Bob', { name: 'Vendor', kind: 'text' }, ['Vendor\tACME\nCustomer\tBob'])).toMatchObject({ reading: 'Vendor ACME' });
  });

  test('with another digit is on no page, and what the page has is shown', () => {
    expect(check('€ 1,790.00 [p. 1 "Total € 1,790.00"]', total)).toMatchObject({
      quote: null,
      page: 1,
      doubts: ['not-on-page'],
      reading: 'Total\t€ 1,190.00'.replace('\t', ' '),
    });
    expect(check('7.00', total)).toMatchObject({ doubts: ['not-on-page'], page: 1, reading: 'Total € 1,190.00' });
    expect(check('7.00', { name: 'Weight', kind: 'number' })).toMatchObject({ doubts: ['not-on-page'], page: null, reading: null });
  });

  test('of another field is in doubt, and the right one is shown', () => {
    for (const answer of ['1,000.00 [p. 1 "Subtotal 1,000.00"]', '1,000.00'])
      expect(check(answer, total).doubts, answer).toContain('beside-another');
    expect(check('1,000.00 [p. 1 "Subtotal 1,000.00"]', total).reading).toBe('Total € 1,190.00');
    expect(check('8 April 2026 [p. 1 "Due date: 8 April 2026"]', { name: 'Invoice date', kind: 'date' })).toMatchObject({
      doubts: ['beside-another'],
      reading: 'Invoice date: 9 March 2026',
    });
  });

  test('is in doubt where its field is named twice, with different values', () => {
    expect(check('500 [p. 1 "Total 500"]', total, ['Total\t500', 'Total\t900'])).toMatchObject({
      doubts: ['beside-another'],
      reading: 'Total 900',
    });
    expect(check('500 [p. 1 "Total 500"]', total, ['Total\t500', 'Total\t500']).doubts).toEqual([]);
  });

  test('is in doubt where the cited words do not have it', () => {
    expect(check('1,190.00 [p. 1 "Invoice date"]', total)).toMatchObject({ doubts: ['not-in-quote'], quote: 'Invoice date', page: 1 });
    // What is cited is the line above it.
    expect(check('1,190.00 [p. 1 "VAT 19 %"]', total).doubts).toEqual([]);
  });

  test('on another page than is named is in doubt', () => {
    expect(check('€ 1,190.00 [p. 1 "Total € 1,190.00"]', total, ['Cover', invoice])).toMatchObject({ doubts: ['other-page'], page: 2 });
  });

  test('of another kind is in doubt', () => {
    expect(check('ACME Supplies Ltd [p. 1 "ACME Supplies Ltd"]', { name: 'Count', kind: 'number' }).doubts).toEqual(['not-a-number']);
    expect(check('03/09/2026 [p. 1 "Date: 03/09/2026"]', { name: 'Date', kind: 'date' }, ['Date: 03/09/2026']).doubts).toEqual([
      'not-a-date',
    ]);
  });

  test('named in a heading is not named twice', () => {
    const contract = 'Notice period\nEither party may end it with three months of notice.\nA notice period begins with the letter.';
    const field: ExtractionField = { name: 'Notice period', kind: 'number' };
    expect(
      check('three months [p. 1 "three months of notice"]', { ...field, kind: 'text' }, [contract.split('\n').slice(0, 2).join('\n')]),
    ).toMatchObject({
      doubts: [],
    });
  });
});

test('a picture that reads otherwise shows what it reads', () => {
  expect(otherwiseRead('1,190.00', total, 'Total 1,190.00', 'Total € 1,190.00')).toBeNull();
  expect(otherwiseRead('1,190.00', total, 'Total 1,190.00', 'Total 1,790.00 EUR')).toBe('1,790.00');
  expect(otherwiseRead('1,190.00', total, 'Total 1,190.00', 'a blank page')).toBe('');
  const name: ExtractionField = { name: 'Vendor', kind: 'text' };
  expect(otherwiseRead('ACME Supplies Limited', name, null, 'ACME Supp1ies Limited')).not.toBe('ACME Supplies Limited');
  expect(otherwiseRead('Meyer and Sons Limited', name, null, 'Meyer and Sons Limitcd')).toBeNull();
});
