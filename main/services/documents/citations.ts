/** Quotes in an answer, compared with the page that they name. The program decides what is verified, never the model. */
import { isUnspaced } from '../../scripts.ts';
import type { StoredPage } from '../ports.ts';

export type QuotedPage = Pick<StoredPage, 'number' | 'label' | 'text'>;

export interface Citation {
  /** Of its first character in the answer, in UTF-16 units. */
  offset: number;
  length: number;
  /** As it is written: an index or the number that is printed on the page. */
  page: string;
  /** Null where it names the page alone. */
  quote: string | null;
}

/**
 * `verified`: these words are on that page. `close`: similar words are, see `found`. `numbers-differ`: similar words with other
 * digits. `other-page`: on page `number`, not on the one that is named. `not-found`: on none. `unchecked`: no words are quoted, there
 * is no such page, or it has no text.
 */
export type Finding = 'verified' | 'close' | 'numbers-differ' | 'other-page' | 'not-found' | 'unchecked';

export interface CheckedCitation extends Citation {
  finding: Finding;
  /** Of the page that has the words, or that is named; null where there is no such page. */
  number: number | null;
  /** The page's own words, where they are not those of the quote. */
  found: string | null;
}

/** At least so much of the quote has to be in the page, letter by letter, to be called similar. */
const leastSimilar = 0.85;
/** Longer ones are compared as they are, and are never called similar: comparing costs by the letter. */
const longestAligned = 600;
/** A quote of fewer letters and digits says nothing about where it is from. */
const leastLetters = 3;

const pattern = /\[\s*(?:page|pp?)\b\.?\s*([\p{L}\p{N}][\p{L}\p{N}.-]*)\s*[,:;]?\s*(?:["“„«]([^\]]*?)["”“»]\s*)?\]/giu;

/** `[p. 12 "words"]`, in the order of the answer. */
export function citationsIn(answer: string): Citation[] {
  return [...answer.matchAll(pattern)].map((match) => ({
    offset: match.index,
    length: match[0].length,
    page: match[1]!,
    quote: match[2]?.trim() || null,
  }));
}

/** Of all the pages of the document. */
export function checkCitations(answer: string, pages: readonly QuotedPage[]): CheckedCitation[] {
  const texts = new Map<number, Letters>();
  const lettersOf = ({ number, text }: QuotedPage): Letters => {
    const known = texts.get(number) ?? lettersIn(text);
    texts.set(number, known);
    return known;
  };
  return citationsIn(answer).map((citation) => {
    const named = pageNamed(citation.page, pages);
    const quote = citation.quote === null ? null : lettersIn(citation.quote);
    const checked = { ...citation, number: named?.number ?? null, found: null };
    if (!quote || quote.text.length < leastLetters) return { ...checked, finding: 'unchecked' };
    if (named && isIn(quote, lettersOf(named))) return { ...checked, finding: 'verified' };
    const other = pages.find((page) => page !== named && page.text !== '' && isIn(quote, lettersOf(page)));
    if (other) return { ...checked, finding: 'other-page', number: other.number };
    if (!named || named.text === '') return { ...checked, finding: 'unchecked' };
    const similar = mostSimilar(quote, lettersOf(named), named.text);
    if (!similar) return { ...checked, finding: 'not-found' };
    return { ...checked, finding: similar.sameDigits ? 'close' : 'numbers-differ', found: similar.words };
  });
}

/** The number that is printed on it comes first: it is the one that people see. */
export function pageNamed<Page extends QuotedPage>(name: string, pages: readonly Page[]): Page | null {
  const label = name.toLowerCase();
  const byLabel = pages.filter((page) => page.label.toLowerCase() === label);
  if (byLabel.length === 1) return byLabel[0]!;
  return pages.find(({ number }) => String(number) === name) ?? null;
}

interface Letters {
  /** Letters, digits and what belongs to a number, in lower case, one after the other. */
  text: string;
  /** Of each: where it stands in what it was taken from. */
  from: number[];
  /** Of each: whether something lies between it and the one before. */
  apart: boolean[];
}

