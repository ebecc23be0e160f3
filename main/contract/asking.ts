/** Questions about documents: what they are about, what was looked at for an answer, and what became of its quotes. */
import * as v from 'valibot';
import { count, id, side, text } from './common.ts';

/** The model looks at each page by itself; absent: at the best. */
const every = v.exactOptional(v.literal(true));
/** What is searched for, instead of what the question says and the model names. */
const words = v.exactOptional(v.pipe(v.array(v.pipe(text(100), v.trim(), v.minLength(1))), v.minLength(1), v.maxLength(64)));

/** `pages` as in "3" or "3-12"; null: all of them. */
export const questionScope = v.variant('kind', [
  v.strictObject({ kind: v.literal('document'), id, pages: v.nullable(text(100)), every, words }),
  v.strictObject({ kind: v.literal('library'), every, words }),
]);

/** What a question was asked about. `removed`: the document is not in the library any more. */
export const askedScope = v.variant('kind', [
  v.strictObject({ kind: v.literal('document'), id, name: v.string(), removed: v.boolean(), pages: v.nullable(v.string()), every, words }),
  v.strictObject({ kind: v.literal('library'), every, words }),
]);

/** `text`: the model got the whole text of the page; `beginning`: for want of room, only that; `picture`: it saw the page. */
export const lookOutcome = v.picklist(['text', 'beginning', 'picture']);

/** Of a page that is looked at by itself: whether it has something about the question. `waiting`: it is not looked at yet. */
export const noted = v.picklist(['waiting', 'nothing', 'something']);

export const look = v.strictObject({
  documentId: id,
  name: v.string(),
  removed: v.boolean(),
  number: side,
  label: v.string(),
  outcome: lookOutcome,
  /** Null: it came with the question. */
  noted: v.nullable(noted),
});

/** Counted by the program before the model is asked. */
export const coverage = v.strictObject({
  /** The question names the page, so that no other was searched. */
  named: v.boolean(),
  documents: count,
  /** Of what was asked about. */
  pages: count,
  /** Of the document, and not asked about. */
  outside: count,
  /** Pages with text that were searched and not looked at. */
  searched: count,
  /** Pages that nobody can have searched, by their state. */
  waiting: count,
  picture: count,
  failed: count,
  blank: count,
  /** What was searched for; empty where nothing had to be. */
  words: v.array(v.string()),
  /** In the order of the documents and their pages. */
  looks: v.array(look),
});

/**
 * `verified`: these words are on that page. `close`: similar words are, see `found`. `numbers-differ`: similar words with other
 * digits. `other-page`: on page `number`, not on the one that is named. `not-found`: on none. `unchecked`: no words are quoted, there
 * is no such page, or it has no text.
 */
export const finding = v.picklist(['verified', 'close', 'numbers-differ', 'other-page', 'not-found', 'unchecked']);

export const citation = v.strictObject({
  /** Of its first character in the answer, in UTF-16 units. */
  offset: count,
  length: count,
  /** As it is written: an index, or the number that is printed on the page. */
  page: v.string(),
  /** Null where it names the page alone. */
  quote: v.nullable(v.string()),
  finding,
  /** Of the page that has the words, or that is named; null where there is no such page. */
  documentId: v.nullable(id),
  name: v.nullable(v.string()),
  removed: v.boolean(),
  number: v.nullable(side),
  label: v.nullable(v.string()),
  /** The page's own words, where they are not those of the quote. They go with the document. */
  found: v.nullable(v.string()),
});

export type QuestionScope = v.InferOutput<typeof questionScope>;
export type AskedScope = v.InferOutput<typeof askedScope>;
export type Look = v.InferOutput<typeof look>;
export type Coverage = v.InferOutput<typeof coverage>;
export type Finding = v.InferOutput<typeof finding>;
export type Citation = v.InferOutput<typeof citation>;

/** Whether the pages are looked at one by one, before the answer is written from what is noted of them. */
export function isOneByOne(looks: readonly Pick<Look, 'noted'>[]): boolean {
  return looks.some(({ noted }) => noted !== null);
}

/** "contract.pdf", "contract.pdf (removed)". */
function documentInWords({ name, removed }: { name: string; removed: boolean }): string {
  return removed ? `${name} (removed)` : name;
}

/** "contract.pdf, pages 3-12", "all documents", "contract.pdf, every page". */
export function scopeInWords(scope: AskedScope): string {
  const every = scope.every ? ', every page' : '';
  if (scope.kind === 'library') return `all documents${every}`;
  const { pages } = scope;
  if (pages === null) return `${documentInWords(scope)}${every}`;
  return `${documentInWords(scope)}, ${scope.every ? 'each of ' : ''}${pages.includes('-') ? 'pages' : 'page'} ${pages}`;
}

const number = (count: number): string => count.toLocaleString('en');
const were = (count: number): string => `${number(count)} ${count === 1 ? 'was' : 'were'}`;
const are = (count: number): string => `${number(count)} ${count === 1 ? 'is' : 'are'}`;
const has = (count: number): string => `${number(count)} ${count === 1 ? 'has' : 'have'}`;
const pagesInWords = (count: number): string => `${number(count)} ${count === 1 ? 'page' : 'pages'}`;

