/** One answer, from the moment it is asked for until it is stored, however it ends. */
import type { EngineState, EventMessage, Judgement, Message, TurnState, TurnStatistics } from '../../contract.ts';
import { toLoupeError, type Failure } from '../../errors.ts';
import type { DocumentQuestions } from '../documents/questions.ts';
import { roomForAnswer } from '../answer-room.ts';
import { isEngineLost, resumesPerAnswer, type EngineService } from '../engine-service.ts';
import { parseVerdict, verdictTokens, withoutVerdicts } from '../guard/verdict.ts';
import type { AnsweringEngine, FinishedAnswer, GenerateReply, AnswerStage, Store } from '../ports.ts';
import { fitWithHint, pictureInForce, type PromptParts } from './prompt-window.ts';
import { messagesForUse, promptParts, promptsForUse, refuseDocuments, systemPromptOf } from './question.ts';
import type { TextHints } from './text-hint.ts';

export interface AnswerJobOptions {
  store: Store;
  engine: EngineService;
  questions: DocumentQuestions;
  hints: TextHints;
  emit: (event: EventMessage) => void;
  /** `id` of the model that is asked. Absent: the chosen one. */
  asked?: string | undefined;
  /** Whether a person agreed that the server behind this choice gets pages of documents. */
  mayHaveDocuments: (id: string) => boolean;
  /** The longest time between two checkpoints of the text. */
  checkpointMs: number;
  /** Called once, with what there is to store. */
  onEnd: (job: AnswerJob, answer: FinishedAnswer) => void;
}

interface Ending {
  state: Message['state'];
  finish: Message['finish'];
  failure: Failure | null;
  statistics: TurnStatistics | null;
  judgement?: Judgement;
}

const stoppedEnding: Ending = { state: 'stopped', finish: 'cancelled', failure: null, statistics: null };
const phases = { encode: 'looking', prefill: 'reading', decode: 'writing' } as const satisfies Record<AnswerStage, TurnState['phase']>;

/**
 * Waits for the engine, streams the answer, and stores a checkpoint of it while it grows. An answer that the engine lost
 * continues from its last word, at most twice. `run` never rejects.
 */
export class AnswerJob {
  readonly answer: Message;
  readonly #options: AnswerJobOptions;
  readonly #abort = new AbortController();
  #text: string;
  #savedLength: number;
  #timer: NodeJS.Timeout | null = null;
  /** Who writes it; null before its turn. */
  #model: string | null = null;
  /** Stored as it ended: what the engine still sends is ignored. */
  #ended = false;

  constructor(answer: Message, options: AnswerJobOptions) {
    this.answer = answer;
    this.#options = options;
    this.#text = answer.text;
    this.#savedLength = answer.text.length;
  }

  /** What has been written so far, which is more than was stored last. */
  get text(): string {
    return this.#text;
  }

  /** Ends at once, without waiting for the engine. */
  halt(state: 'stopped' | 'interrupted'): void {
    this.#abort.abort();
    this.#end({ ...stoppedEnding, state });
  }

  async run(): Promise<void> {
    this.#emitState('waiting');
    try {
      this.#end(await this.#generateOnSomeEngine());
    } catch (thrown) {
      const error = toLoupeError(thrown);
      const failed: Ending = { state: 'failed', finish: null, failure: error.toFailure(), statistics: null };
      this.#end(error.code === 'cancelled' ? stoppedEnding : failed);
    }
  }

  async #generateOnSomeEngine(): Promise<Ending> {
    const { engine, store, asked } = this.#options;
    /** Until it continues. */
    let lostEngine = false;
    /** Page by page: whoever asks something meanwhile goes first. */
    let onePage = false;
    let resumed = 0;
    for (;;) {
      const waitingFor = (): TurnState['phase'] => {
        if (lostEngine) return 'restarting';
        return engine.state().status === 'ready' ? 'waiting' : 'loading';
      };
      try {
        const onWait = (): void => void (onePage || this.#emitState(waitingFor()));
        const work = (port: AnsweringEngine, answers: EngineState): Promise<Ending | null> => {
          if (!onePage) this.#emitState('preparing');
          return this.#generate(port, answers);
        };
        const ending = await engine.use(this.#abort.signal, work, {
          onWait,
          givesWay: onePage,
          other: asked === store.settings().model ? undefined : asked,
        });
        if (ending) return ending;
        onePage = true;
        resumed = 0;
      } catch (thrown) {
        const { code } = toLoupeError(thrown);
        // Loaded again, more of the model lies outside the device; a load that found no room at all would find none again.
        const full = code === 'device_out_of_memory' && engine.state().status === 'ready';
        const lost = isEngineLost(code) || full;
        if (!lost || resumed === resumesPerAnswer || this.#ended) throw thrown;
        resumed++;
        lostEngine = !full;
        onePage = false;
      }
    }
  }

