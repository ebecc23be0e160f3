import type {
  CheckState,
  Conversation,
  ConversationSummary,
  Draft,
  Message,
  Output,
  Payload,
  Picture,
  TurnState,
} from '../../main/contract.ts';
import type { Client } from '../api/client.ts';
import { withoutDocument } from './question-scope.ts';
import { AnswerStream, nextFrame, type Schedule } from './answer-stream.svelte.ts';

/** A question that was stored, and its answer, or several of a comparison. */
export type Sent = Output<'chat.send'> | Output<'chat.compare'>;

const answersOf = (sent: Sent): readonly Message[] => ('answers' in sent ? sent.answers : [sent.answer]);

export const noDraft: Draft = { text: '', pictures: [] };

/** Between two tries to fetch what was missed, ms. */
const fetchPause = 1_000;

/**
 * A conversation as it is shown: one branch of its tree, and answers as they grow. Follows the
 * app's events until `close`.
 */
export class OpenConversation {
  readonly id: number;
  /** Nothing of it is kept. */
  readonly isPrivate: boolean;
  readonly #client: Client;
  readonly #schedule: Schedule;
  readonly #stopListening: (() => void)[];
  #title = $state('');
  #pinned = $state(false);
  #instructions = $state('');
  #messages = $state.raw<ReadonlyMap<number, Message>>(new Map());
  #leafId = $state.raw<number | null>(null);
  #pinnedPicture = $state.raw<Picture | null>(null);
  #streams = $state.raw<ReadonlyMap<number, AnswerStream>>(new Map());
  #turns = $state.raw<ReadonlyMap<number, TurnState>>(new Map());
  #checks = $state.raw<ReadonlyMap<number, CheckState>>(new Map());
  #stopping = $state.raw<ReadonlySet<number>>(new Set());
  #lastFetch = 0;

  readonly #path = $derived(pathTo(this.#leafId, this.#messages));
  readonly #children = $derived(Map.groupBy(this.#messages.values(), (message) => message.parentId));
  readonly #lastPicture = $derived(this.#path.findLast((message) => message.pictures.length > 0)?.pictures.at(-1) ?? null);