/**
 * "Looked at 5 of 40 pages (3, 4, 9, 22, 31). 33 were searched by their text. 2 have no text and were not searched."
 * "Looked at 38 of 40 pages, one by one (1-38). 2 of them have something about it (4, 9). 2 are still to be looked at."
 */
export function coverageInWords(coverage: Coverage): string {
  const { named, documents, pages, outside, searched, waiting, picture, failed, blank, looks } = coverage;
  const of = documents > 1 ? ` in ${number(documents)} documents` : '';
  const [one] = looks;
  const oneByOne = isOneByOne(looks);
  const done = looks.filter(({ noted }) => noted !== 'waiting');
  const listed = (some: readonly Look[]): string => (some.length === 0 ? '' : ` (${looksInWords(some, documents > 1)})`);
  const sentences = [
    `Looked at ${number(done.length)} of ${pagesInWords(pages)}${of}${oneByOne && done.length > 1 ? ', one by one' : ''}${listed(done)}.`,
  ];
  if (oneByOne) {
    const bearing = done.filter(({ noted }) => noted === 'something');
    const left = looks.length - done.length;
    if (bearing.length > 0) sentences.push(`${has(bearing.length)} something about it${listed(bearing)}.`);
    else if (done.length > 0) sentences.push('None has anything about it.');
    const seen = done.filter(({ outcome }) => outcome === 'picture').length;
    if (seen > 0) sentences.push(`${were(seen)} seen as ${seen === 1 ? 'a picture' : 'pictures'}.`);
    if (left > 0) sentences.push(`${are(left)} still to be looked at.`);
  }
  if (one?.outcome === 'beginning') sentences.push('Only its beginning had room in the context.');
  if (one?.outcome === 'picture' && !oneByOne) sentences.push('The model saw its picture.');
  if (named && pages > 1) sentences.push('The question names it, so the others were not searched.');
  else {
    if (searched > 0) sentences.push(`${were(searched)} searched by ${searched === 1 ? 'its' : 'their'} text.`);
    if (picture > 0)
      sentences.push(`${has(picture)} no text and ${picture === 1 ? 'was' : 'were'} not ${oneByOne ? 'looked at' : 'searched'}.`);
    if (waiting > 0) sentences.push(`${are(waiting)} still to be read.`);
    if (failed > 0) sentences.push(`${number(failed)} could not be read.`);
    if (blank > 0) sentences.push(`${are(blank)} blank.`);
  }
  if (outside > 0) sentences.push(`${pagesInWords(outside)} of the document ${outside === 1 ? 'was' : 'were'} not asked about.`);
  return sentences.join(' ');
}

/** "3, 4", "1-38, 40", "3, printed iii; 4, printed iv", "lease.pdf 3, 4; rules.pdf 1". */
function looksInWords(looks: readonly Look[], ofSeveral: boolean): string {
  const printed = looks.some(({ number: index, label }) => label !== String(index));
  const list = (some: readonly Look[]): string =>
    runsOf(some)
      .map(([first, last]) => (first === last ? pageInWords(first) : `${first.number}-${last.number}`))
      .join(printed && !ofSeveral ? '; ' : ', ');
  if (!ofSeveral) return list(looks);
  const byDocument = Map.groupBy(looks, ({ documentId }) => documentId);
  return [...byDocument.values()].map((some) => `${documentInWords(some[0]!)} ${list(some)}`).join('; ');
}

function pageInWords({ number: index, label }: Look): string {
  return label === String(index) ? `${index}` : `${index}, printed ${label}`;
}

/** The first and the last of pages that follow each other, three or more of them; any other page by itself. */
function runsOf(looks: readonly Look[]): [Look, Look][] {
  const runs: Look[][] = [];
  for (const look of looks) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    if (last && look.number === last.number + 1 && [look, last].every(({ number: index, label }) => label === String(index)))
      run!.push(look);
    else runs.push([look]);
  }
  return runs.flatMap((run): [Look, Look][] => (run.length > 2 ? [[run[0]!, run.at(-1)!]] : run.map((look) => [look, look])));
}

/** What the program found of a quote. `ofSeveral`: the answer is about several documents, so that each page is named with its own. */
export function citationInWords({ finding: is, page, number, label, quote, found, name, removed }: Citation, ofSeveral = false): string {
  // As it is printed, which is how pages are named.
  const at = label ?? String(number);
  const of = ofSeveral && name !== null ? ` of ${documentInWords({ name, removed })}` : '';
  switch (is) {
    case 'verified':
      return `Verified: page ${page}${of} has “${quote}”.`;
    case 'close':
      return found === null
        ? `Close: page ${page}${of} has similar words, not “${quote}”.`
        : `Close: page ${page}${of} has “${found}”, not “${quote}”.`;
    case 'numbers-differ':
      return found === null
        ? `Numbers differ: page ${page}${of} has other numbers than “${quote}”.`
        : `Numbers differ: page ${page}${of} has “${found}”, not “${quote}”.`;
    case 'other-page':
      return `On another page: “${quote}” is on page ${at}${of}, not on page ${page}.`;
    case 'not-found':
      return `Not found: “${quote}” is not on page ${page}${of}.`;
    case 'unchecked':
      return quote === null
        ? `Not checked: no words of page ${page}${of} are quoted.`
        : `Not checked: “${quote}” (page ${page}${of} has no text here).`;
    default:
      return is satisfies never;
  }
}
