/**
 * Questions and their answers. An answer is stored before its first word, at least every second
 * while it streams, and when it ends, however it ends; the window is notified at the same time.
 *
 * Answers are written one at a time, in the order in which they were asked for; those of servers beside them.
 */
import type { Conversation, EventMessage, Input, Message, Output } from '../../contract.ts';
import { LoupeError, toLoupeError } from '../../errors.ts';
import { createDocumentQuestions, type DocumentQuestionsOptions } from '../documents/questions.ts';
import { roomForAnswer } from '../answer-room.ts';
import type { EngineService } from '../engine-service.ts';
import { withoutVerdicts } from '../guard/verdict.ts';
import type { FinishedAnswer, Store } from '../ports.ts';
import { AnswerJob } from './answer-job.ts';
import { createGuardChecks } from './guard-check.ts';
import { measurePrompt, type ChoosePrompt } from './prompt-window.ts';
import { promptParts, promptsForUse } from './question.ts';
import { createTextHints, type TextHintOptions } from './text-hint.ts';
import { createUnstoredAnswers } from './unstored-answers.ts';

export interface ChatOptions {
  store: Store;
  engine: EngineService;
  /** A page of a document as a picture, so many pixels wide. */
  showPage: DocumentQuestionsOptions['show'];
  wordVectors?: DocumentQuestionsOptions['wordVectors'];
  /** The text of a picture, for a model that is to get it. Absent: no model gets any. */
  readText?: TextHintOptions['read'];
  onFault?: TextHintOptions['onFault'];
  emit: (event: EventMessage) => void;
  /** Called with each answer once it is stored as it ended. */
  onAnswer?: (answer: Message) => void;
  /** Between two checkpoints of an answer that is being written, at most. */
  checkpointMs?: number;
  /** Whether a person agreed that the server behind this choice gets pages of documents. Absent: there are no servers. */
  mayHaveDocuments?: (id: string) => boolean;
  /** The name of the model behind a choice; throws `model_missing`. Absent: nothing is compared. */
  nameOf?: (id: string) => string;
  /** Between two tries to store an answer that the disk had no room for. */
  retryMs?: number;
}

export interface Chat {
  send(input: Input<'chat.send'>): Output<'chat.send'>;
  /** Asks several models. Throws `model_missing` before anything is stored. */
  compare(input: Input<'chat.compare'>): Output<'chat.compare'>;
  regenerate(messageId: number): Message;
  /** Extends an answer from its last word. Throws `usage` where it is complete. */
  continue(messageId: number): Message;
  stop(messageId: number): void;
  stopConversation(conversationId: number): void;
  measure(input: Input<'chat.measure'>): Promise<Output<'chat.measure'>>;
  /** An answer of this conversation, or any, is waiting or being written. */
  isBusy(conversationId?: number): boolean;
  /** The conversation with its answers as they are now, not as they were stored last. */
  live(conversation: Conversation): Conversation;
  /** Checks the citations of answers that an earlier process left. */
  checkRest(): void;
  /** Answers that are being written are stored as interrupted: the store is about to be closed for a while. */
  interrupt(): void;
  /** Ends all that is being written. To be called before another store takes the place of this one, which nothing of it may reach. */
  forget(): void;
  /** Answers that are being written are stored as interrupted. */
  close(): void;
}

const titleLength = 60;
/** What is known of an answer that is not stored. */
const notJudged = { judgement: null, differences: [] };

