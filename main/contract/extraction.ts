/** Fields taken from documents into a table: a row for each document or page, a cell for each field. */
import * as v from 'valibot';
import { count, failure, id, side, text, time } from './common.ts';
import { numberIn, sumOf, unitOf } from './values.ts';

export const extractionLimits = { fields: 20, rows: 2_000, fieldName: 80, value: 1_000, name: 200 } as const;

/** `number`: digits as people write them; `date`: a day. Both are kept as they are written as well. */
export const fieldKind = v.picklist(['text', 'number', 'date']);
export const extractionField = v.strictObject({
  name: v.pipe(text(extractionLimits.fieldName), v.trim(), v.minLength(1)),
  kind: fieldKind,
});

/** The name that a field shares with one before it, whatever their case. */
export function nameTwice(fields: readonly { name: string }[]): string | undefined {
  const names = fields.map(({ name }) => name.toLowerCase());
  return fields.find((_, index) => names.indexOf(names[index]!) !== index)?.name;
}

/** Their names differ, whatever their case. */
export const extractionFields = v.pipe(
  v.array(extractionField),
  v.minLength(1),
  v.maxLength(extractionLimits.fields),
  v.check((fields) => nameTwice(fields) === undefined, 'two fields have the same name'),
);

/**
 * `sure`: the words of the page verify it, and what else was compared agrees. `unsure`: see its doubts. `missing`: the model says that
 * the pages do not have it. `entered`: a person typed it or said that it is right.
 */
export const cellState = v.picklist(['waiting', 'sure', 'unsure', 'missing', 'failed', 'entered']);

/**
 * Why a cell is unsure. `no-quote`: no words of a page were cited for it. `not-on-page`: no page that was looked at has it.
 * `other-page`: it is on another page than the answer says. `not-in-quote`: the cited words do not have it. `beside-another`: the
 * name of the field stands beside something else. `named-on-page`: the model found nothing, though a page names the field.
 * `picture-differs`: the picture of the page reads otherwise, see `reading`. `picture-unread`: its text could not be compared with
 * its picture. `not-a-number`, `not-a-date`: not of the kind that was asked for. `pages-unread`: pages without text could not be
 * searched.
 */
export const doubt = v.picklist([
  'no-quote',
  'not-on-page',
  'other-page',
  'not-in-quote',
  'beside-another',
  'named-on-page',
  'picture-differs',
  'picture-unread',
  'not-a-number',
  'not-a-date',
  'pages-unread',
]);

export const doubts = v.array(doubt);

export const extractionCell = v.strictObject({
  state: cellState,
  /** As the page has it, or as it was entered; null while it waits, and where there is none. */
  value: v.nullable(v.string()),
  /** The words of the page around it, and where they are; null where no page verifies it. */
  quote: v.nullable(v.string()),
  page: v.nullable(side),
  doubts,
  /** What the program reads in its place, where that is something else. */
  reading: v.nullable(v.string()),
  failure: v.nullable(failure),
});

export const extractionRow = v.strictObject({
  documentId: id,
  name: v.string(),
  /** Null: the whole document. */
  page: v.nullable(side),
  /** One for each field, in their order. */
  cells: v.array(extractionCell),
});

export const extractionSummary = v.strictObject({
  id,
  name: v.string(),
  fields: v.array(extractionField),
  by: v.picklist(['document', 'page']),
  createdAt: time,
  /** How many cells there are of each state. */
  states: v.strictObject({ waiting: count, sure: count, unsure: count, missing: count, failed: count, entered: count }),
  /** Its cells are being filled, or will be. */
  running: v.boolean(),
  /** Why it stopped before its last cell, where nobody stopped it. */
  failure: v.nullable(failure),
});

export const extraction = v.strictObject({ ...extractionSummary.entries, rows: v.array(extractionRow) });

export type ExtractionField = v.InferOutput<typeof extractionField>;
export type CellState = v.InferOutput<typeof cellState>;
export type Doubt = v.InferOutput<typeof doubt>;
export type ExtractionCell = v.InferOutput<typeof extractionCell>;
export type ExtractionRow = v.InferOutput<typeof extractionRow>;
export type ExtractionSummary = v.InferOutput<typeof extractionSummary>;
export type Extraction = v.InferOutput<typeof extraction>;

/** `sum`: digits, with a point before the decimals. `left`: how many cells have no number. */
export interface ColumnSum {
  sum: string;
  unit: string;
  added: number;
  unsure: number;
  left: number;
}

/** Why a value is in doubt, a sentence each. */
export function doubtsInWords({ doubts, quote, page, reading, value }: ExtractionCell): string[] {
  return doubts.map((doubt) => {
    switch (doubt) {
      case 'no-quote':
        return page === null
          ? 'The model cited no words of a page for it.'
          : `The model cited no words for it; page ${page} has “${quote}”.`;
      case 'not-on-page':
        return reading === null
          ? 'No page that was looked at has it.'
          : `No page that was looked at has it. Page ${page} has “${reading}”.`;
      case 'other-page':
        return `It is on page ${page}, not on the page that the model named.`;
      case 'not-in-quote':
        return `The model cited “${quote}” on page ${page}, which does not have it.`;
      case 'beside-another':
        return `The name of the field stands beside “${reading}”.`;
      case 'named-on-page':
        return `The model found nothing, but page ${page} has “${reading}”.`;
      case 'picture-differs':
        return `The picture of page ${page} reads “${reading}”.`;
      case 'picture-unread':
        return `The picture of page ${page} could not be read, so it was not compared.`;
      case 'not-a-number':
        return `“${value}” is not a number.`;
      case 'not-a-date':
        return `“${value}” is not one certain day.`;
      case 'pages-unread':
        return 'Some pages have no text yet and were not searched.';
      default:
        return doubt satisfies never;
    }
  });
}

/** What a column of numbers adds up to; null where it is none, has one row, or where numbers of several currencies or units stand in it. */
export function columnSum({ fields, rows }: Pick<Extraction, 'fields' | 'rows'>, field: number): ColumnSum | null {
  if (fields[field]?.kind !== 'number' || rows.length < 2) return null;
  const cells = rows.map(({ cells: of }) => of[field]!);
  const added = cells.flatMap(({ value, state }) => {
    const number = value === null ? null : numberIn(value);
    return number === null ? [] : [{ number, unit: unitOf(value!), state }];
  });
  if (added.length === 0 || new Set(added.map(({ unit }) => unit)).size > 1) return null;
  return {
    sum: sumOf(added.map(({ number }) => number)),
    unit: added[0]!.unit,
    added: added.length,
    unsure: added.filter(({ state }) => state === 'unsure').length,
    left: cells.length - added.length,
  };
}

/** "1,190.00 €: the sum of 3, one of them unsure; 2 have no number." */
export function sumInWords({ sum, unit, added, unsure, left }: ColumnSum): string {
  const [whole = '', decimals] = sum.split('.');
  const grouped = `${whole.replace(/\B(?=(?:\d{3})+$)/g, ',')}${decimals === undefined ? '' : `.${decimals}`}`;
  const doubted = unsure === 0 ? '' : `, ${unsure} of them unsure`;
  return `${grouped}${unit === '' ? '' : ` ${unit}`}: the sum of ${added}${doubted}${left === 0 ? '' : `; ${left} without a number`}`;
}
