/**
 * A question that every page is looked at for. The model gets one page after the other and notes what bears on the question; then it
 * answers from the notes. Where all pages have room together they come with the question instead.
 */
import type { QuestionScope } from '../../contract.ts';
import { LoupeError } from '../../errors.ts';
import type { ChatMessage, DocumentStore, KeptLook, NewCoverage } from '../ports.ts';
import type { Answerer } from './answerer.ts';
import {
  chosenOf,
  countsOf,
  countsOfLibrary,
  inLibrary,
  rangeOf,
  unreadLibrary,
  withoutText,
  type Choice,
  type ChosenPage,
} from './choose-pages.ts';
import {
  messagesOf,
  notesPrompt,
  pagePrompt,
  pagesAreQuoted,
  pagesOf,
  titleOf,
  type PagePrompt,
  type PageTask,
  type PromptNote,
  type PromptPage,
} from './page-prompt.ts';
import { hasRoom, type RoomOptions } from './prompt-room.ts';

/** Of a note. They are quotes; what runs on is cut. */
const noteTokens = 160;
/** Of what several notes are summed up to, where not all of them have room. */
const sumTokens = 512;
/** Counting the tokens of more text than this is not worth it: it has no room. In UTF-16 units. */
const mostPerToken = 8;
/** A page is not cut into smaller parts. In UTF-16 units. */
const leastText = 200;

const noting: PageTask = {
  instructions:
    'Copy from the page below the exact words that bear on the question, each passage on a line of its own between quotation marks, and ' +
    `write nothing else. Do not answer the question. If nothing on the page bears on it, write NOTHING. ${pagesAreQuoted}`,
  asks: 'Question',
};

/** All pages that can be looked at, in order. Rejects with `not_found` where there are none. */
export async function lookAtEvery(answerer: Answerer, scope: QuestionScope, question: string, options: RoomOptions): Promise<NewCoverage> {
  const { documents, draw } = answerer;
  const { pages, counts } = scope.kind === 'library' ? ofLibrary(documents) : ofDocument(documents, scope);
  const readable = pages.filter(({ text, state }) => text !== '' || (state === 'picture' && draw));
  if (readable.length === 0) throw scope.kind === 'library' ? unreadLibrary() : withoutText('These pages have', scope.id);
  for (const { state } of readable) counts[state === 'text' || state === 'ocr' ? 'searched' : state]--;
  const length = readable.reduce((total, { text }) => total + text.length, 0);
  const inWords = length <= mostPerToken * answerer.contextLength && readable.every(({ text }) => text !== '');
  const together = inWords && (await hasRoom(answerer, pagePrompt(readable.map(asText), question, severalOf(scope)), options));
  const looks = readable.map(({ documentId, name, number, label, text }): KeptLook => {
    const outcome = text === '' ? 'picture' : 'text';
    return { documentId, name, number, label, outcome, length: text.length, noted: together ? null : 'waiting', note: null };
  });
  return { ...counts, words: [], looks };
}

type Counts = Omit<Choice['counts'], 'words'>;

function ofLibrary(documents: DocumentStore): { pages: ChosenPage[]; counts: Counts } {
  const all = inLibrary(documents);
  const pages = all.toReversed().flatMap((document) => documents.pages(document.id).map((page) => chosenOf(document, page)));
  return { pages, counts: countsOfLibrary(all) };
}

function ofDocument(
  documents: DocumentStore,
  scope: Extract<QuestionScope, { kind: 'document' }>,
): { pages: ChosenPage[]; counts: Counts } {
  const document = documents.get(scope.id);
  const { from, to } = rangeOf(document, scope.pages);
  const all = documents.pages(scope.id);
  const pages = all.filter(({ number }) => number >= from && number <= to);
  const counts = { ...countsOf(pages), named: false, documents: 1, outside: all.length - pages.length };
  return { pages: pages.map((page) => chosenOf(document, page)), counts };
}

/** The first page that is still to be looked at, and how many were. */
export function nextPage(looks: readonly KeptLook[]): { look: KeptLook | undefined; done: number } {
  return { look: looks.find(({ noted }) => noted === 'waiting'), done: looks.filter(({ noted }) => noted !== 'waiting').length };
}

/** What the model notes of a page: '' for nothing. One that has no room is looked at in parts. Rejects as the engine does. */
export async function notePage(
  answerer: Answerer,
  scope: QuestionScope,
  look: KeptLook,
  question: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const { documents, draw } = answerer;
  const [page] = pagesOf(documents, [look]) as [PromptPage];
  const promptOf = (text: string): Omit<PagePrompt, 'picture'> =>
    pagePrompt([{ ...page, text }], question, { ...severalOf(scope), task: noting });
  const picture = look.outcome === 'picture' && draw ? await draw(look) : null;
  const room = { maxTokens: noteTokens, pictured: picture !== null, signal };
  const notes: string[] = [];
  for (const text of await partsOf(page.text, (part) => hasRoom(answerer, promptOf(part), room))) {
    const messages = messagesOf({ ...promptOf(text), picture });
    notes.push(withoutNothing(await wordsOf(answerer, messages, noteTokens, signal)));
  }
  return notes.filter((note) => note !== '').join('\n');
}

