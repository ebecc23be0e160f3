/** Numbers and days as people write them. */

/** Spaces of all widths, and the apostrophes that group digits in Switzerland. */
const groupingMarks = /(?<=\d)[\s\u00a0\u2009\u202f'’](?=\d{3})/gu;

/**
 * The number in "€ 1,250.00", "1.250,00 EUR", "(12.50)", "-3 %": digits with a point before the decimals; null where there is none,
 * or more than one. A single mark before three digits groups them, "0.125" excepted.
 */
export function numberIn(text: string): string | null {
  const plain = text.normalize('NFKC').replace(groupingMarks, '');
  const found = plain.match(/\d[\d.,]*/g) ?? [];
  if (found.length !== 1) return null;
  const digits = found[0].replace(/[.,]+$/, '');
  const before = plain.slice(0, plain.indexOf(found[0]));
  if (/[\p{L}\p{N}]$/u.test(before) && !/\b(?:[A-Z]{2,3}|Rs|Fr)$/u.test(before)) return null;
  const isNegative = /[-−–]\s*\p{Sc}?\s*$/u.test(before) || /^\s*\(.*\)\s*$/u.test(text) || /\d[.,]?[-−]\s*\p{Sc}?\s*$/u.test(plain);
  const value = withPoint(digits);
  return value === null ? null : `${isNegative && /[1-9]/.test(value) ? '-' : ''}${value}`;
}

/** Null where marks and digits do not make a number, as in "1.2.3". */
function withPoint(digits: string): string | null {
  const marks = [...digits.matchAll(/[.,]/g)];
  const last = marks.at(-1);
  if (!last) return trimmed(digits, '');
  const isAlone = marks.length === 1;
  const decimals = digits.slice(last.index + 1);
  const isSame = marks.every(([mark]) => mark === last[0]);
  const groups = (whole: string): boolean => /^\d{1,3}(?:[.,]\d{2,3})*$/.test(whole) || /^\d+$/.test(whole);
  if ((isAlone && decimals.length === 3 && !digits.startsWith('0')) || (!isAlone && isSame)) {
    return groups(digits) && decimals.length === 3 ? trimmed(digits.replace(/[.,]/g, ''), '') : null;
  }
  const whole = digits.slice(0, last.index);
  if (!groups(whole) || whole.includes(last[0])) return null;
  return trimmed(whole.replace(/[.,]/g, ''), decimals);
}

function trimmed(whole: string, decimals: string): string {
  const kept = whole.replace(/^0+(?=\d)/, '');
  return decimals === '' ? kept : `${kept}.${decimals}`;
}

/** Exact, however many there are. Of what `numberIn` returns. */
export function sumOf(numbers: readonly string[]): string {
  const places = Math.max(0, ...numbers.map((number) => number.split('.')[1]?.length ?? 0));
  const total = numbers.reduce((sum, number) => {
    const [whole = '0', decimals = ''] = number.split('.');
    return sum + BigInt(`${whole}${decimals.padEnd(places, '0')}`);
  }, 0n);
  if (places === 0) return String(total);
  const digits = String(total < 0n ? -total : total).padStart(places + 1, '0');
  return `${total < 0n ? '-' : ''}${digits.slice(0, -places)}.${digits.slice(-places)}`;
}

/** The currency or unit beside a number: sums of several kinds say nothing. */
export function unitOf(text: string): string {
  return text
    .normalize('NFKC')
    .replace(/[\d.,\s'’()+\-−–]/gu, '')
    .toUpperCase();
}

const monthNames = [
  ['jan', 'january', 'januar', 'janvier', 'gennaio', 'enero'],
  ['feb', 'february', 'februar', 'février', 'febbraio', 'febrero'],
  ['mar', 'march', 'märz', 'mär', 'mars', 'marzo'],
  ['apr', 'april', 'avril', 'aprile', 'abril'],
  ['may', 'mai', 'maggio', 'mayo'],
  ['jun', 'june', 'juni', 'juin', 'giugno', 'junio'],
  ['jul', 'july', 'juli', 'juillet', 'luglio', 'julio'],
  ['aug', 'august', 'août', 'agosto'],
  ['sep', 'sept', 'september', 'septembre', 'settembre', 'septiembre'],
  ['oct', 'october', 'oktober', 'okt', 'octobre', 'ottobre', 'octubre'],
  ['nov', 'november', 'novembre', 'noviembre'],
  ['dec', 'december', 'dezember', 'dez', 'décembre', 'dicembre', 'diciembre'],
];

/** The day as 2026-03-09; null where there is none, or where it may be one of two, as 03/09/2026 may. */
export function dayIn(text: string): string | null {
  const plain = text.normalize('NFKC').toLowerCase();
  const iso = /(?<!\d)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)/.exec(plain);
  if (iso) return day(Number(iso[1]), Number(iso[2]), Number(iso[3]));
  const named = namedDay(plain);
  if (named) return named;
  const [, first, mark, second, year] = /(?<!\d)(\d{1,2})([-/.])\s?(\d{1,2})\2\s?(\d{4})(?!\d)/.exec(plain) ?? [];
  if (first === undefined) return null;
  // Only where days are written first, points stand between them.
  if (mark === '.' || Number(first) > 12) return day(Number(year), Number(second), Number(first));
  if (Number(second) > 12 || first === second) return day(Number(year), Number(first), Number(second));
  return null;
}

function namedDay(plain: string): string | null {
  const words = plain.match(/\p{L}+/gu) ?? [];
  const months = words.flatMap((word) => {
    const month = monthNames.findIndex((names) => names.includes(word));
    return month < 0 ? [] : [month + 1];
  });
  const numbers = (plain.match(/\d+/g) ?? []).map(Number);
  const years = numbers.filter((number) => number >= 1000 && number <= 9999);
  const days = numbers.filter((number) => number >= 1 && number <= 31);
  if (months.length !== 1 || years.length !== 1 || days.length !== 1) return null;
  return day(years[0]!, months[0]!, days[0]!);
}

function day(year: number, month: number, date: number): string | null {
  const at = new Date(Date.UTC(year, month - 1, date));
  const iso = at.toISOString().slice(0, 10);
  return at.getUTCMonth() === month - 1 && at.getUTCDate() === date && year >= 1000 ? iso : null;
}