export function createChat({
  store,
  engine,
  showPage,
  wordVectors,
  readText = async () => [],
  onFault,
  emit,
  onAnswer = () => {},
  mayHaveDocuments = () => false,
  nameOf = (id) => id,
  checkpointMs = 400,
  retryMs = 3000,
}: ChatOptions): Chat {
  const questions = createDocumentQuestions({ store, show: showPage, wordVectors });
  const hints = createTextHints({ settings: () => store.settings(), read: readText, onFault });
  /** Answers that are waiting or being written, by message. */
  const jobs = new Map<number, AnswerJob>();
  const closed = new AbortController();
  const checks = createGuardChecks({ store, engine, emit, closed: closed.signal });
  const unstored = createUnstoredAnswers({ store, isBeingWritten: (id) => jobs.has(id), onStored: announce, retryMs });

  const isBusy = (conversationId?: number): boolean =>
    [...jobs.values()].some(({ answer }) => conversationId === undefined || answer.conversationId === conversationId);

  const answerer = (): string | null => engine.chosen()?.model?.name ?? null;

  function emitConversation(id: number): void {
    emit({ event: 'conversation.changed', payload: { ...store.conversations.summary(id), busy: isBusy(id) } });
  }

  function announce(answer: Message): void {
    emit({ event: 'message.changed', payload: answer });
    onAnswer(answer);
    void checks.check(answer);
  }

  function begin(answer: Message): Message {
    const { compared: asked } = answer;
    const job = new AnswerJob(answer, { store, engine, questions, hints, emit, asked, mayHaveDocuments, checkpointMs, onEnd: finish });
    jobs.set(answer.id, job);
    emit({ event: 'message.changed', payload: answer });
    emitConversation(answer.conversationId);
    void job.run();
    return answer;
  }

  function finish({ answer }: AnswerJob, ended: FinishedAnswer): void {
    jobs.delete(answer.id);
    // The chosen model comes back, as for the next question.
    if (answer.compared !== undefined && !isBusy()) void engine.follow();
    const citations = questions.check(answer.id, ended.text);
    const finished = citations ? { ...ended, citations } : ended;
    try {
      const stored = store.conversations.update(answer.id, finished);
      emit({ event: 'message.changed', payload: stored });
      emitConversation(answer.conversationId);
      onAnswer(stored);
      void checks.check(stored);
    } catch (thrown) {
      const error = toLoupeError(thrown);
      // Deleted meanwhile: nobody looks at it any more.
      if (error.code === 'not_found') return;
      const failed: Message = { ...answer, ...finished, ...notJudged, state: 'failed', failure: error.toFailure() };
      emit({ event: 'message.changed', payload: failed });
      emitConversation(answer.conversationId);
      unstored.keep(answer.id, finished);
    }
  }

  /** `compared`: by this model, beside others. */
  function answerTo(parentId: number, conversationId: number, compared: string | null = null): Message {
    const fresh = { role: 'assistant', text: '', state: 'streaming' } as const;
    const model = compared === null ? answerer() : nameOf(compared);
    return begin(store.conversations.append({ conversationId, parentId, ...fresh, pictures: [], model, compared }));
  }

  /** An answer that can be followed by another attempt. */
  function idleAnswer(messageId: number): Message {
    unstored.store();
    const message = store.conversations.message(messageId);
    if (message.role !== 'assistant') throw new LoupeError('not_found', 'This message is a question, not an answer.', 'Choose an answer.');
    if (jobs.has(messageId)) throw new LoupeError('engine_busy', 'This answer is still being written.');
    return message;
  }

  function interruptAll(): void {
    checks.stopAll();
    for (const job of [...jobs.values()]) job.halt('interrupted');
  }

  return {
    send(input) {
      unstored.store();
      if (input.scope) questions.refuse(input.scope);
      const question = storeQuestion(store, input, (id) => jobs.has(id));
      emit({ event: 'message.changed', payload: question });
      const answer = answerTo(question.id, question.conversationId);
      return { conversation: { ...store.conversations.summary(question.conversationId), busy: true }, question, answer };
    },
    compare({ models, ...asked }) {
      unstored.store();
      for (const id of models) nameOf(id);
      const question = storeQuestion(store, { ...asked, scope: null }, (id) => jobs.has(id));
      emit({ event: 'message.changed', payload: question });
      const { id, conversationId } = question;
      const answers = models.map((model) => answerTo(id, conversationId, model));
      // What is asked next goes on from the first, unless somebody chooses another.
      store.conversations.selectBranch(answers[0]!.id);
      return { conversation: { ...store.conversations.summary(conversationId), busy: true }, question, answers };
    },
    regenerate(messageId) {
      const { parentId, conversationId, compared } = idleAnswer(messageId);
      return answerTo(parentId!, conversationId, compared);
    },
    continue(messageId) {
      const { text, state, finish } = idleAnswer(messageId);
      if (state === 'complete' && finish === 'stop') throw new LoupeError('usage', 'This answer is complete.', 'Ask a follow-up question.');
      // The whole of it is judged once it is there.
      checks.stop(messageId);
      const fresh = { failure: null, finish: null, statistics: null };
      return begin(store.conversations.update(messageId, { text, state: 'streaming', model: answerer(), ...fresh }));
    },
    stop: (messageId) => jobs.get(messageId)?.halt('stopped'),
    stopConversation(conversationId) {
      for (const job of [...jobs.values()]) if (job.answer.conversationId === conversationId) job.halt('stopped');
      checks.stopConversation(conversationId);
    },
    measure: (input) => measure(store, engine, input, closed.signal),
    isBusy,
    live: (conversation) => ({
      ...conversation,
      busy: isBusy(conversation.id),
      checks: checks.of(conversation.id),
      messages: conversation.messages.map((message) => asItIsNow(message, jobs.get(message.id), unstored.get(message.id))),
    }),
    checkRest: questions.checkRest,
    interrupt() {
      interruptAll();
      unstored.store();
    },
    forget() {
      interruptAll();
      unstored.forget();
    },
    close() {
      closed.abort();
      interruptAll();
      unstored.store();
      unstored.close();
    },
  };
}

