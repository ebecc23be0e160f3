/** Which pages bear on a question. */
import type { QuestionScope } from '../../contract.ts';
import { LoupeError } from '../../errors.ts';
import type {
  Abortable,
  ChatMessage,
  DocumentStore,
  Engine,
  NewCoverage,
  PageQuery,
  RankedHit,
  StoredDocument,
  StoredPage,
  WordVectors,
} from '../ports.ts';
import { pageNamed } from './citations.ts';
import { pageLikeness } from './page-likeness.ts';
import { pageRange, type PageRange } from './page-range.ts';
import { wordsOf } from './question-words.ts';

export interface ChooseOptions extends Abortable {
  /** Pages that are looked at, at most. */
  mostPages?: number | undefined;
  /** The model names other words for what is asked, which are searched for as well. */
  expand?: boolean | undefined;
  /** Absent: pages are ranked by the words that they share with the question alone. */
  wordVectors?: (() => Promise<WordVectors>) | undefined;
}

export interface ChosenPage extends Pick<StoredPage, 'number' | 'label' | 'text' | 'state'> {
  documentId: number;
  name: string;
}

export interface Choice {
  /** The best first. */
  chosen: ChosenPage[];
  /** One that is asked about alone: its picture can be looked at. */
  alone: boolean;
  /** But for what will have been looked at. */
  counts: Omit<NewCoverage, 'looks'>;
}

const usualPages = 5;
const expansionTokens = 40;
/** Pages of a document that are compared, of those that have most of the words and of those whose words are most alike. */
const compared = 50;

/** Rejects with `not_found` where no page matches, and as the engine does. */
export async function choosePages(
  documents: DocumentStore,
  engine: Pick<Engine, 'generate'>,
  scope: QuestionScope,
  question: string,
  options: ChooseOptions,
): Promise<Choice> {
  const searchFor: SearchFor = async () => {
    if (scope.words) return scope.words;
    const more = options.expand ? await otherWords(engine, question, options.signal) : [];
    return [...new Set([...wordsOf(question), ...more])];
  };
  return scope.kind === 'library'
    ? chooseInLibrary(documents, options, searchFor)
    : chooseInDocument(documents, scope, question, options, searchFor);
}

/** The words that are searched for. */
type SearchFor = () => Promise<string[]>;

async function chooseInDocument(
  documents: DocumentStore,
  { id, pages: asked }: Extract<QuestionScope, { kind: 'document' }>,
  question: string,
  { mostPages = usualPages, wordVectors, signal }: ChooseOptions,
  searchFor: SearchFor,
): Promise<Choice> {
  const document = documents.get(id);
  const { name } = document;
  const all = documents.pages(id);
  const range = rangeOf(document, asked);
  const pages = all.filter(({ number }) => number >= range.from && number <= range.to);
  const counts = { ...countsOf(pages), documents: 1, outside: all.length - pages.length };

  const byName = pageInQuestion(question, pages);
  const single = byName ?? (pages.length === 1 ? pages[0]! : null);
  if (single) return { chosen: [chosenOf(document, single)], alone: true, counts: { ...counts, named: byName !== null, words: [] } };
  const readable = pages.filter(({ text }) => text !== '');
  if (readable.length === 0) throw withoutText(`The pages of ${name} have`, id);
  if (readable.length <= mostPages)
    return { chosen: readable.map((page) => chosenOf(document, page)), alone: false, counts: { ...counts, named: false, words: [] } };
  const words = await searchFor();
  const hits = found(documents, { words, documentId: id, pages: range, limit: Math.max(mostPages, compared) }, name);
  const likeness = wordVectors ? await pageLikeness(await wordVectors(), words, readable, { signal }) : null;
  const best = likeness ? ranked(hits, likeness) : hits.map(({ number }) => number);
  const chosen = best.slice(0, mostPages).map((number) => chosenOf(document, documents.page(id, number)));
  return { chosen, alone: false, counts: { ...counts, named: false, words } };
}

async function chooseInLibrary(documents: DocumentStore, { mostPages = usualPages }: ChooseOptions, searchFor: SearchFor): Promise<Choice> {
  const all = inLibrary(documents);
  const counts = countsOfLibrary(all);
  const { searched } = counts;
  if (searched === 0) throw unreadLibrary();
  if (searched <= mostPages) {
    const chosen = all
      .toReversed()
      .flatMap((document) => documents.pages(document.id).map((page) => chosenOf(document, page)))
      .filter(({ text }) => text !== '');
    return { chosen, alone: false, counts: { ...counts, words: [] } };
  }
  const words = await searchFor();
  const hits = found(documents, { words, limit: mostPages }, 'the library');
  const chosen = hits.map((hit) => chosenOf({ id: hit.documentId, name: hit.name }, documents.page(hit.documentId, hit.number)));
  return { chosen, alone: false, counts: { ...counts, words } };
}

