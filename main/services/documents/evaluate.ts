/**
 * How well a model serves questions about documents, on pages whose answers are known (fixtures/evaluation): the words that it names to
 * search for, its quotes, what it reads of a page at once and in two halves, and whether its Yes tells the right page from others.
 */
import type { Citation } from '../../contract.ts';
import { LoupeError, toLoupeError } from '../../errors.ts';
import type { ChatMessage, Engine, ImageSource } from '../ports.ts';
import type { Answerer } from './answerer.ts';
import { askDocument } from './ask.ts';
import { choosePages } from './choose-pages.ts';

export interface KnownQuestion {
  /** Where its answer stands. */
  page: number;
  /** Size of the type there. */
  points: number;
  asked: string;
  paraphrased: string;
  /** A right answer has one of these, as whole words. */
  answers: string[];
}

/** A page, or one of its halves, which overlap. */
export type PagePart = 'whole' | 'top' | 'bottom';

export interface EvaluateOptions {
  documentId: number;
  questions: readonly KnownQuestion[];
  /** Null where the model sees no pictures. */
  picture: ((page: number, part: PagePart) => Promise<ImageSource>) | null;
  pageCount: number;
  signal?: AbortSignal | undefined;
  /** Of all questions to all parts. */
  onStep?: (done: number, total: number) => void;
}

/** How many of `of` were right, and seconds for each. */
export interface Rate {
  right: number;
  of: number;
  seconds: number;
}

export interface Evaluation {
  /** Questions in other words than the page's: the right page is the first, or among the first three. */
  search: { alone: { first: number; three: number }; expanded: { first: number; three: number; seconds: number }; of: number };
  /** Of answers from the text of the right page; `verified`: with a quote that is on it. `quotes`: of all that were written. */
  quotes: Rate & { verified: number; withoutQuote: number; quotes: Record<Citation['finding'], number> };
  /** By the size of the type. Halves are right where one of them is. */
  looks: { points: number; whole: Rate; halves: Rate }[] | null;
  /** The right page has the likeliest Yes among four. */
  yes: Rate | null;
  /** Questions that failed, and why. */
  failed: { part: 'search' | 'quotes' | 'looks' | 'yes'; page: number; code: string; message: string }[];
}

const answerTokens = 120;
const lookTokens = 40;
const others = 3;

export async function evaluateDocuments(
  answerer: Answerer & { engine: Pick<Engine, 'score'> },
  options: EvaluateOptions,
): Promise<Evaluation> {
  const { questions, picture } = options;
  const failed: Evaluation['failed'] = [];
  const steps = questions.length * (picture ? 4 : 2);
  let done = 0;

  /** Of each question; null where it failed, which is listed. A stop, and an engine that died, end all of it. */
  async function each<Result>(part: Evaluation['failed'][number]['part'], ask: (question: KnownQuestion) => Promise<Result>) {
    const results: (Result & { question: KnownQuestion })[] = [];
    for (const question of questions) {
      options.onStep?.(done++, steps);
      try {
        results.push({ ...(await ask(question)), question });
      } catch (thrown) {
        const { code, message } = toLoupeError(thrown);
        if (code === 'cancelled' || code.startsWith('engine_')) throw thrown;
        failed.push({ part, page: question.page, code, message });
      }
    }
    return results;
  }

  const search = searchOf(await each('search', (question) => searchFor(answerer, question, options)));
  const quotes = quotesOf(await each('quotes', (question) => quoteFrom(answerer, question, options)));
  const looks = picture ? looksOf(await each('looks', (question) => lookAt(answerer.engine, question, picture, options.signal))) : null;
  const yes = picture ? rateOf(await each('yes', (question) => sayYes(answerer.engine, question, picture, options))) : null;
  options.onStep?.(steps, steps);
  return { search, quotes, looks, yes, failed };
}

const secondsSince = (start: number): number => (performance.now() - start) / 1000;
const count = <One>(ones: readonly One[], is: (one: One) => boolean): number => ones.filter(is).length;
const mean = (numbers: readonly number[]): number => numbers.reduce((sum, one) => sum + one, 0) / Math.max(1, numbers.length);

interface Timed {
  right: boolean;
  seconds: number;
}

function rateOf(ones: readonly Timed[]): Rate {
  return { right: count(ones, ({ right }) => right), of: ones.length, seconds: mean(ones.map(({ seconds }) => seconds)) };
}

/** Whether an answer has one of the words, not as a part of others: 38 is not in 380, nor in 38.5. */
export function isRight(answer: string, { answers }: Pick<KnownQuestion, 'answers'>): boolean {
  return answers.some((words) => {
    const escaped = words.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    return new RegExp(`(?<![\\p{L}\\p{N}]|\\d[.,:])${escaped}(?![\\p{L}\\p{N}]|[.,:]\\d)`, 'iu').test(answer);
  });
}

// --- what is searched for

interface Search {
  alone: number;
  expanded: number;
  seconds: number;
}