function asItIsNow(message: Message, job: AnswerJob | undefined, finished: FinishedAnswer | undefined): Message {
  if (job) return { ...message, text: job.text };
  return finished ? { ...message, ...finished, ...notJudged } : message;
}

/** In a conversation of its own where it names none. Throws before anything is stored where its parent or a picture is missing. */
function storeQuestion(
  store: Store,
  { conversationId, parentId, text, pictures, scope }: Input<'chat.send'>,
  isBeingWritten: (messageId: number) => boolean,
): Message {
  const parent = conversationId === null ? null : parentOf(store, conversationId, parentId, isBeingWritten);
  for (const hash of pictures) store.picturesOf(conversationId).get(hash);
  return store.conversations.append({
    conversationId: conversationId ?? store.conversations.create(titleOf(text)).id,
    parentId: parent,
    role: 'user',
    text,
    pictures,
    state: 'complete',
    model: null,
    scope,
  });
}

/** The message that a question follows: the last answer, once it is written. */
function parentOf(
  store: Store,
  conversationId: number,
  parentId: number | null,
  isBeingWritten: (messageId: number) => boolean,
): number | null {
  if (parentId === null) return null;
  const parent = store.conversations.message(parentId);
  if (parent.conversationId !== conversationId || parent.role !== 'assistant') {
    throw new LoupeError('not_found', 'The answer that this question follows is not in this conversation.');
  }
  if (isBeingWritten(parentId)) throw new LoupeError('engine_busy', 'The answer before this question is still being written.');
  return parentId;
}

/** How full the context would be with this question; null while no model is loaded. */
async function measure(
  store: Store,
  engine: EngineService,
  { conversationId, parentId, text, pictures }: Input<'chat.measure'>,
  signal: AbortSignal,
): Promise<Output<'chat.measure'>> {
  const { contextLength = null, status, model } = engine.chosen() ?? {};
  // Only the server could count.
  if (model?.server) return null;
  if (status !== 'ready' || contextLength === null) return null;
  const before = withoutVerdicts(parentId === null ? [] : store.conversations.path(parentId));
  const question: Message = { ...blankQuestion, conversationId: conversationId ?? 1, text };
  const answer = roomForAnswer(store.settings().maxTokens, contextLength);
  // Counting takes no turn: it does not touch the model, and an answer may be being written.
  const choose: ChoosePrompt = (prompts, most) => engine.countTokens({ ...promptsForUse(prompts, engine.state().use), most }, signal);
  const parts = promptParts(store, engine.state(), { path: [...before, question], conversationId });
  const { promptTokens, forgottenMessages, fits } = await measurePrompt(parts, { contextLength, answer }, choose);
  return { promptTokens: promptTokens + Math.min(pictures, 1), contextLength, forgottenMessages, fits };
}

const blankQuestion: Message = {
  id: 1,
  conversationId: 1,
  parentId: null,
  role: 'user',
  text: '',
  pictures: [],
  state: 'complete',
  failure: null,
  finish: null,
  model: null,
  statistics: null,
  judgement: null,
  scope: null,
  coverage: null,
  citations: [],
  differences: [],
  createdAt: 0,
};

/** Marks at the start of a line, a fence among them, and in pairs around words. A star or an underscore between words stays. */
function withoutMarks(line: string): string {
  return line
    .replace(/^\s*(?:(?:>|#{1,6}|[-*+]|```\S*|~~~\S*|\||\$\$)(?:\s+|$))+/, '')
    .replaceAll(/(\*\*|__|~~|`)(\S(?:[^*_~`]*\S)?)\1/g, '$2')
    .replaceAll(/!?\[([^\]]*)\]\([^)\s]*\)/g, '$1');
}

/** The question's first line without the marks of Markdown, cut at a word. */
export function titleOf(question: string): string {
  const lines = question.split('\n', 50).map((text) => withoutMarks(text.slice(0, 1_000)).replaceAll(/\s+/g, ' ').trim());
  const line = lines.find((text) => text !== '') ?? question.trim().split('\n')[0]!;
  if (line.length <= titleLength) return line;
  const cut = line.slice(0, titleLength);
  const word = cut.lastIndexOf(' ');
  return `${cut.slice(0, word > titleLength / 2 ? word : titleLength).toWellFormed()}…`;
}