/** What is compared: spaces, line ends, hyphens at line ends and punctuation are not. */
function lettersIn(source: string): Letters {
  const letters: Letters = { text: '', from: [], apart: [] };
  let apart = true;
  let index = 0;
  for (const character of source) {
    const at = index;
    index += character.length;
    const plain = character.normalize('NFKC').toLowerCase();
    if (/^[\p{L}\p{N}\p{M}\p{Sc}%]/u.test(plain) || belongsToNumber(source, at, character)) {
      for (const one of /^[−–]$/u.test(plain) ? '-' : plain.replace(/\s/g, '')) {
        letters.text += one;
        for (let unit = 0; unit < one.length; unit++) {
          letters.from.push(at);
          letters.apart.push(apart && unit === 0);
        }
        apart = false;
      }
    } else if (
      !/^(?:-\s*\n|\u00ad)/.test(source.slice(at, at + 8)) &&
      !(plain === '\n' && /-\s*$/.test(source.slice(Math.max(0, at - 4), at)))
    )
      apart = true;
  }
  return letters;
}

/** A point or comma between digits, a minus before one. */
function belongsToNumber(source: string, at: number, character: string): boolean {
  const digitFollows = /\p{Nd}/u.test(source.charAt(at + 1));
  if (character === '.' || character === ',') return digitFollows && /\p{Nd}/u.test(source.charAt(at - 1));
  return /^[-−–]$/u.test(character) && digitFollows;
}

/** Whole words and whole numbers: "400 euros" is not in "2,400 euros", nor "able to" in "unable to". */
function isIn(quote: Letters, page: Letters): boolean {
  for (let at = page.text.indexOf(quote.text); at >= 0; at = page.text.indexOf(quote.text, at + 1)) {
    if (begins(page, at) && begins(page, at + quote.text.length)) return true;
  }
  return false;
}

/** Whether a word or number begins here, and the one before has ended. */
function begins({ text, apart }: Letters, at: number): boolean {
  if (at === 0 || at >= text.length) return true;
  if (!apart[at]) {
    // A currency or percent sign may be left out of a quote, and scripts without spaces have no word to be whole.
    const beside = [text[at - 1]!, text[at]!];
    return beside.some((one) => /[\p{Sc}%]/u.test(one)) || beside.every(isUnspaced);
  }
  // A number may be written in groups, with spaces: "2 400".
  const before = /\p{Nd}+$/u.exec(text.slice(Math.max(0, at - 4), at))?.[0].length ?? 0;
  const after = /^\p{Nd}+/u.exec(text.slice(at, at + 4))?.[0].length ?? 0;
  return !(before >= 1 && before <= 3 && after === 3);
}

/** The words of the page that need the fewest letters changed to be the quote (Sellers, 1980). */
function mostSimilar(quote: Letters, page: Letters, source: string): { words: string; sameDigits: boolean } | null {
  const { length } = quote.text;
  if (length > longestAligned || page.text === '') return null;
  // Of each beginning of the quote: changes to find it ending here in the page, and where it begins.
  let changes = Array.from({ length: length + 1 }, (_, index) => index);
  let starts = new Array<number>(length + 1).fill(0);
  let best = { changes: length + 1, start: 0, end: 0 };
  for (let at = 0; at < page.text.length; at++) {
    const nextChanges = [0];
    const nextStarts = [at + 1];
    for (let index = 1; index <= length; index++) {
      const replaced = changes[index - 1]! + Number(quote.text[index - 1] !== page.text[at]);
      const left = changes[index]! + 1;
      const added = nextChanges[index - 1]! + 1;
      const fewest = Math.min(replaced, left, added);
      nextChanges.push(fewest);
      nextStarts.push(
        fewest === replaced ? (index === 1 ? at : starts[index - 1]!) : fewest === left ? starts[index]! : nextStarts[index - 1]!,
      );
    }
    changes = nextChanges;
    starts = nextStarts;
    if (changes[length]! < best.changes) best = { changes: changes[length]!, start: starts[length]!, end: at + 1 };
  }
  if (1 - best.changes / length < leastSimilar) return null;
  const [start, end] = wholeWords(page, best.start, best.end);
  const last = page.from[end - 1]!;
  const words = source.slice(page.from[start], last + (source.codePointAt(last)! > 0xffff ? 2 : 1)).replace(/\s+/g, ' ');
  return { words, sameDigits: digitsOf(page.text.slice(start, end)) === digitsOf(quote.text) };
}

function wholeWords({ text, apart }: Letters, start: number, end: number): [number, number] {
  let from = start;
  let to = end;
  while (from > 0 && !apart[from]) from--;
  while (to < text.length && !apart[to]) to++;
  return [from, to];
}

function digitsOf(text: string): string {
  return (text.match(/-?\p{Nd}[\p{Nd}.,]*/gu) ?? []).join(' ');
}
