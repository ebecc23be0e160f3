/** A table as CSV (RFC 4180, with a mark that says that it is UTF-8) or JSON. */
import { dayIn, doubtsInWords, fileNameOf, numberIn, type Extraction, type ExtractionCell, type ExtractionField } from '../../contract.ts';

type Table = Pick<Extraction, 'name' | 'fields' | 'by' | 'rows'>;

export function exportTable(table: Table, format: 'csv' | 'json'): { fileName: string; text: string } {
  return { fileName: `${fileNameOf(table.name, 'Table')}.${format}`, text: format === 'csv' ? asCsv(table) : asJson(table) };
}

/** Spreadsheets take text for UTF-8 only with it. */
const byteOrderMark = '\ufeff';

function asCsv({ fields, by, rows }: Table): string {
  const head = ['Document', ...(by === 'page' ? ['Page'] : []), ...fields.map(({ name }) => name), 'Doubts'];
  const lines = rows.map(({ name, page, cells }) => {
    const doubts = cells.flatMap((cell, index) => doubtsOf(cell).map((doubt) => `${fields[index]!.name}: ${doubt}`));
    const values = cells.map((cell, index) => plainValue(cell, fields[index]!));
    return [quotedText(name), ...(by === 'page' ? [String(page)] : []), ...values, quotedText(doubts.join(' '))];
  });
  return `${byteOrderMark}${[head.map(quotedText), ...lines].map((line) => line.join(',')).join('\r\n')}\r\n`;
}

function doubtsOf(cell: ExtractionCell): string[] {
  if (cell.state === 'failed') return [cell.failure?.message ?? 'It failed.'];
  return cell.state === 'waiting' ? ['Not asked for yet.'] : doubtsInWords(cell);
}

/** Numbers and days as every spreadsheet reads them; anything else as it is written. */
function plainValue({ value }: ExtractionCell, { kind }: ExtractionField): string {
  if (value === null) return '';
  const known = kind === 'number' ? numberIn(value) : kind === 'date' ? dayIn(value) : null;
  return known ?? quotedText(value);
}

/** A spreadsheet runs text that begins like a formula, unless an apostrophe stands before it (OWASP, CSV injection). */
function quotedText(text: string): string {
  const safe = /^[\s\u0000]*[=+\-@\t\r＝＋－＠]/u.test(text) ? `'${text}` : text;
  return /[",\r\n']/.test(safe) || safe !== safe.trim() ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function asJson({ name, fields, rows }: Table): string {
  const records = rows.map(({ name: document, page, cells }) => ({
    document,
    ...(page === null ? {} : { page }),
    fields: Object.fromEntries(cells.map((cell, index) => [fields[index]!.name, recordOf(cell, fields[index]!)])),
  }));
  return `${JSON.stringify({ name, rows: records }, null, 2)}\n`;
}

function recordOf(cell: ExtractionCell, { kind }: ExtractionField): object {
  const { state, value, page, quote } = cell;
  const number = kind === 'number' && value !== null ? numberIn(value) : null;
  const date = kind === 'date' && value !== null ? dayIn(value) : null;
  return {
    ...{ state, value },
    ...(kind === 'number' ? { number: number === null ? null : Number(number) } : {}),
    ...(kind === 'date' ? { date } : {}),
    ...{ page, quote },
    doubts: doubtsOf(cell),
  };
}
