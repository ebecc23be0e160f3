import { describe, expect, test } from 'vitest';
import type { TextLine } from '../../contract.ts';
import { differencesIn } from './compare.ts';

const corners: TextLine['quad'] = [
  [0, 0],
  [1, 0],
  [1, 1],
  [0, 1],
];

/** Rows end with lines, cells with tabs. */
function picture(text: string, confidence = 0.98): TextLine[] {
  return text
    .split('\n')
    .flatMap((row, at) =>
      row
        .split('\t')
        .map((cell, index) => ({ before: index > 0 ? '\t' : at > 0 ? '\n' : '', text: cell, confidence, quad: corners, words: [] })),
    );
}

const invoice = picture(
  `Invoice 20417
Date: 2026-11-27
Due: 12.12.2026
Customer: Marlene Winterfeld
Toner cartridge\t2\t89.50\t179.00
Paper A4\t12\t4.95\t59.40
Delivery\t9.90
Subtotal\t1,041.60
Tax 19 %\t238.40
Total\t1,280.00
Payable within 14 days to Nordbank, account 8842 1907`,
);
const german = picture('Rechnung 7731\nGesamtbetrag\t1.280,00 EUR\nFällig am 3. Dezember 2026\nAnsprechpartner: Jürgen Krämer');
const dialog = picture(
  `Disk almost full
Drive C: has 512 MB free of 256 GB
Last backup: 14:35, 18 May 2025
Error code 0x80070070
Retry in 45 seconds
Server: Kestrel, port 8443`,
);
const pictures = { invoice, german, dialog };

/** What is said of each answer: [of the answer, of the picture]. */
type Case = [picture: keyof typeof pictures, answer: string, differences: [string, string | null][]];

const right: Case[] = [
  ['invoice', 'The total is 1,280.00.', []],
  ['invoice', 'The total is 1.280,00.', []],
  ['invoice', 'The total is 1280, and the tax is 238.4.', []],
  ['invoice', 'The total is **$1 280.00**.', []],
  ['invoice', 'The total is 1 280.', []],
  ['invoice', 'The total is about 1,300.', []],
  ['invoice', 'The total is roughly 1.3 thousand.', []],
  ['invoice', 'The subtotal is 1,042 and the tax 238.', []],
  ['invoice', 'It is dated 27 November 2026 and is due on 12 December 2026.', []],
  ['invoice', 'It is dated 11/27/2026, and due 12/12/26.', []],
  ['invoice', 'The invoice lists 3 items in 4 columns; the 2nd is paper.', []],
  ['invoice', 'There are 11 lines of text.', []],
  ['invoice', '1. Toner cartridge: 179.00\n2. Paper A4: 59.40\n3. Delivery: 9.90', []],
  ['invoice', 'Toner and paper together come to 238.40.', []],
  ['invoice', 'The sum of toner, paper and delivery is 248.30.', []],
  ['invoice', 'If the tax were 7 %, the total would be 1,114.51.', []],
  ['invoice', 'Without the tax the total is 1,041.60.', []],
  ['invoice', 'Marlene Winterfeld has to pay to Nordbank within two weeks.', []],
  ['invoice', 'It is for Marlene Winterfeld’s office, which bought Cartridges and Papers.', []],
  ['invoice', 'The account is 88421907.', []],
  ['invoice', 'The company was founded in 1987.', []],
  ['invoice', 'A sheet of A4 paper measures 210 x 297 millimetres.', []],
  ['invoice', '```\nprint(1208)\n```\nThe total is printed by `total(9999)`.', []],
  ['invoice', 'See https://example.com/total/4711 for the total.', []],
  ['invoice', 'The picture shows an invoice.', []],
  ['german', 'The total amount (Gesamtbetrag) is 1,280.00 euros.', []],
  ['german', 'Der Gesamtbetrag ist 1280 Euro, fällig am 3.12.2026.', []],
  ['german', 'The contact is Juergen Kraemer, the invoice number 7731.', []],
  ['german', 'Es geht um Jurgen Kramer.', []],
  ['dialog', 'Drive C has 512 MB free of 256 GB, which is 0.2 %.', []],
  ['dialog', 'Drive C has half a gigabyte free of 262,144 MB.', []],
  ['dialog', 'The last backup was at 2:35 pm on May 18, 2025.', []],
  ['dialog', 'Windows retries in 45 seconds; the error is 0x80070070.', []],
  ['dialog', 'The server is called “Kestrel” and listens on port 8443.', []],
  ['invoice', 'It has to be paid within 14 days; a reminder is sent after 41 days.', []],
  ['invoice', 'By law invoices are paid within 30 days.', []],
  ['invoice', 'If nothing is paid within 15 days, a reminder follows.', []],
  ['invoice', 'It is to be paid within 14 days, and not within 41 days.', []],
  ['invoice', 'It has to be paid within 336 hours.', []],
  ['invoice', 'There are 41 days left.', []],
  ['dialog', 'It retries in 45 seconds, and would again in 54 seconds.', []],
  ['dialog', 'A backup takes 54 seconds.', []],
  ['dialog', 'Delete at least 1000 MB from the drive.', []],
  ['dialog', 'The disc is nearly full; free up 5 to 10 GB.', []],
];

