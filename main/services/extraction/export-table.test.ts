import { expect, test } from 'vitest';
import { columnSum, sumInWords, type ExtractionCell, type Extraction } from '../../contract.ts';
import { exportTable } from './export-table.ts';

const cell = (value: string | null, more: Partial<ExtractionCell> = {}): ExtractionCell => ({
  ...{ state: 'sure', value, quote: null, page: null, doubts: [], reading: null, failure: null },
  ...more,
});
const table: Pick<Extraction, 'name' | 'fields' | 'by' | 'rows'> = {
  name: 'Invoices: 2026/27',
  by: 'document',
  fields: [
    { name: 'Vendor', kind: 'text' },
    { name: 'Date', kind: 'date' },
    { name: 'Total', kind: 'number' },
  ],
  rows: [
    {
      documentId: 1,
      name: 'a, b.pdf',
      page: null,
      cells: [cell('ACME "Ltd"'), cell('9 March 2026'), cell('€ 1,190.00', { page: 2, quote: 'Total € 1,190.00' })],
    },
    {
      documentId: 2,
      name: '=cmd.pdf',
      page: null,
      cells: [
        cell('=HYPERLINK("http://x")'),
        cell('03/09/2026', { state: 'unsure', doubts: ['not-a-date'] }),
        cell('-€ 12.50', { state: 'unsure', doubts: ['picture-differs'], page: 1, reading: '-€ 72.50' }),
      ],
    },
    {
      documentId: 3,
      name: 'c.pdf',
      page: null,
      cells: [cell(null, { state: 'missing' }), cell(null, { state: 'waiting' }), cell('+49 30 1234 or more', { state: 'entered' })],
    },
  ],
};

test('CSV has numbers and days in one form, doubts, and nothing that a spreadsheet would run', () => {
  expect(exportTable(table, 'csv')).toEqual({
    fileName: 'Invoices 2026 27.csv',
    text: [
      '\ufeffDocument,Vendor,Date,Total,Doubts',
      '"a, b.pdf","ACME ""Ltd""",2026-03-09,1190.00,',
      `"'=cmd.pdf","'=HYPERLINK(""http://x"")",03/09/2026,-12.50,Date: “03/09/2026” is not one certain day. Total: The picture of page 1 reads “-€ 72.50”.`,
      `c.pdf,,,"'+49 30 1234 or more",Date: Not asked for yet.`,
      '',
    ].join('\r\n'),
  });
});

test.each(['=1+1', '+1', '-1 and more', '@SUM(A1)', '\t=1', ' =1', '＝1', '\r=1'])('%j is text in a spreadsheet', (value) => {
  const one = { ...table, rows: [{ ...table.rows[0]!, cells: [cell(value), cell(null), cell(null)] }] };
  expect(exportTable(one, 'csv').text.split('\r\n').slice(1).join('\r\n')).toMatch(/^"a, b.pdf","'/);
});

test('JSON has what is certain of each cell, with its page and quote', () => {
  const { fileName, text } = exportTable(table, 'json');
  const { name, rows } = JSON.parse(text) as { name: string; rows: { document: string; fields: Record<string, object> }[] };
  expect([fileName, name, rows[0]!.document]).toEqual(['Invoices 2026 27.json', 'Invoices: 2026/27', 'a, b.pdf']);
  expect(rows[0]!.fields['Total']).toEqual({
    ...{ state: 'sure', value: '€ 1,190.00', number: 1190, page: 2, quote: 'Total € 1,190.00', doubts: [] },
  });
  expect(rows[1]!.fields['Date']).toMatchObject({ value: '03/09/2026', date: null, state: 'unsure' });
});

test('a sum says what it is of, and is none of several currencies', () => {
  expect(columnSum(table, 0)).toBeNull();
  expect(columnSum(table, 2)).toEqual({ sum: '1177.50', unit: '€', added: 2, unsure: 1, left: 1 });
  expect(sumInWords(columnSum(table, 2)!)).toBe('1,177.50 €: the sum of 2, 1 of them unsure; 1 without a number');
  const mixed = { ...table, rows: [...table.rows, { ...table.rows[0]!, cells: [cell(null), cell(null), cell('$ 5')] }] };
  expect(columnSum(mixed, 2)).toBeNull();
  expect(sumInWords({ sum: '-1234567', unit: '', added: 3, unsure: 0, left: 0 })).toBe('-1,234,567: the sum of 3');
});
