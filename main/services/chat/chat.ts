/**
 * Questions and their answers. An answer is stored before its first word, at least every second
 * while it streams, and when it ends, however it ends; the window is told at the same time.
 *
 * Answers are written one at a time, in the order in which they were asked for. One that the
 * engine lost goes on from its last word, at most twice.
 */
import {
  isVerdict,
  type CheckState,
  type Conversation,
  type EventMessage,
  type Input,
  type Judgement,
  type Message,
  type Output,
  type TurnState,
  type TurnStatistics,
  type Verdict,
} from '../../contract.ts';
import type { EngineService } from '../engine-service.ts';
import { LoupeError, toLoupeError, type Failure } from '../../errors.ts';
import { guardMessages, parseVerdict, verdictTokens, withoutVerdicts } from '../guard/verdict.ts';
import type { ChatMessage, Engine, FinishedAnswer, GenerateReply, Stage, Store } from '../ports.ts';
import { fitPrompt, roomForAnswer, type PromptParts } from './prompt-window.ts';

export interface ChatOptions {
  store: Store;
  engine: EngineService;
  emit: (event: EventMessage) => void;
  /** Between two checkpoints of an answer that is being written, at most. */
  checkpointMs?: number;
  /** Between two tries to store an answer that the disk had no room for. */
  retryMs?: number;
}

export interface Chat {
  send(input: Input<'chat.send'>): Output<'chat.send'>;
  regenerate(messageId: number): Message;
  goOn(messageId: number): Message;
  stop(messageId: number): void;
  stopConversation(conversationId: number): void;
  measure(input: Input<'chat.measure'>): Promise<Output<'chat.measure'>>;
  /** An answer of this conversation, or any, is waiting or being written. */
  isBusy(conversationId?: number): boolean;
  /** With what is being written as far as it is, not as it was stored last. */
  live(conversation: Conversation): Conversation;
  /** Before another store takes the place of this one: nothing that is still going on may reach that. */
  forget(): void;
  /** Answers that are being written are stored as interrupted. */
  close(): void;
}

/** An answer that is waiting or being written. */
interface Job {
  readonly answer: Message;
  readonly abort: AbortController;
  text: string;
  savedLength: number;
  timer: NodeJS.Timeout | null;
  /** Who writes it; null before its turn. */
  model: string | null;
  /** Stored as it ended; what the engine still says of it is not heard. */
  ended: boolean;
}

/** Waits for its guard, is at it, or has failed since Loupe started. */
interface Check {
  readonly state: CheckState;
  readonly abort: AbortController;
}

interface Ending {
  state: Message['state'];
  finish: Message['finish'];
  failure: Failure | null;
  statistics: TurnStatistics | null;
  judgement?: Judgement;
}

const phases = { encode: 'looking', prefill: 'reading', decode: 'writing' } as const satisfies Record<Stage, TurnState['phase']>;
const titleLength = 60;
const resumesPerAnswer = 2;

