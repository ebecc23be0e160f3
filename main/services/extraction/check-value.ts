/** A value that a model took from pages, compared with them. The program decides what is sure, never the model. */
import { dayIn, numberIn, type Citation, type Doubt, type ExtractionCell, type ExtractionField } from '../../contract.ts';
import { hasWords, lookForWords } from '../documents/citations.ts';
import { allWords, wordsOf } from '../documents/question-words.ts';

/** A page that was looked at for it, with the text that the model got. */
export interface LookedPage {
  number: number;
  text: string;
}

export type CheckedValue = Pick<ExtractionCell, 'value' | 'quote' | 'page' | 'doubts' | 'reading'>;

/** Longer lines are shown cut. In UTF-16 units. */
const longestShown = 200;
const longestValue = 1_000;

/** What the model says that the value is; null where the pages do not have it. */
export function valueIn(answer: string, { name }: ExtractionField, citations: readonly Citation[]): string | null {
  let rest = answer;
  for (const { offset, length } of citations.toReversed()) rest = `${rest.slice(0, offset)}\n${rest.slice(offset + length)}`;
  const lines = rest.split('\n').map((line) => plain(line, name));
  const value = lines.find((line) => /[\p{L}\p{N}]/u.test(line)) ?? '';
  return value === '' ||
    /^(?:none|not (?:stated|given|found|specified|mentioned|present)|n\/a|unknown|there is no|there are no)\b/i.test(value)
    ? null
    : value.slice(0, longestValue).toWellFormed();
}