const wrong: Case[] = [
  ['invoice', 'The total is 1,208.00.', [['1,208.00', '1,280.00']]],
  ['invoice', 'The total is 1.208,00.', [['1.208,00', '1,280.00']]],
  ['invoice', 'The total: **1,380.00**', [['1,380.00', '1,280.00']]],
  ['invoice', 'The total is 2,750.00.', [['2,750.00', '1,280.00']]],
  ['invoice', 'The invoice number is 20471.', [['20471', '20417']]],
  ['invoice', 'The date is 2026-11-21.', [['2026-11-21', '2026-11-27']]],
  ['invoice', 'It is due 12.12.2025.', [['12.12.2025', '12.12.2026']]],
  ['invoice', '| Delivery | 9.80 |\n| Subtotal | 1,041.60 |', [['9.80', '9.90']]],
  ['invoice', 'The customer is Marlene Winterfeld of Nordbank; the delivery costs 455.00.', [['455.00', '9.90']]],
  ['invoice', 'The customer, Marlene Wintarfeld, pays 1,280.00.', [['Wintarfeld', 'Winterfeld']]],
  ['german', 'The Gesamtbetrag is 1,820.00 euros.', [['1,820.00', '1.280,00']]],
  ['german', 'The Rechnung has the number 7713.', [['7713', '7731']]],
  ['dialog', 'Drive C has 521 MB free.', [['521', '512']]],
  ['dialog', 'The last backup was at 14:53.', [['14:53', '14:35']]],
  ['dialog', 'The server listens on port 8433.', [['8433', '8443']]],
  ['dialog', 'The server is called Kastrel.', [['Kastrel', 'Kestrel']]],
  ['dialog', 'The number of the drive is 7200.', [['7200', null]]],
  ['invoice', 'It has to be paid within 41 days.', [['41', '14']]],
  ['invoice', 'It has to be paid within **15** days of receipt.', [['15', '14']]],
  ['dialog', 'It retries in 54 seconds.', [['54', '45']]],
];

/** Wrong, and nothing is said, since an answer that is right could be just like it. */
const missed: Case[] = [
  // What is counted is not named where it stands: there may be 21 lines that name paper.
  ['invoice', 'It lists 21 units of paper.', []],
  // What the model knows of such drives.
  ['dialog', 'The drive turns 7200 times a minute.', []],
  // Names have translations: "Land: Deutschland" is right as "The country is Germany".
  ['invoice', 'The customer is Martha Sommerfeld.', []],
  // The picture has a 12, elsewhere.
  ['invoice', 'It has to be paid within 12 days.', []],
];

const found = (of: keyof typeof pictures, answer: string, known = ''): [string, string | null][] =>
  differencesIn(answer, pictures[of], known).map(({ answer: own, picture: other }) => [own, other]);

describe('answers that are right', () => {
  test.each(right)('%s: %s', (of, answer, differences) => expect(found(of, answer)).toEqual(differences));
});

describe('answers that are wrong', () => {
  test.each(wrong)('%s: %s', (of, answer, differences) => expect(found(of, answer)).toEqual(differences));
});

describe('answers that are wrong, unnoticed', () => {
  test.each(missed)('%s: %s', (of, answer, differences) => expect(found(of, answer)).toEqual(differences));
});

test('what was asked may be repeated', () => {
  expect(found('invoice', 'The total is not 1,208.00 but 1,280.00.', 'Is the total 1,208.00?')).toEqual([]);
  expect(found('dialog', 'The server is not called Kastrel.', 'Is that Kastrel?')).toEqual([]);
});

test('text that was not read surely proves nothing', () => {
  expect(differencesIn('The total is 1,208.00 for Wintarfeld.', picture('Total 1,280.00\nWinterfeld and others', 0.7), '')).toEqual([]);
  expect(differencesIn('The total is 1,208.00.', [], '')).toEqual([]);
});

test('each is at its place in the answer', () => {
  const answer = 'Paid: the total, **1,208.00**, by Marlene Wintarfeld.';
  for (const { offset, length, answer: written } of differencesIn(answer, invoice, ''))
    expect(answer.slice(offset, offset + length)).toBe(written);
  expect(differencesIn(answer, invoice, '')).toHaveLength(2);
});

test('a long answer about a page of numbers takes no more than a moment, and says no more than can be read', () => {
  const page = picture(Array.from({ length: 2000 }, (_, index) => `Item ${index}\t${1000 + index * 7}`).join('\n'));
  const answer = Array.from({ length: 2000 }, (_, index) => `The item costs ${500_000 + index}.`).join(' ');
  expect(differencesIn(answer, page, '').length).toBeLessThanOrEqual(8);
});