export function createChat({ store, engine, emit, checkpointMs = 400, retryMs = 3000 }: ChatOptions): Chat {
  const jobs = new Map<number, Job>();
  /** By message. */
  const checks = new Map<number, Check>();
  const closed = new AbortController();
  /** By message. */
  const unstored = new Map<number, FinishedAnswer>();
  let retry: NodeJS.Timeout | null = null;

  const isBusy = (conversationId?: number): boolean =>
    [...jobs.values()].some(({ answer }) => conversationId === undefined || answer.conversationId === conversationId);

  function tellConversation(id: number): void {
    emit({ event: 'conversation.changed', payload: { ...store.conversations.summary(id), busy: isBusy(id) } });
  }

  function tellState({ answer: { id, conversationId } }: Job, phase: TurnState['phase'], done = 0, total = 0): void {
    emit({ event: 'answer.state', payload: { messageId: id, conversationId, phase, done, total } });
  }

  const answerer = (): string | null => engine.chosen()?.model?.name ?? null;

  // --- one answer

  function begin(answer: Message): Message {
    const job: Job = {
      answer,
      abort: new AbortController(),
      text: answer.text,
      savedLength: answer.text.length,
      timer: null,
      model: null,
      ended: false,
    };
    jobs.set(answer.id, job);
    emit({ event: 'message.changed', payload: answer });
    tellConversation(answer.conversationId);
    tellState(job, 'waiting');
    void write(job);
    return answer;
  }

  async function write(job: Job): Promise<void> {
    try {
      /** Until it goes on. */
      let lostEngine = false;
      for (let resumed = 0; ; resumed++) {
        const waitingFor = (): TurnState['phase'] => {
          if (lostEngine) return 'restarting';
          return engine.state().status === 'ready' ? 'waiting' : 'loading';
        };
        try {
          end(
            job,
            await engine.use(
              job.abort.signal,
              (port) => generate(job, port),
              () => tellState(job, waitingFor()),
            ),
          );
          return;
        } catch (thrown) {
          const { code } = toLoupeError(thrown);
          // Loaded again, more of the model lies outside the device; a load that found no room at all would find none again.
          const full = code === 'device_out_of_memory' && engine.state().status === 'ready';
          const lost = code === 'engine_crashed' || code === 'device_lost' || full;
          if (!lost || resumed === resumesPerAnswer || job.ended) throw thrown;
          lostEngine = !full;
        }
      }
    } catch (thrown) {
      const error = toLoupeError(thrown);
      end(
        job,
        error.code === 'cancelled' ? stoppedEnding : { state: 'failed', finish: null, failure: error.toFailure(), statistics: null },
      );
    }
  }

  async function generate(job: Job, port: Engine): Promise<Ending> {
    const { conversationId, parentId } = job.answer;
    const settings = store.settings();
    const { contextLength, use, model } = engine.state();
    job.model = model!.name;
    tellState(job, 'preparing');
    const question = withoutVerdicts(store.conversations.path(parentId!));
    const judges = use === 'guard';
    const maxTokens = judges ? verdictTokens : settings.maxTokens;
    // Of verdicts the likeliest counts.
    const sampling = judges ? { temperature: 0 } : { temperature: settings.temperature ?? undefined, topP: settings.topP ?? undefined };
    const window = await fitPrompt(
      promptParts(question, conversationId, store.conversations.message(parentId!).pictures.length > 0),
      { contextLength: contextLength!, answer: roomForAnswer(maxTokens, contextLength!) },
      (messages) => port.countTokens({ messages: asUsed(messages), answerSoFar: job.text }, { signal: job.abort.signal }),
    );
    let phase: Stage | null = null;
    const reply = await port.generate(
      { messages: asUsed(window.messages), answerSoFar: job.text, maxTokens, sampling },
      {
        signal: job.abort.signal,
        onText: (text) => append(job, text),
        onStage: (stage, done, total) => {
          // Every token is news by itself.
          if (stage !== 'decode' || phase !== 'decode') tellState(job, phases[stage], done, total);
          phase = stage;
        },
      },
    );
    const statistics = {
      ...reply.statistics,
      tokensPerSecond: tokensPerSecond(reply),
      contextLength: contextLength!,
      forgottenMessages: window.forgottenMessages,
    };
    const ending: Ending = {
      state: reply.finish === 'cancelled' ? 'stopped' : 'complete',
      finish: reply.finish,
      failure: null,
      statistics,
    };
    if (!judges || ending.state !== 'complete') return ending;
    return {
      ...ending,
      judgement: { by: job.model, question: parseVerdict(job.text), answer: null, ms: statistics.firstTokenMs + statistics.decodeMs },
    };
  }

  function append(job: Job, text: string): void {
    if (job.ended) return;
    const { id, conversationId } = job.answer;
    emit({ event: 'answer.text', payload: { messageId: id, conversationId, offset: job.text.length, text } });
    job.text += text;
    job.timer ??= setTimeout(() => checkpoint(job), checkpointMs);
  }

  function checkpoint(job: Job): void {
    job.timer = null;
    if (job.ended || job.text.length === job.savedLength) return;
    try {
      store.conversations.checkpoint(job.answer.id, job.text);
      job.savedLength = job.text.length;
    } catch {
      // A full disk does not silence the answer: it is stored when it ends, or said then.
      job.timer = setTimeout(() => checkpoint(job), checkpointMs);
    }
  }

  function end(job: Job, { state, finish, failure, statistics, judgement }: Ending): void {
    if (job.ended) return;
    job.ended = true;
    if (job.timer) clearTimeout(job.timer);
    jobs.delete(job.answer.id);
    const stored: FinishedAnswer = {
      text: job.text,
      state,
      finish,
      failure,
      statistics,
      model: job.model ?? answerer(),
      ...(judgement && { judgement }),
    };
    try {
      const answer = store.conversations.update(job.answer.id, stored);
      emit({ event: 'message.changed', payload: answer });
      tellConversation(job.answer.conversationId);
      void check(answer);
    } catch (thrown) {
      const error = toLoupeError(thrown);
      // Deleted meanwhile: nobody looks at it any more.
      if (error.code === 'not_found') return;
      emit({
        event: 'message.changed',
        payload: { ...job.answer, ...stored, judgement: null, state: 'failed', failure: error.toFailure() },
      });
      tellConversation(job.answer.conversationId);
      unstored.set(job.answer.id, stored);
      retry ??= setInterval(storeLate, retryMs).unref();
    }
  }

  /** Answers that found the disk full, once there is room. */
  function storeLate(): void {
    for (const [id, stored] of unstored) {
      try {
        // It was asked for again meanwhile: the new attempt is what counts.
        if (!jobs.has(id)) {
          const answer = store.conversations.update(id, stored);
          emit({ event: 'message.changed', payload: answer });
          void check(answer);
        }
      } catch (thrown) {
        if (toLoupeError(thrown).code !== 'not_found') return;
      }
      unstored.delete(id);
    }
    clearInterval(retry ?? undefined);
    retry = null;
  }

  // --- what a guard says of an answer

  function tellCheck(
    { id: messageId, conversationId }: Message,
    abort: AbortController,
    phase: CheckState['phase'],
    failure: Failure | null = null,
  ): void {
    const state = { messageId, conversationId, phase, failure };
    checks.set(messageId, { state, abort });
    emit({ event: 'answer.check', payload: state });
  }

  /**
   * Where the settings name a guard. One model is loaded at a time: the guard comes when the engine is free, judges the
   * question and then the answer, and makes room for the chosen model again.
   */
  async function check(answer: Message): Promise<void> {
    const { guard, model: chosen } = store.settings();
    if (guard === null || guard === chosen || isVerdict(answer) || answer.state !== 'complete' || answer.text === '') return;
    const abort = new AbortController();
    const began = performance.now();
    try {
      tellCheck(answer, abort, 'waiting');
      const judgement = await engine
        .use(
          abort.signal,
          (port) => judge(answer, port, abort, began),
          () => {},
          guard,
        )
        .finally(() => checks.delete(answer.id));
      emit({ event: 'message.changed', payload: store.conversations.judge(answer.id, judgement) });
    } catch (thrown) {
      const error = guardGone(toLoupeError(thrown));
      // Deleted or closed meanwhile: nobody waits for it.
      if (error.code !== 'not_found' && error.code !== 'cancelled') tellCheck(answer, abort, 'failed', error.toFailure());
    } finally {
      if (!closed.signal.aborted) void engine.follow();
    }
  }

  /** It is not the chosen model that is missing. */
  function guardGone(error: LoupeError): LoupeError {
    if (error.code !== 'model_missing') return error;
    return new LoupeError(
      'model_missing',
      'The Llama Guard that checks answers is gone.',
      'Connect the drive that it is on, or choose another one in Settings > Answers.',
    );
  }

  async function judge(answer: Message, port: Engine, abort: AbortController, began: number): Promise<Judgement> {
    const { model, use, contextLength } = engine.state();
    if (use !== 'guard')
      throw new LoupeError(
        'checkpoint_unsupported',
        `${model!.name} has not the prompt format of Llama Guard, so it cannot judge.`,
        'Choose another guard in the settings.',
      );
    tellCheck(answer, abort, 'judging');
    const path = withoutVerdicts(store.conversations.path(answer.id));
    const verdictOn = async (last: 'question' | 'answer'): Promise<Verdict> => {
      const window = await fitPrompt(
        promptParts(last === 'question' ? path.slice(0, -1) : path, answer.conversationId),
        { contextLength: contextLength!, answer: verdictTokens },
        (messages) => port.countTokens({ messages: asUsed(messages) }, { signal: abort.signal }),
      );
      const { text, finish } = await port.generate(
        { messages: asUsed(window.messages), maxTokens: verdictTokens, sampling: { temperature: 0 } },
        { signal: abort.signal },
      );
      if (finish === 'cancelled') throw new LoupeError('cancelled', 'The check was cancelled.');
      return parseVerdict(text);
    };
    const question = await verdictOn('question');
    return { by: model!.name, question, answer: await verdictOn('answer'), ms: performance.now() - began };
  }

  // --- prompts

  /** Instructions are for models that chat: a base model would go on writing them, a guard would judge them. */
  function asUsed(messages: ChatMessage[]): ChatMessage[] {
    const { use } = engine.state();
    if (use === 'guard') return guardMessages(messages);
    return use === 'complete' ? messages.filter(({ role }) => role !== 'system') : messages;
  }

  /** `attached`: the question came with a picture itself. */
  function promptParts(path: Message[], conversationId: number | null, attached = (path.at(-1)?.pictures.length ?? 0) > 0): PromptParts {
    const pinned = conversationId === null ? null : store.conversations.pinnedPicture(conversationId);
    const sees = engine.state().vision !== null;
    if (!sees && attached) {
      throw new LoupeError(
        'image_unseen',
        `${engine.state().model?.name ?? 'This model'} reads text only; it cannot see the picture.`,
        'Choose a vision model in the settings, or ask without a picture.',
      );
    }
    return { systemPrompt: store.settings().systemPrompt, path, pinned, sees, pathOf: (hash) => store.pictures.original(hash).path };
  }

  /** The message that a question follows: the last answer, once it is written. */
  function parentOf(conversationId: number, parentId: number | null): number | null {
    if (parentId === null) return null;
    const parent = store.conversations.message(parentId);
    if (parent.conversationId !== conversationId || parent.role !== 'assistant') {
      throw new LoupeError('not_found', 'The answer that this question follows is not in this conversation.');
    }
    if (jobs.has(parentId)) throw new LoupeError('engine_busy', 'The answer before this question is still being written.');
    return parentId;
  }

  function answerTo(questionId: number, conversationId: number): Message {
    return begin(
      store.conversations.append({
        conversationId,
        parentId: questionId,
        role: 'assistant',
        text: '',
        pictures: [],
        state: 'streaming',
        model: answerer(),
      }),
    );
  }

  /** An answer that can be followed by another attempt. */
  function idleAnswer(messageId: number): Message {
    storeLate();
    const message = store.conversations.message(messageId);
    if (message.role !== 'assistant') throw new LoupeError('not_found', 'This message is a question, not an answer.', 'Choose an answer.');
    if (jobs.has(messageId)) throw new LoupeError('engine_busy', 'This answer is still being written.');
    return message;
  }

  function halt(job: Job): void {
    job.abort.abort();
    end(job, stoppedEnding);
  }

  function interruptAll(): void {
    for (const { abort } of checks.values()) abort.abort();
    for (const job of [...jobs.values()]) {
      job.abort.abort();
      end(job, { ...stoppedEnding, state: 'interrupted' });
    }
  }

  return {
    send({ conversationId, parentId, text, pictures }) {
      storeLate();
      const parent = conversationId === null ? null : parentOf(conversationId, parentId);
      for (const hash of pictures) store.pictures.get(hash);
      const id = conversationId ?? store.conversations.create(titleOf(text)).id;
      const question = store.conversations.append({
        conversationId: id,
        parentId: parent,
        role: 'user',
        text,
        pictures,
        state: 'complete',
        model: null,
      });
      emit({ event: 'message.changed', payload: question });
      const answer = answerTo(question.id, id);
      return { conversation: { ...store.conversations.summary(id), busy: true }, question, answer };
    },
    regenerate(messageId) {
      const { parentId, conversationId } = idleAnswer(messageId);
      return answerTo(parentId!, conversationId);
    },
    goOn(messageId) {
      const { text, state, finish } = idleAnswer(messageId);
      if (state === 'complete' && finish === 'stop') throw new LoupeError('usage', 'This answer is complete.', 'Ask a follow-up question.');
      // The whole of it is judged when it is there.
      checks.get(messageId)?.abort.abort();
      return begin(
        store.conversations.update(messageId, {
          text,
          state: 'streaming',
          failure: null,
          finish: null,
          model: answerer(),
          statistics: null,
        }),
      );
    },
    stop(messageId) {
      const job = jobs.get(messageId);
      if (job) halt(job);
    },
    stopConversation(conversationId) {
      for (const job of [...jobs.values()]) if (job.answer.conversationId === conversationId) halt(job);
      for (const { state, abort } of checks.values()) if (state.conversationId === conversationId) abort.abort();
    },
    async measure({ conversationId, parentId, text, pictures }) {
      const { contextLength = null, status } = engine.chosen() ?? {};
      if (status !== 'ready' || contextLength === null) return null;
      const before = withoutVerdicts(parentId === null ? [] : store.conversations.path(parentId));
      const question: Message = { ...blankQuestion, conversationId: conversationId ?? 1, text };
      const answer = roomForAnswer(store.settings().maxTokens, contextLength);
      // Counting takes no turn: it does not touch the model, and an answer may be being written.
      const count = (messages: ChatMessage[]): Promise<number> => engine.countTokens(asUsed(messages), closed.signal);
      const parts = promptParts([...before, question], conversationId);
      const { promptTokens, forgottenMessages } = await fitPrompt(parts, { contextLength, answer }, count);
      return { promptTokens: promptTokens + Math.min(pictures, 1), contextLength, forgottenMessages };
    },
    isBusy,
    live: (conversation) => ({
      ...conversation,
      busy: isBusy(conversation.id),
      checks: [...checks.values()].flatMap(({ state }) => (state.conversationId === conversation.id ? [state] : [])),
      messages: conversation.messages.map((message) => {
        const late = unstored.get(message.id);
        if (late && !jobs.has(message.id)) return { ...message, ...late, judgement: null };
        return { ...message, text: jobs.get(message.id)?.text ?? message.text };
      }),
    }),
    forget() {
      interruptAll();
      unstored.clear();
      clearInterval(retry ?? undefined);
      retry = null;
    },
    close() {
      closed.abort();
      interruptAll();
      storeLate();
      clearInterval(retry ?? undefined);
    },
  };
}

const stoppedEnding: Ending = { state: 'stopped', finish: 'cancelled', failure: null, statistics: null };

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
  createdAt: 0,
};

/** The question's first line, cut at a word. */
export function titleOf(question: string): string {
  const line = question.trim().split('\n')[0]!.replaceAll(/\s+/g, ' ').trim();
  if (line.length <= titleLength) return line;
  const cut = line.slice(0, titleLength);
  const word = cut.lastIndexOf(' ');
  return `${cut.slice(0, word > titleLength / 2 ? word : titleLength).toWellFormed()}…`;
}

/** From the first token to the last; null where fewer than two leave nothing to measure. */
function tokensPerSecond({ statistics: { generatedTokens, decodeMs } }: GenerateReply): number | null {
  return generatedTokens > 1 && decodeMs > 0 ? ((generatedTokens - 1) * 1000) / decodeMs : null;
}