  /** Null: there are more pages to look at before the answer is written. */
  async #generate(port: AnsweringEngine, state: EngineState): Promise<Ending | null> {
    const { store, questions } = this.#options;
    const { signal } = this.#abort;
    const { id, conversationId, parentId } = this.answer;
    const settings = store.settings();
    const contextLength = state.contextLength!;
    this.#model = state.model!.name;
    const isGuard = state.use === 'guard';
    const maxTokens = isGuard ? verdictTokens : settings.maxTokens;
    // Of verdicts the likeliest counts.
    const sampling = isGuard ? { temperature: 0 } : { temperature: settings.temperature ?? undefined, topP: settings.topP ?? undefined };
    const path = store.conversations.path(parentId!);
    const question = path.at(-1)!;
    this.#leaves(state, path);
    const about = await questions.prompt(id, question, {
      ...{
        port,
        contextLength,
        maxTokens,
        signal,
        systemPrompt: systemPromptOf(store, conversationId),
        use: state.use,
        sees: state.vision !== null,
      },
      onLook: (answer) => this.#options.emit({ event: 'message.changed', payload: { ...answer, text: this.#text } }),
      onPage: (done, total) => this.#emitState('pages', done, total),
    });
    if (about === 'more-pages') return null;
    const parts = promptParts(store, state, {
      path: withoutVerdicts(path),
      conversationId,
      attached: question.pictures.length > 0,
      about,
    });
    const window = await fitWithHint(
      { ...parts, hint: about ? null : await this.#hint(parts, state) },
      { contextLength, answer: roomForAnswer(maxTokens, contextLength) },
      (prompts, most) => port.countTokens({ ...promptsForUse(prompts, state.use), most, answerSoFar: this.#text }, { signal }),
    );
    const reply = await port.generate(
      { messages: messagesForUse(window.messages, state.use), answerSoFar: this.#text, maxTokens, sampling },
      { signal, onText: (text) => this.#append(text), onStage: this.#stages(state.model!.server !== undefined) },
    );
    const statistics = {
      ...reply.statistics,
      tokensPerSecond: tokensPerSecond(reply),
      contextLength,
      forgottenMessages: window.forgottenMessages,
      ...(window.hinted && { hinted: true }),
    };
    const finished = reply.finish === 'cancelled' ? 'stopped' : 'complete';
    const ending: Ending = { state: finished, finish: reply.finish, failure: null, statistics };
    if (!isGuard || finished !== 'complete') return ending;
    const ms = statistics.firstTokenMs + statistics.decodeMs;
    return { ...ending, judgement: { by: this.#model, question: parseVerdict(this.#text), answer: null, ms } };
  }

  /** What goes to a server is marked before it goes. Throws `documents_stay`. */
  #leaves({ model }: EngineState, path: Message[]): void {
    const { store, emit, mayHaveDocuments } = this.#options;
    if (!model?.server) return;
    const { name, host, here } = model.server;
    if (!mayHaveDocuments(model.id)) refuseDocuments(path, model.server);
    const marked = store.conversations.saveServer(this.answer.id, { name, host, here });
    emit({ event: 'message.changed', payload: { ...marked, text: this.#text } });
  }

  async #hint(parts: PromptParts, engine: EngineState): Promise<string | null> {
    const { hints } = this.#options;
    const hash = pictureInForce(parts);
    if (hash === null) return null;
    const onReading = (): void => this.#emitState('text');
    return hints.of({ hash, engine, signal: this.#abort.signal, onReading });
  }

  #stages(away: boolean): (stage: AnswerStage, done: number, total: number) => void {
    let before: AnswerStage | null = null;
    return (stage, done, total) => {
      // Every token is news by itself.
      if (stage !== 'decode' || before !== 'decode') this.#emitState(away ? 'sent' : phases[stage], done, total);
      before = stage;
    };
  }

  #append(text: string): void {
    if (this.#ended) return;
    const { id, conversationId } = this.answer;
    this.#options.emit({ event: 'answer.text', payload: { messageId: id, conversationId, offset: this.#text.length, text } });
    this.#text += text;
    this.#checkpointLater();
  }

  #checkpointLater(): void {
    this.#timer ??= setTimeout(() => this.#checkpoint(), this.#options.checkpointMs);
  }

  #checkpoint(): void {
    this.#timer = null;
    if (this.#ended || this.#text.length === this.#savedLength) return;
    try {
      this.#options.store.conversations.checkpoint(this.answer.id, this.#text);
      this.#savedLength = this.#text.length;
    } catch {
      // A full disk does not silence the answer: it is stored when it ends, or reported then.
      this.#checkpointLater();
    }
  }

  #end({ state, finish, failure, statistics, judgement }: Ending): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#timer) clearTimeout(this.#timer);
    const { asked, engine } = this.#options;
    const model = this.#model ?? (asked === undefined ? (engine.chosen()?.model?.name ?? null) : this.answer.model);
    this.#options.onEnd(this, { text: this.#text, state, finish, failure, statistics, model, ...(judgement && { judgement }) });
  }

  #emitState(phase: TurnState['phase'], done = 0, total = 0): void {
    const { id, conversationId } = this.answer;
    this.#options.emit({ event: 'answer.state', payload: { messageId: id, conversationId, phase, done, total } });
  }
}

/** From the first token to the last; null where fewer than two leave nothing to measure. */
function tokensPerSecond({ statistics: { generatedTokens, decodeMs } }: GenerateReply): number | null {
  return generatedTokens > 1 && decodeMs > 0 ? ((generatedTokens - 1) * 1000) / decodeMs : null;
}