/** Without the marks of Markdown, the field's name and quotation marks around it. */
function plain(line: string, name: string): string {
  const unmarked = line.replace(/\*\*|__|`/g, '').replace(/^\s*(?:[-*•#>]+\s+)+/, '');
  const label = new RegExp(`^\\s*(?:${literally(name)}|value|answer)\\s*[:=]\\s*`, 'iu');
  const bare = unmarked.replace(label, '').trim();
  return bare
    .replace(/^["“„«'‘](.*)["”“»'’][.,;]?$/u, '$1')
    .replace(/(?<=[\p{L}\p{N})%])[.;,]$/u, '')
    .trim();
}

/** `pages`: those that were looked at. A page of the citations may be another one. */
export function checkValue(
  value: string,
  field: ExtractionField,
  pages: readonly LookedPage[],
  citations: readonly Citation[],
): CheckedValue {
  const doubts: Doubt[] = [];
  const lines = linesOf(pages, field);
  const place = placeOf(value, field, lines, citations, doubts);
  let { reading } = place;
  if (place.page !== null && !doubts.includes('not-on-page')) {
    const other = labelledOtherwise(value, field, lines, place.quote);
    if (other !== null) {
      doubts.push('beside-another');
      reading = other;
    }
  }
  if (field.kind === 'number' && numberIn(value) === null) doubts.push('not-a-number');
  if (field.kind === 'date' && dayIn(value) === null) doubts.push('not-a-date');
  return { value, quote: place.quote, page: place.page, doubts, reading };
}

type Place = Pick<CheckedValue, 'quote' | 'page' | 'reading'>;

function placeOf(value: string, field: ExtractionField, all: readonly Line[], citations: readonly Citation[], doubts: Doubt[]): Place {
  const has = (text: string): boolean => hasWords(text, value);
  const found = citations.filter(({ finding, quote }) => quote !== null && (finding === 'verified' || finding === 'other-page'));
  const cited = found.find(({ quote }) => has(quote!)) ?? found[0];
  if (cited?.number && has(cited.quote!)) {
    if (cited.finding === 'other-page') doubts.push('other-page');
    return { quote: cited.quote, page: cited.number, reading: null };
  }
  const lines = linesWith(value, all);
  const [best] = lines;
  if (best && cited?.number) {
    // The cited words may be those beside the value.
    const beside = lines.find(({ number, zone }) => number === cited.number && hasWords(zone, cited.quote!));
    if (beside) return { quote: beside.line, page: beside.number, reading: null };
    doubts.push('not-in-quote');
    return { quote: cited.quote, page: cited.number, reading: null };
  }
  if (best) {
    if (best.score < 2) doubts.push('no-quote');
    return { quote: best.line, page: best.number, reading: null };
  }
  doubts.push('not-on-page');
  const like = citations.find((citation) => citation.found !== null);
  if (like) return { quote: null, page: like.number, reading: like.found };
  const named = clearestNamed(all, field);
  return { quote: null, page: named?.number ?? null, reading: named?.line ?? null };
}

/** The line that names the field most clearly and holds something else; null where none does. */
export function namedOn(pages: readonly LookedPage[], field: ExtractionField): { number: number; line: string } | null {
  return clearestNamed(linesOf(pages, field), field);
}

function clearestNamed(lines: readonly Line[], field: ExtractionField): Line | null {
  const named = lines.filter(({ score, text }) => score >= 2 && holdsMore(text, field));
  return named.sort((one, other) => other.score - one.score)[0] ?? null;
}

interface Line {
  number: number;
  text: string;
  /** As it is shown. */
  line: string;
  /** With the line above, which may name a column. */
  zone: string;
  score: number;
}

function linesOf(pages: readonly LookedPage[], field: ExtractionField): Line[] {
  return pages.flatMap(({ number, text }) => {
    const lines = text.split('\n').filter((line) => line.trim() !== '');
    return lines.map((line, index) => {
      const above = lines[index - 1] ?? '';
      const score = labelScore(line, field) || (labelScore(above, field) > 0 ? 1 : 0);
      return { number, text: line, line: shown(line), zone: `${above}\n${line}`, score };
    });
  });
}

/** Those beside the field's name first. */
function linesWith(value: string, lines: readonly Line[]): Line[] {
  // A value may go on in the next line.
  const first = value.split('\n')[0]!;
  return lines.filter(({ text }) => hasWords(text, first)).sort((one, other) => other.score - one.score);
}

/** How clearly a line names a field: 3: it begins with the name, or one of its cells does; 2: it has all of its words; 0: it does not. */
function labelScore(line: string, { name }: ExtractionField): number {
  const label = new RegExp(`(?:^|\\t)\\s*${literally(name.trim()).replace(/\s+/g, '\\s+')}(?![\\p{L}\\p{N}])`, 'iu');
  if (label.test(line)) return 3;
  const words = new Set(allWords(line.toLowerCase()).map(stem));
  const wanted = wordsOf(name).map((word) => stem(word.toLowerCase()));
  return wanted.length > 0 && wanted.every((word) => words.has(word)) ? 2 : 0;
}

/** As a pattern that matches this text alone. */
function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

function stem(word: string): string {
  return word.length > 3 ? word.replace(/e?s$/, '') : word;
}

/** Another line that names the field more clearly than any with the value, or as clearly as can be, and holds something else. */
function labelledOtherwise(value: string, field: ExtractionField, lines: readonly Line[], quote: string | null): string | null {
  const has = (text: string): boolean => hasWords(text, value);
  const holding = lines.filter(({ text }) => has(text));
  // A value may begin in one line and end in the next.
  const own = holding.length > 0 ? holding : lines.filter(({ zone }) => has(zone));
  const best = Math.max(0, quote === null ? 0 : labelScore(quote, field), ...own.map(({ score }) => score));
  const others = lines.filter((line, index) => {
    const next = lines[index + 1];
    const isHead = next !== undefined && own.includes(next) && isAbove(line.text, next.text, value, field);
    return line.score >= 2 && !own.includes(line) && !isHead && holdsMore(line.text, field);
  });
  const other = others.find(({ score }) => score > best || (score === 3 && best === 3));
  return other?.line ?? null;
}

/** Whether the name heads the column that the value stands in. */
function isAbove(head: string, line: string, value: string, field: ExtractionField): boolean {
  const column = head.split('\t').findIndex((cell) => labelScore(cell, field) > 0);
  const cell = line.split('\t')[column];
  return head.includes('\t') && cell !== undefined && hasWords(cell, value);
}

/** Whether something that can be a value stands beside the name. */
function holdsMore(line: string, { name, kind }: ExtractionField): boolean {
  const names = new Set(wordsOf(name).map((word) => stem(word.toLowerCase())));
  const rest = allWords(line.toLowerCase()).filter((word) => !names.has(stem(word)));
  return kind === 'text' ? rest.length > 0 : rest.some((word) => /\p{Nd}/u.test(word));
}

function shown(line: string): string {
  const text = line.replace(/\s+/g, ' ').trim();
  return text.length <= longestShown ? text : `${text.slice(0, longestShown).toWellFormed()}…`;
}

/** A value as the picture of its page is read: null where that agrees, else what is read in its place, or an empty text. */
export function otherwiseRead(value: string, { kind }: ExtractionField, quote: string | null, picture: string): string | null {
  const { finding, found } = lookForWords(picture, value);
  // One letter of many may be read wrongly; no digit.
  if (finding === 'same' || (finding === 'close' && kind === 'text')) return null;
  return found ?? (quote === null ? null : lookForWords(picture, quote).found) ?? '';
}
