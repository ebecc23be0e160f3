/** Quotes in an answer, compared with the page that they name. The program decides what is verified, never the model. */
import type { Citation } from '../../contract.ts';
import { isUnspaced } from '../../scripts.ts';

export interface QuotedPage {
  documentId: number;
  /** The document's. */
  name: string;
  number: number;
  label: string;
  text: string;
}

/** As it is written. */
export interface WrittenCitation extends Pick<Citation, 'offset' | 'length' | 'page' | 'quote'> {
  /** Null where it names the page alone. */
  document: string | null;
}

/** Where quotes are looked up. */
export interface QuotedPages {
  /** Pages that it may mean, the likeliest first. */
  named(citation: WrittenCitation): QuotedPage[];
  /** Pages that may have these words, the likeliest first. */
  likely(quote: string): QuotedPage[];
}

/** At least so much of the quote has to be in the page, letter by letter, to be called similar. */
const leastSimilar = 0.85;
/** Longer ones are compared as they are, and are never called similar: comparing costs by the letter. */
const longestAligned = 600;
/** A quote of fewer letters and digits says nothing about where it is from. */
const leastLetters = 3;

const pattern =
  /\[\s*(?:([^[\]"“„«»”\n]{1,255}?)[\s,:;]+)?(?:page|pp?)\b\.?\s*([\p{L}\p{N}][\p{L}\p{N}.-]*)\s*[,:;]?\s*(?:["“„«]([^\]]*?)["”“»]\s*)?\]/giu;

/** `[p. 12 "words"]`, `[lease.pdf, p. 12 "words"]`, in the order of the answer. */
export function citationsIn(answer: string): WrittenCitation[] {
  return [...answer.matchAll(pattern)].map((match) => ({
    offset: match.index,
    length: match[0].length,
    document: match[1]?.trim() ?? null,
    page: match[2]!,
    quote: match[3]?.trim() || null,
  }));
}

export function checkCitations(answer: string, pages: QuotedPages): Citation[] {
  const known = new Map<string, Letters>();
  const lettersOf = ({ documentId, number, text }: QuotedPage): Letters => {
    const key = `${documentId}.${number}`;
    const letters = known.get(key) ?? lettersIn(text);
    known.set(key, letters);
    return letters;
  };
  return citationsIn(answer).map((citation) => {
    const { offset, length, page, quote } = citation;
    const result = (finding: Citation['finding'], at: QuotedPage | null, found: string | null = null): Citation => ({
      ...{ offset, length, page, quote, finding, found, removed: false },
      ...{ documentId: at?.documentId ?? null, name: at?.name ?? null, number: at?.number ?? null, label: at?.label ?? null },
    });
    const named = pages.named(citation);
    const [first = null] = named;
    const letters = quote === null ? null : lettersIn(quote);
    if (!letters || letters.text.length < leastLetters) return result('unchecked', first);
    const has = named.find((one) => isIn(letters, lettersOf(one)));
    if (has) return result('verified', has);
    const other = pages.likely(quote!).find((one) => one.text !== '' && isIn(letters, lettersOf(one)));
    if (other) return result('other-page', other);
    if (!first || first.text === '') return result('unchecked', first);
    const similar = mostSimilar(letters, lettersOf(first), first.text);
    return similar ? result(similar.sameDigits ? 'close' : 'numbers-differ', first, similar.words) : result('not-found', first);
  });
}

/** Whether a text has these words: whole words and whole numbers, however they are spaced. Without letters and digits: no. */
export function hasWords(text: string, words: string): boolean {
  const wanted = lettersIn(words);
  return wanted.text !== '' && isIn(wanted, lettersIn(text));
}

/**
 * Words, looked for in a text. `same`: whole words and whole numbers, however they are spaced. `close`: similar ones, with the same
 * digits. `found`: as the text has them, where it does not have the same.
 */
export function lookForWords(
  text: string,
  words: string,
): { finding: 'same' | 'close' | 'numbers-differ' | 'absent'; found: string | null } {
  const wanted = lettersIn(words);
  if (wanted.text === '') return { finding: 'absent', found: null };
  const letters = lettersIn(text);
  if (isIn(wanted, letters)) return { finding: 'same', found: null };
  const similar = mostSimilar(wanted, letters, text);
  if (!similar) return { finding: 'absent', found: null };
  return { finding: similar.sameDigits ? 'close' : 'numbers-differ', found: similar.words };
}

/** The number that is printed on it comes first: it is the one that people see. */
export function pageNamed<Page extends Pick<QuotedPage, 'number' | 'label'>>(name: string, pages: readonly Page[]): Page | null {
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
