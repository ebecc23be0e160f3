import { expect, test } from 'vitest';
import { dayIn, numberIn, sumOf, unitOf } from './values.ts';

test.each([
  ['€ 1,250.00', '1250.00'],
  ['1.250,00 EUR', '1250.00'],
  ['1 250,00', '1250.00'],
  ["CHF 12'400.50", '12400.50'],
  ['1,250', '1250'],
  ['12,5 %', '12.5'],
  ['0.125', '0.125'],
  ['1.234.567', '1234567'],
  ['12,34,567.89', '1234567.89'],
  ['-12.50', '-12.50'],
  ['−€12.50', '-12.50'],
  ['(12.50)', '-12.50'],
  ['12.50-', '-12.50'],
  ['-0.00', '0.00'],
  ['Rs 500', '500'],
  ['$5', '5'],
  ['007', '7'],
  ['１２', '12'],
])('the number in %s is %s', (text, number) => {
  expect(numberIn(text)).toBe(number);
});

test.each(['none', '', '1.2.3', '1,23,4', '12 of 40', 'A4', '1.250.00,5.5', '3 March 2026'])('there is no one number in %s', (text) => {
  expect(numberIn(text)).toBeNull();
});

test('sums are exact', () => {
  expect(sumOf(['0.1', '0.2'])).toBe('0.3');
  expect(sumOf(['1250.00', '-0.5', '3'])).toBe('1252.50');
  expect(sumOf(['-0.05', '0.01'])).toBe('-0.04');
  expect(sumOf(['9007199254740993', '1'])).toBe('9007199254740994');
  expect(sumOf([])).toBe('0');
});

test('the unit is what stands beside the number', () => {
  expect(['€ 1,250.00', '1.250 EUR', 'eur 3', '12'].map(unitOf)).toEqual(['€', 'EUR', 'EUR', '']);
});

test.each([
  ['2026-03-09', '2026-03-09'],
  ['9 March 2026', '2026-03-09'],
  ['March 9th, 2026', '2026-03-09'],
  ['9. März 2026', '2026-03-09'],
  ['09.03.2026', '2026-03-09'],
  ['31/12/2026', '2026-12-31'],
  ['12/31/2026', '2026-12-31'],
  ['04/04/2026', '2026-04-04'],
  ['Due: 1 Feb 2027', '2027-02-01'],
])('the day in %s is %s', (text, iso) => {
  expect(dayIn(text)).toBe(iso);
});

test.each(['03/09/2026', '31 February 2026', 'March 2026', 'tomorrow', '9 March or 10 March 2026', '2026-13-01', '1.2.26'])(
  'there is no one certain day in %s',
  (text) => {
    expect(dayIn(text)).toBeNull();
  },
);