  constructor(client: Client, conversation: Conversation, schedule: Schedule = nextFrame) {
    this.id = conversation.id;
    this.isPrivate = conversation.private === true;
    this.#client = client;
    this.#schedule = schedule;
    this.#take(conversation);
    this.#stopListening = [
      client.on('document.removed', ({ id }) => {
        this.#messages = new Map([...this.#messages].map(([key, message]) => [key, withoutDocument(message, id)]));
      }),
      client.on('message.changed', (message) => {
        if (message.conversationId === this.id) this.put(message);
      }),
      client.on('answer.text', (piece) => {
        if (piece.conversationId === this.id) this.#append(piece);
      }),
      client.on('answer.state', (turn) => {
        if (turn.conversationId === this.id) this.#turns = new Map(this.#turns).set(turn.messageId, turn);
      }),
      client.on('answer.check', (check) => {
        if (check.conversationId === this.id) this.#checks = new Map(this.#checks).set(check.messageId, check);
      }),
      client.on('conversation.changed', (summary) => {
        if (summary.id === this.id) this.#describe(summary);
      }),
      client.on('picture.pinned', ({ conversationId, picture }) => {
        if (conversationId === this.id) this.#pinnedPicture = picture;
      }),
      client.onConnection((connected) => {
        if (connected) void this.#fetch();
      }),
    ];
  }

  /** One that has begun with a question. */
  static begun(client: Client, sent: Sent): OpenConversation {
    const { conversation, question } = sent;
    const messages = [question, ...answersOf(sent)];
    return new OpenConversation(client, {
      ...conversation,
      messages,
      leafId: messages[1]!.id,
      pinnedPicture: null,
      checks: [],
      draft: noDraft,
    });
  }

  get title(): string {
    return this.#title;
  }

  /** What the model is told at its start; empty: nothing. */
  get instructions(): string {
    return this.#instructions;
  }

  get pinned(): boolean {
    return this.#pinned;
  }

  /** The branch that is shown, first message first. */
  get path(): readonly Message[] {
    return this.#path;
  }

  get leafId(): number | null {
    return this.#leafId;
  }

  get pinnedPicture(): Picture | null {
    return this.#pinnedPicture;
  }

  /** What the model looks at: the pinned picture, else the last one of the branch. */
  get pictureInForce(): Picture | null {
    return this.#pinnedPicture ?? this.#lastPicture;
  }

  /** The answer of the shown branch that is being written; of a comparison any of them. */
  get running(): Message | null {
    return this.allRunning[0] ?? null;
  }

  get allRunning(): readonly Message[] {
    const last = this.#path.at(-1);
    if (!last) return [];
    return (last.compared === undefined ? [last] : this.compared(last)).filter(({ state }) => state === 'streaming');
  }

  /** The answers that stand beside this one in a comparison, itself among them, in the order in which the models were named; the newest of each. */
  compared(message: Message): readonly Message[] {
    const newest = new Map<string, Message>();
    for (const branch of this.branches(message)) if (branch.compared !== undefined) newest.set(branch.compared, branch);
    return [...newest.values()];
  }

  /** The messages that could stand in this one's place, itself among them, oldest first. */
  branches(message: Message): readonly Message[] {
    return this.#children.get(message.parentId) ?? [message];
  }

  text(message: Message): string {
    return this.#streams.get(message.id)?.text ?? message.text;
  }

  /** What a running answer is busy with; null where it has not been heard. */
  turn(message: Message): TurnState | null {
    return this.#turns.get(message.id) ?? null;
  }

  /** How far the check of an answer is; null where there is none to wait for. */
  check(message: Message): CheckState | null {
    return this.#checks.get(message.id) ?? null;
  }

  /** Stop was asked for and has not happened yet. */
  stopping(message: Message): boolean {
    return this.#stopping.has(message.id);
  }

  /** Adds or replaces a message. A new one is what is shown: the app does the same. */
  put(message: Message): void {
    const isNew = !this.#messages.has(message.id);
    this.#messages = new Map(this.#messages).set(message.id, message);
    if (isNew) this.#leafId = message.id;
    if (message.judgement || message.state === 'streaming') this.#checks = without(this.#checks, message.id);
    if (message.state === 'streaming') {
      if (!this.#streams.has(message.id))
        this.#streams = new Map(this.#streams).set(message.id, new AnswerStream(message.text, this.#schedule));
    } else {
      this.#streams = without(this.#streams, message.id);
      this.#turns = without(this.#turns, message.id);
      if (this.#stopping.has(message.id)) this.#stopping = new Set([...this.#stopping].filter((id) => id !== message.id));
    }
  }

  follow(sent: Sent): void {
    this.put(sent.question);
    const [first, ...others] = answersOf(sent);
    for (const answer of [first!, ...others]) this.put(answer);
    // The app shows the first of a comparison, too.
    if (others.length > 0) this.#leafId = first!.id;
  }

  async regenerate(message: Message): Promise<void> {
    this.put(await this.#client.request('chat.regenerate', { messageId: message.id }));
  }

  async continueAnswer(message: Message): Promise<void> {
    this.put(await this.#client.request('chat.continue', { messageId: message.id }));
  }

  async stop(message: Message): Promise<void> {
    this.#stopping = new Set(this.#stopping).add(message.id);
    await this.#client.request('chat.stop', { messageId: message.id });
  }

  async selectBranch(message: Message): Promise<void> {
    const { leafId } = await this.#client.request('conversations.selectBranch', { messageId: message.id });
    this.#leafId = leafId;
  }

  /** Null takes the pin away. */
  async pinPicture(picture: Picture | null): Promise<void> {
    await this.#client.request('conversations.pinPicture', { id: this.id, hash: picture?.hash ?? null });
    this.#pinnedPicture = picture;
  }

  close(): void {
    for (const stop of this.#stopListening) stop();
  }

  #append(piece: Payload<'answer.text'>): void {
    const stream = this.#streams.get(piece.messageId);
    if (stream?.append(piece.offset, piece.text) !== true) void this.#fetch();
  }

  /** After a gap: everything again. */
  async #fetch(): Promise<void> {
    const now = Date.now();
    if (now - this.#lastFetch < fetchPause) return;
    this.#lastFetch = now;
    try {
      this.#take(await this.#client.request('conversations.open', { id: this.id }));
    } catch {
      // Deleted elsewhere, or disconnected again: either is announced by an event of its own.
    }
  }

  #take(conversation: Conversation): void {
    this.#describe(conversation);
    this.#messages = new Map(conversation.messages.map((message) => [message.id, message]));
    this.#leafId = conversation.leafId;
    this.#pinnedPicture = conversation.pinnedPicture;
    this.#checks = new Map(conversation.checks.map((check) => [check.messageId, check]));
    const running = conversation.messages.filter((message) => message.state === 'streaming');
    this.#streams = new Map(running.map((message) => [message.id, new AnswerStream(message.text, this.#schedule)]));
  }

  #describe(summary: Pick<ConversationSummary, 'title' | 'pinned' | 'instructions'>): void {
    this.#title = summary.title;
    this.#pinned = summary.pinned;
    this.#instructions = summary.instructions ?? '';
  }
}

function pathTo(leafId: number | null, messages: ReadonlyMap<number, Message>): Message[] {
  const path: Message[] = [];
  let at = leafId === null ? undefined : messages.get(leafId);
  while (at) {
    path.push(at);
    at = at.parentId === null ? undefined : messages.get(at.parentId);
  }
  return path.reverse();
}

function without<Value>(map: ReadonlyMap<number, Value>, key: number): ReadonlyMap<number, Value> {
  if (!map.has(key)) return map;
  const rest = new Map(map);
  rest.delete(key);
  return rest;
}
