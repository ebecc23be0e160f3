/** Which pages bear on a question. */
import type { QuestionScope } from '../../contract.ts';
import { LoupeError } from '../../errors.ts';
import type { Abortable, ChatMessage, DocumentStore, Engine, NewCoverage, StoredDocument, StoredPage } from '../ports.ts';
import { pageNamed } from './citations.ts';
import { pageRange, type PageRange } from './page-range.ts';
import { wordsOf } from './question-words.ts';

export interface ChooseOptions extends Abortable {
  /** Pages that are looked at, at most. */
  mostPages?: number | undefined;
  /** The model names other words for what is asked, which are searched for as well. */
  expand?: boolean | undefined;
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

/** Rejects with `not_found` where no page matches, and as the engine does. */
export async function choosePages(
  documents: DocumentStore,
  engine: Pick<Engine, 'generate'>,
  scope: QuestionScope,
  question: string,
  options: ChooseOptions,
): Promise<Choice> {
  const search = async (
    words: string[],
    where: Parameters<typeof searchedPages>[2],
  ): Promise<{ words: string[]; chosen: ChosenPage[] }> => {
    const more = options.expand ? await otherWords(engine, question, options.signal) : [];
    const all = [...new Set([...words, ...more])];
    return { words: all, chosen: searchedPages(documents, all, where) };
  };
  return scope.kind === 'library'
    ? chooseInLibrary(documents, question, options, search)
    : chooseInDocument(documents, scope, question, options, search);
}

type Search = (
  words: string[],
  where: { id?: number; name: string; range?: PageRange; limit: number },
) => Promise<{ words: string[]; chosen: ChosenPage[] }>;

async function chooseInDocument(
  documents: DocumentStore,
  { id, pages: asked }: Extract<QuestionScope, { kind: 'document' }>,
  question: string,
  { mostPages = usualPages }: ChooseOptions,
  search: Search,
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
  const { words, chosen } = await search(wordsOf(question), { id, name, range, limit: mostPages });
  return { chosen, alone: false, counts: { ...counts, named: false, words } };
}

async function chooseInLibrary(
  documents: DocumentStore,
  question: string,
  { mostPages = usualPages }: ChooseOptions,
  search: Search,
): Promise<Choice> {
  const all = documents.list();
  if (all.length === 0) throw new LoupeError('not_found', 'There are no documents in the library.', 'Add one, then ask again.');
  const sum = (state: keyof StoredDocument['states']): number => all.reduce((total, { states }) => total + states[state], 0);
  const searched = sum('text') + sum('ocr');
  const [waiting, picture, failed, blank] = [sum('waiting'), sum('picture'), sum('failed'), sum('blank')];
  const counts = {
    ...{ named: false, documents: all.length, outside: 0, searched, waiting, picture, failed, blank },
    pages: searched + waiting + picture + failed + blank,
  };
  if (searched === 0)
    throw new LoupeError('not_found', 'No page of the library has text yet.', 'Wait until the documents are read, then ask again.');
  if (searched <= mostPages) {
    const chosen = all
      .toReversed()
      .flatMap((document) => documents.pages(document.id).map((page) => chosenOf(document, page)))
      .filter(({ text }) => text !== '');
    return { chosen, alone: false, counts: { ...counts, words: [] } };
  }
  const { words, chosen } = await search(wordsOf(question), { name: 'the library', limit: mostPages });
  return { chosen, alone: false, counts: { ...counts, words } };
}

function searchedPages(documents: DocumentStore, words: string[], { id, name, range, limit }: Parameters<Search>[1]): ChosenPage[] {
  const hits = documents.search({ words, documentId: id, pages: range, limit });
  if (hits.length === 0) {
    throw new LoupeError(
      'not_found',
      `No page of ${name} matches. Searched for: ${words.join(', ')}.`,
      'Ask with words that the document uses, or name the page.',
    );
  }
  return hits.map((hit) => chosenOf({ id: hit.documentId, name: hit.name }, documents.page(hit.documentId, hit.number)));
}

function chosenOf({ id, name }: Pick<StoredDocument, 'id' | 'name'>, { number, label, text, state }: StoredPage): ChosenPage {
  return { documentId: id, name, number, label, text, state };
}

/** The pages of a scope. Throws `usage` where it names pages that there are not. */
export function rangeOf({ pageCount, name }: Pick<StoredDocument, 'pageCount' | 'name'>, pages: string | null): PageRange {
  return pages === null ? { from: 1, to: pageCount } : pageRange(pages, pageCount, name);
}

function countsOf(pages: readonly StoredPage[]): Pick<NewCoverage, 'pages' | 'searched' | 'waiting' | 'picture' | 'failed' | 'blank'> {
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
