/**
 * What a guard says of answers, where the settings name one. One model is loaded at a time: the guard comes when the
 * engine is free, judges the question and then the answer, and makes room for the chosen model again.
 */
import {
  isVerdict,
  type CheckState,
  type EngineState,
  type EventMessage,
  type Judgement,
  type Message,
  type Verdict,
} from '../../contract.ts';
import { LoupeError, toLoupeError, type Failure } from '../../errors.ts';
import type { EngineService } from '../engine-service.ts';
import { parseVerdict, verdictTokens, withoutVerdicts } from '../guard/verdict.ts';
import type { AnsweringEngine, Store } from '../ports.ts';
import { fitPrompt } from './prompt-window.ts';
import { messagesForUse, promptParts, promptsForUse } from './question.ts';

export interface GuardChecksOptions {
  store: Store;
  engine: EngineService;
  emit: (event: EventMessage) => void;
  /** Aborted when the app closes. */
  closed: AbortSignal;
}

export interface GuardChecks {
  /** Never rejects: `answer.check` and `message.changed` report what comes of it. */
  check(answer: Message): Promise<void>;
  /** Of answers that wait for the guard, or could not be checked since Loupe started. */
  of(conversationId: number): CheckState[];
  stop(messageId: number): void;
  stopConversation(conversationId: number): void;
  stopAll(): void;
}

interface Check {
  readonly state: CheckState;
  readonly abort: AbortController;
}

export function createGuardChecks({ store, engine, emit, closed }: GuardChecksOptions): GuardChecks {
  /** By message. */
  const checks = new Map<number, Check>();

  function setPhase(answer: Message, abort: AbortController, phase: CheckState['phase'], failure: Failure | null = null): void {
    const state = { messageId: answer.id, conversationId: answer.conversationId, phase, failure };
    checks.set(answer.id, { state, abort });
    emit({ event: 'answer.check', payload: state });
  }

  async function judge(answer: Message, port: AnsweringEngine, state: EngineState, signal: AbortSignal): Promise<Omit<Judgement, 'ms'>> {
    const { use, contextLength } = state;
    const path = withoutVerdicts(store.conversations.path(answer.id));
    const verdictOn = async (last: 'question' | 'answer'): Promise<Verdict> => {
      const window = await fitPrompt(
        promptParts(store, state, {
          path: last === 'question' ? path.slice(0, -1) : path,
          conversationId: answer.conversationId,
        }),
        { contextLength: contextLength!, answer: verdictTokens },
        (prompts, most) => port.countTokens({ ...promptsForUse(prompts, use), most }, { signal }),
      );
      const { text, finish } = await port.generate(
        { messages: messagesForUse(window.messages, use), maxTokens: verdictTokens, sampling: { temperature: 0 } },
        { signal },
      );
      if (finish === 'cancelled') throw new LoupeError('cancelled', 'The check was cancelled.');
      return parseVerdict(text);
    };
    const question = await verdictOn('question');
    return { by: state.model!.name, question, answer: await verdictOn('answer') };
  }

  return {
    async check(answer) {
      const { guard, model: chosen } = store.settings();
      if (guard === null || guard === chosen || isVerdict(answer) || answer.state !== 'complete' || answer.text === '') return;
      const abort = new AbortController();
      const began = performance.now();
      const work = async (port: AnsweringEngine, state: EngineState): Promise<Judgement> => {
        requireGuard(state);
        setPhase(answer, abort, 'judging');
        const judgement = await judge(answer, port, state, abort.signal);
        return { ...judgement, ms: performance.now() - began };
      };
      try {
        setPhase(answer, abort, 'waiting');
        const judgement = await engine
          .use(abort.signal, work, { other: guard, onlyHere: 'Answers are checked' })
          .finally(() => checks.delete(answer.id));
        emit({ event: 'message.changed', payload: store.conversations.judge(answer.id, judgement) });
      } catch (thrown) {
        const error = missingGuard(toLoupeError(thrown));
        // Deleted or closed meanwhile: nobody waits for it.
        if (error.code !== 'not_found' && error.code !== 'cancelled') setPhase(answer, abort, 'failed', error.toFailure());
      } finally {
        if (!closed.aborted) void engine.follow();
      }
    },
    of: (conversationId) => [...checks.values()].flatMap(({ state }) => (state.conversationId === conversationId ? [state] : [])),
    stop: (messageId) => checks.get(messageId)?.abort.abort(),
    stopConversation(conversationId) {
      for (const { state, abort } of checks.values()) if (state.conversationId === conversationId) abort.abort();
    },
    stopAll() {
      for (const { abort } of checks.values()) abort.abort();
    },
  };
}

function requireGuard({ use, model }: EngineState): void {
  if (use === 'guard') return;
  throw new LoupeError(
    'checkpoint_unsupported',
    `${model!.name} does not have the prompt format of Llama Guard, so it cannot judge answers.`,
    'Choose another guard in the settings.',
  );
}

/** It is the guard that is missing, not the chosen model. */
function missingGuard(error: LoupeError): LoupeError {
  if (error.code !== 'model_missing') return error;
  return new LoupeError(
    'model_missing',
    'The Llama Guard that checks answers is missing.',
    'Connect the drive that it is on, or choose another one in Settings > Answers.',
  );
}
