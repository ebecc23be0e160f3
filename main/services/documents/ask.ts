/**
 * A question about documents: what the model is given of which pages, and what is true of its answer. What was looked at is counted
 * here; the model is not asked. The chat and the command line ask in the same way.
 */
import { isOneByOne, type Citation, type Coverage, type QuestionScope } from '../../contract.ts';
import { LoupeError } from '../../errors.ts';
import type { DocumentStore, GenerateReply, KeptLook, NewCoverage, PagePicture } from '../ports.ts';
import type { Answerer } from './answerer.ts';
import { choosePages, withoutText, type Choice, type ChooseOptions, type ChosenPage } from './choose-pages.ts';
import { checkCitations } from './citations.ts';
import { lookAtEvery, nextPage, notePage, promptFromNotes } from './every-page.ts';
import { messagesOf, pagePrompt, pagesOf, type PagePrompt, type PageTask } from './page-prompt.ts';
import { hasRoom, instructionsAfter } from './prompt-room.ts';
import { quotedPages } from './quoted-pages.ts';

export interface AskOptions extends Omit<ChooseOptions, 'wordVectors'> {
  maxTokens: number;
  /** Comes before the instructions. */
  systemPrompt?: string | undefined;
  /** Absent: a question is answered. */
  task?: PageTask | undefined;
}

export interface DocumentAnswer extends Pick<GenerateReply, 'text' | 'finish' | 'statistics'> {
  coverage: Coverage;
  citations: Citation[];
}

/** Of a page that is looked at, in pixels: the model scales it down to what it sees. */
export const seenWidth = 2048;
/** A page of which less has room is not worth looking at. In UTF-16 units. */
const leastText = 200;

/** Rejects with `not_found` where no page matches, `context_full` where not even the question has room, and as the engine does. */
export async function askDocument(
  answerer: Answerer,
  scope: QuestionScope,
  question: string,
  { onText, onPage, ...options }: AskOptions & { onText?: (text: string) => void; onPage?: (done: number, total: number) => void },
): Promise<DocumentAnswer> {
  const { documents, engine } = answerer;
  const { signal, maxTokens } = options;
  const { looks, ...counts } = await lookFor(answerer, scope, question, options);
  for (let { look, done } = nextPage(looks); look; { look, done } = nextPage(looks)) {
    onPage?.(done, looks.length);
    look.note = await notePage(answerer, scope, look, question, signal);
    look.noted = look.note === '' ? 'nothing' : 'something';
    if (done + 1 === looks.length) onPage?.(looks.length, looks.length);
  }
  const messages = messagesOf(await promptFor(answerer, scope, looks, question, options));
  const reply = await engine.generate({ messages, maxTokens }, { signal, ...(onText ? { onText } : {}) });
  return {
    text: reply.text,
    finish: reply.finish,
    statistics: reply.statistics,
    coverage: { ...counts, looks: looks.map(({ length: _length, note: _note, ...look }) => ({ ...look, removed: false })) },
    citations: citationsOf(documents, looks, reply.text),
  };
}

/** What to look at: as many of the best pages as have room beside the answer, or every page. */
export async function lookFor(answerer: Answerer, scope: QuestionScope, question: string, options: AskOptions): Promise<NewCoverage> {
  if (scope.every) return lookAtEvery(answerer, scope, question, options);
  const choice = await choosePages(answerer.documents, answerer.engine, scope, question, { ...options, wordVectors: answerer.wordVectors });
  const looks = await fitPages(answerer, scope, choice, question, options);
  const counts = { ...choice.counts };
  // What was looked at is counted once.
  for (const { state } of choice.chosen.slice(0, looks.length)) counts[state === 'text' || state === 'ocr' ? 'searched' : state]--;
  return { ...counts, looks };
}

/** Of pages that are looked at one by one, all must have been. */
export async function promptFor(
  answerer: Answerer,
  scope: QuestionScope,
  looks: readonly KeptLook[],
  question: string,
  options: Pick<AskOptions, 'systemPrompt' | 'task' | 'maxTokens' | 'signal'>,
): Promise<PagePrompt> {
  const { documents, draw } = answerer;
  const { systemPrompt, task } = options;
  if (isOneByOne(looks)) {
    const fromNotes = await promptFromNotes(answerer, scope, looks, question, options);
    return { ...fromNotes, instructions: instructionsAfter(systemPrompt, fromNotes), picture: null };
  }
  const prompt = pagePrompt(pagesOf(documents, looks), question, { several: scope.kind === 'library', task });
  const seen = looks.find(({ outcome }) => outcome === 'picture');
  if (seen && !draw) throw unseen(seen);
  const picture = seen && draw ? await draw(seen) : null;
  return { ...prompt, instructions: instructionsAfter(systemPrompt, prompt), picture };
}

export function drawnBy(show: (documentId: number, number: number) => Promise<PagePicture>): NonNullable<Answerer['draw']> {
  return async ({ documentId, name, number }) => ({ bytes: (await show(documentId, number)).bytes, name: `${name}, page ${number}` });
}

export function citationsOf(documents: DocumentStore, looks: readonly KeptLook[], answer: string): Citation[] {
  return checkCitations(answer, quotedPages(documents, looks));
}

/** In the order of the documents and their pages. Of a single page that has no room, its beginning. */
async function fitPages(
  answerer: Answerer,
  scope: QuestionScope,
  { chosen, alone }: Choice,
  question: string,
  { maxTokens, systemPrompt, task, signal }: AskOptions,
): Promise<KeptLook[]> {
  const [best] = chosen as [ChosenPage];
  const pictured = alone && answerer.draw !== null;
  if (best.text === '' && !pictured) throw withoutText(`Page ${best.number} of ${best.name} has`, best.documentId);
  const outcome: KeptLook['outcome'] = pictured ? 'picture' : 'text';
  const fits = (pages: readonly ChosenPage[]): Promise<boolean> => {
    const looked = pages.map((page) => ({ ...page, outcome }));
    const prompt = pagePrompt(looked, question, { several: scope.kind === 'library', task });
    return hasRoom(answerer, prompt, { maxTokens, systemPrompt, pictured, signal });
  };
  for (let count = chosen.length; count > 0; count--) {
    const pages = chosen.slice(0, count).sort(inOrder);
    if (await fits(pages)) return pages.map((page) => lookOf(page, outcome));
  }
  for (let length = Math.floor(best.text.length / 2); length >= leastText; length = Math.floor(length / 2)) {
    const page = { ...best, text: best.text.slice(0, length).toWellFormed() };
    if (await fits([page])) return [{ ...lookOf(page, pictured ? 'picture' : 'beginning'), length }];
  }
  throw new LoupeError(
    'context_full',
    `The model holds ${answerer.contextLength} tokens, which is too few for the question with a page.`,
    'Raise the context length in the settings, or choose a model that holds more.',
  );
}

function inOrder(one: ChosenPage, other: ChosenPage): number {
  return one.documentId - other.documentId || one.number - other.number;
}

function lookOf({ documentId, name, number, label, text }: ChosenPage, outcome: KeptLook['outcome']): KeptLook {
  return { documentId, name, number, label, outcome, length: text.length, noted: null, note: null };
}

/** As when the answer is continued by another model. */
function unseen({ number, name }: KeptLook): LoupeError {
  return new LoupeError(
    'image_unseen',
    `Page ${number} of ${name} was looked at as a picture, and this model reads text only.`,
    'Choose a vision model in the settings, or ask again.',
  );
}