/** `text`, or its halves, or theirs. Rejects with `context_full` where not even a part of it has room. */
async function partsOf(text: string, fits: (part: string) => Promise<boolean>): Promise<string[]> {
  if (await fits(text)) return [text];
  if (text.length <= leastText) throw withoutRoom();
  const middle = Math.floor(text.length / 2);
  // At the end of a line where one is near.
  const line = text.lastIndexOf('\n', middle) + 1;
  const cut = line > middle / 2 ? line : middle;
  const halves = [text.slice(0, cut), text.slice(cut)].map((half) => half.toWellFormed());
  return (await Promise.all(halves.map((half) => partsOf(half, fits)))).flat();
}

/** The question with all notes. Rejects with `not_found` where there are none. */
export async function promptFromNotes(
  answerer: Answerer,
  scope: QuestionScope,
  looks: readonly KeptLook[],
  question: string,
  { signal, ...options }: RoomOptions,
): Promise<Omit<PagePrompt, 'picture'>> {
  const bearing = looks.filter(({ noted }) => noted === 'something');
  if (bearing.length === 0) throw nothingFound(looks.length);
  // The notes went with their documents.
  for (const id of new Set(bearing.map(({ documentId }) => documentId))) answerer.documents.get(id);
  const several = severalOf(scope);
  const pages = bearing.map((look) => ({ ...look, outcome: 'text' as const, text: look.note ?? '' }));
  const notes = pages.map((page): PromptNote => {
    const title = titleOf(page, pages, several.several);
    return { from: title, to: title, text: page.text };
  });
  const fits = (some: readonly PromptNote[]): Promise<boolean> =>
    hasRoom(answerer, notesPrompt(some, question, several), { ...options, signal });
  const sum = async (some: readonly PromptNote[]): Promise<PromptNote> => {
    const messages = messagesOf({ ...notesPrompt(some, question, several), picture: null });
    const most = Math.min(sumTokens, Math.floor(answerer.contextLength / 8));
    return { from: some[0]!.from, to: some.at(-1)!.to, text: await wordsOf(answerer, messages, most, signal) };
  };
  return notesPrompt(await foldNotes(notes, fits, sum), question, several);
}

/** Notes that have room together; halves of those that have not are summed up, each by itself. */
export async function foldNotes(
  notes: readonly PromptNote[],
  fits: (notes: readonly PromptNote[]) => Promise<boolean>,
  sum: (notes: readonly PromptNote[]) => Promise<PromptNote>,
): Promise<readonly PromptNote[]> {
  if (await fits(notes)) return notes;
  if (notes.length === 1) throw withoutRoom();
  const middle = Math.ceil(notes.length / 2);
  const sums: PromptNote[] = [];
  for (const half of [notes.slice(0, middle), notes.slice(middle)]) sums.push(await sum(await foldNotes(half, fits, sum)));
  return sums;
}

async function wordsOf({ engine }: Answerer, messages: ChatMessage[], maxTokens: number, signal: AbortSignal | undefined): Promise<string> {
  const { text, finish } = await engine.generate({ messages, maxTokens, sampling: { temperature: 0 } }, { signal });
  if (finish === 'cancelled' || signal?.aborted) throw new LoupeError('cancelled', 'The question was stopped.');
  return text.trim();
}

/** A model that found nothing may say so in a few more words; what it quotes counts. */
function withoutNothing(note: string): string {
  return /^\P{L}*nothing\b/iu.test(note) && !/["“”„«»]/u.test(note.replace(/^\P{L}*nothing\P{L}*/iu, '')) ? '' : note;
}

function asText(page: ChosenPage): PromptPage {
  return { ...page, outcome: 'text' };
}

function severalOf({ kind }: QuestionScope): { several: boolean } {
  return { several: kind === 'library' };
}

function nothingFound(pages: number): LoupeError {
  return new LoupeError(
    'not_found',
    pages === 1 ? 'The model found nothing about this on the page.' : `The model found nothing about this on any of the ${pages} pages.`,
    'Ask in other words, or ask another model.',
  );
}

function withoutRoom(): LoupeError {
  return new LoupeError(
    'context_full',
    'The model holds too few tokens for the question with what is noted of the pages.',
    'Raise the context length in the settings, or choose a model that holds more.',
  );
}