/** Rejects with `not_found` where there are none. */
export function inLibrary(documents: DocumentStore): StoredDocument[] {
  const all = documents.list();
  if (all.length === 0) throw new LoupeError('not_found', 'There are no documents in the library.', 'Add one, then ask again.');
  return all;
}

export function unreadLibrary(): LoupeError {
  return new LoupeError('not_found', 'No page of the library has text yet.', 'Wait until the documents are read, then ask again.');
}

export function countsOfLibrary(all: readonly StoredDocument[]): Omit<Choice['counts'], 'words'> {
  const sum = (state: keyof StoredDocument['states']): number => all.reduce((total, { states }) => total + states[state], 0);
  const searched = sum('text') + sum('ocr');
  const [waiting, picture, failed, blank] = [sum('waiting'), sum('picture'), sum('failed'), sum('blank')];
  return {
    ...{ named: false, documents: all.length, outside: 0, searched, waiting, picture, failed, blank },
    pages: searched + waiting + picture + failed + blank,
  };
}

function found(documents: DocumentStore, query: PageQuery, name: string): RankedHit[] {
  const hits = documents.search(query);
  if (hits.length === 0) {
    throw new LoupeError(
      'not_found',
      `No page of ${name} matches. Searched for: ${query.words.join(', ')}.`,
      'Ask with words that the document uses, or name the page.',
    );
  }
  return hits;
}

/** The numbers of pages, the best first: what they have of the words and how alike theirs are count the same. */
function ranked(hits: readonly RankedHit[], likeness: ReadonlyMap<number, number>): number[] {
  const alike = [...likeness].sort(([, one], [, other]) => other - one).slice(0, compared);
  const scores = new Map(hits.map(({ number, score }) => [number, score / hits[0]!.score]));
  const [, most] = alike[0]!;
  if (most > 0) for (const [number, likely] of alike) scores.set(number, (scores.get(number) ?? 0) + likely / most);
  return [...scores].sort(([, one], [, other]) => other - one).map(([number]) => number);
}

export function chosenOf({ id, name }: Pick<StoredDocument, 'id' | 'name'>, { number, label, text, state }: StoredPage): ChosenPage {
  return { documentId: id, name, number, label, text, state };
}

/** The pages of a scope. Throws `usage` where it names pages that there are not. */
export function rangeOf({ pageCount, name }: Pick<StoredDocument, 'pageCount' | 'name'>, pages: string | null): PageRange {
  return pages === null ? { from: 1, to: pageCount } : pageRange(pages, pageCount, name);
}

export function countsOf(
  pages: readonly StoredPage[],
): Pick<NewCoverage, 'pages' | 'searched' | 'waiting' | 'picture' | 'failed' | 'blank'> {
  const count = (...states: StoredPage['state'][]): number => pages.filter(({ state }) => states.includes(state)).length;
  return {
    pages: pages.length,
    searched: count('text', 'ocr'),
    waiting: count('waiting'),
    picture: count('picture'),
    failed: count('failed'),
    blank: count('blank'),
  };
}

export function withoutText(which: string, id: number): LoupeError {
  return new LoupeError(
    'not_found',
    `${which} no text yet.`,
    `Read the text in its pictures first: in the list of documents, or with loupe documents resume ${id} --ocr`,
  );
}

/** "page 12", "page iii", "p. 4". */
function pageInQuestion(question: string, pages: StoredPage[]): StoredPage | null {
  const named = [...question.matchAll(/\b(?:page|p\.)\s*([\p{L}\p{N}][\p{L}\p{N}-]*)/giu)].map((match) => match[1]!);
  const found = named.map((name) => pageNamed(name, pages)).filter((page) => page !== null);
  return found.length === 1 ? found[0]! : null;
}

async function otherWords(engine: Pick<Engine, 'generate'>, question: string, signal: AbortSignal | undefined): Promise<string[]> {
  const text =
    'Name other words and short phrases that a document may use for what this question asks. ' +
    `Words alone, with commas between them.\n\n${question}`;
  const messages: ChatMessage[] = [{ role: 'user', content: [{ type: 'text', text }] }];
  const reply = await engine.generate({ messages, maxTokens: expansionTokens, sampling: { temperature: 0 } }, { signal });
  if (signal?.aborted) throw new LoupeError('cancelled', 'The question was stopped.');
  return wordsOf(reply.text);
}