/** The place of the right page among those that are chosen, from 0 on; -1 where it is not. */
async function searchFor(
  answerer: Answerer,
  { paraphrased, page }: KnownQuestion,
  { documentId, signal }: EvaluateOptions,
): Promise<Search> {
  const scope = { kind: 'document', id: documentId, pages: null } as const;
  const place = async (expand: boolean): Promise<number> => {
    const choose = choosePages(answerer.documents, answerer.engine, scope, paraphrased, {
      ...{ mostPages: 3, expand, wordVectors: answerer.wordVectors, signal },
    });
    const found = await choose.catch((thrown: unknown) => {
      if (toLoupeError(thrown).code === 'not_found') return null;
      throw thrown;
    });
    return found ? found.chosen.findIndex(({ number }) => number === page) : -1;
  };
  const alone = await place(false);
  const start = performance.now();
  return { alone, expanded: await place(true), seconds: secondsSince(start) };
}

function searchOf(ones: readonly Search[]): Evaluation['search'] {
  const places = (of: 'alone' | 'expanded'): { first: number; three: number } => ({
    first: count(ones, (one) => one[of] === 0),
    three: count(ones, (one) => one[of] >= 0),
  });
  const seconds = mean(ones.map((one) => one.seconds));
  return { alone: places('alone'), expanded: { ...places('expanded'), seconds }, of: ones.length };
}

// --- quotes

async function quoteFrom(
  answerer: Answerer,
  question: KnownQuestion,
  { documentId, signal }: EvaluateOptions,
): Promise<Timed & { citations: Citation[] }> {
  const start = performance.now();
  const scope = { kind: 'document', id: documentId, pages: `${question.page}` } as const;
  // From its text: what is measured is how it quotes.
  const { text, citations, finish } = await askDocument({ ...answerer, draw: null }, scope, question.asked, {
    maxTokens: answerTokens,
    signal,
  });
  if (finish === 'cancelled') throw stopped();
  return { right: isRight(text, question), seconds: secondsSince(start), citations };
}

function quotesOf(ones: readonly (Timed & { citations: Citation[] })[]): Evaluation['quotes'] {
  const all = ones.flatMap(({ citations }) => citations);
  const of = (finding: Citation['finding']): number => count(all, (one) => one.finding === finding);
  return {
    ...rateOf(ones),
    verified: count(ones, ({ citations }) => citations.some(({ finding }) => finding === 'verified')),
    withoutQuote: count(ones, ({ citations }) => citations.every(({ quote }) => quote === null)),
    quotes: {
      ...{ verified: of('verified'), close: of('close'), 'numbers-differ': of('numbers-differ') },
      ...{ 'other-page': of('other-page'), 'not-found': of('not-found'), unchecked: of('unchecked') },
    },
  };
}

// --- looks

async function lookAt(
  engine: Pick<Engine, 'generate'>,
  question: KnownQuestion,
  picture: NonNullable<EvaluateOptions['picture']>,
  signal: AbortSignal | undefined,
): Promise<{ whole: Timed; halves: Timed }> {
  const look = async (part: PagePart): Promise<Timed> => {
    const image = await picture(question.page, part);
    const start = performance.now();
    const messages = about(image, `Answer in a few words from this page. If it does not say, write: not here.\n\n${question.asked}`);
    const reply = await engine.generate({ messages, maxTokens: lookTokens, sampling: { temperature: 0 } }, { signal });
    if (reply.finish === 'cancelled') throw stopped();
    return { right: isRight(reply.text, question), seconds: secondsSince(start) };
  };
  const whole = await look('whole');
  const [top, bottom] = [await look('top'), await look('bottom')];
  return { whole, halves: { right: top.right || bottom.right, seconds: top.seconds + bottom.seconds } };
}

function looksOf(ones: readonly { whole: Timed; halves: Timed; question: KnownQuestion }[]): NonNullable<Evaluation['looks']> {
  const sizes = [...new Set(ones.map(({ question }) => question.points))].sort((one, other) => other - one);
  return sizes.map((points) => {
    const those = ones.filter(({ question }) => question.points === points);
    return { points, whole: rateOf(those.map(({ whole }) => whole)), halves: rateOf(those.map(({ halves }) => halves)) };
  });
}

// --- Yes and No

/** `seconds`: of a page. */
async function sayYes(
  engine: Pick<Engine, 'score'>,
  question: KnownQuestion,
  picture: NonNullable<EvaluateOptions['picture']>,
  { pageCount, signal }: EvaluateOptions,
): Promise<Timed> {
  const pages = Array.from({ length: others + 1 }, (_, at) => ((question.page - 1 + at * 7) % pageCount) + 1);
  const start = performance.now();
  const odds: number[] = [];
  for (const page of pages) {
    const messages = about(await picture(page, 'whole'), `Does this page answer the question? Say Yes or No.\n\n${question.asked}`);
    const [yes, no] = await engine.score({ messages, texts: ['Yes', 'No'], beginnings: true }, { signal });
    odds.push(yes!.logProbabilities[0]! - no!.logProbabilities[0]!);
  }
  const [own, ...rest] = odds;
  return { right: rest.every((other) => own! > other), seconds: secondsSince(start) / pages.length };
}

function about(image: ImageSource, text: string): ChatMessage[] {
  return [
    {
      role: 'user',
      content: [
        { type: 'image', image },
        { type: 'text', text },
      ],
    },
  ];
}

function stopped(): LoupeError {
  return new LoupeError('cancelled', 'The evaluation was stopped.');
}
