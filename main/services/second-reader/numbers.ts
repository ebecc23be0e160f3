/** Numbers, dates and times as people write them: 1.280,00 and 1,280.00 and 1280 are one. */

export interface WrittenNumber {
  /** Of its first digit, in UTF-16 units. */
  offset: number;
  written: string;
  digits: string;
  /** What it may mean: "1,280" is 1280 or 1.28. Empty for dates, times and the like. */
  values: number[];
  /** Of a date, a time, or a number with several parts: its groups without leading zeros. Of others: itself. */
  parts: string[];
}

/** Not within a word, as in A4 or 5th. Numbers with a thousands separator keep it, even where it is a no-break space. */
const pattern = /(?<![\p{L}\p{N}])\d+(?:[.,:/'’\u00a0\u202f-]\d+)*(?![\p{L}\p{N}])/gu;
const separators = /[.,:/'’\u00a0\u202f-]/g;

export function numbersIn(text: string): WrittenNumber[] {
  return [...text.matchAll(pattern)].map(({ 0: written, index }) => ({
    offset: index,
    written,
    digits: written.replace(/\D/g, ''),
    values: valuesOf(written),
    parts: written.split(separators).map((part) => part.replace(/^0+(?=\d)/, '')),
  }));
}

function valuesOf(written: string): number[] {
  const used = new Set(written.match(separators) ?? []);
  if (['-', '/', ':'].some((mark) => used.has(mark))) return [];
  const readings = new Set<number>();
  const grouped = /^\d{1,3}(?:([.,'’\u00a0\u202f])\d{3})(?:\1\d{3})*(?:[.,]\d+)?$/.exec(written);
  if (used.size === 0) readings.add(Number(written));
  if (grouped) {
    const [whole, fraction] = splitFraction(written, grouped[1]!);
    readings.add(Number(`${whole.replace(/\D/g, '')}.${fraction}0`));
  }
  if (/^\d+[.,]\d+$/.test(written)) readings.add(Number(written.replace(',', '.')));
  return [...readings];
}

/** At the separator that is not that of the thousands. */
function splitFraction(written: string, thousands: string): [whole: string, fraction: string] {
  const other = written.split(thousands).at(-1)!.search(/[.,]/);
  if (other < 0) return [written, ''];
  const at = written.length - written.split(thousands).at(-1)!.length + other;
  return [written.slice(0, at), written.slice(at + 1)];
}

export function haveCommon(some: readonly number[], others: ReadonlySet<number>): boolean {
  return some.some((value) => others.has(value));
}

/** One character is another, is missing, is one too many, or has changed places with its neighbour. */
export function isOneStep(from: string, to: string): boolean {
  if (from === to || Math.abs(from.length - to.length) > 1) return false;
  let start = 0;
  while (start < from.length && from[start] === to[start]) start++;
  let end = 0;
  const most = Math.min(from.length, to.length) - start;
  while (end < most && from.at(-1 - end) === to.at(-1 - end)) end++;
  const one = from.slice(start, from.length - end);
  const other = to.slice(start, to.length - end);
  if (Math.max(one.length, other.length) === 1) return true;
  return one.length === 2 && one[0] === other[1] && one[1] === other[0];
}
