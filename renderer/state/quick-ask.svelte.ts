import type { Message, ModelView, Payload, Picture, TurnState } from '../../main/contract.ts';
import { toRequestFailure, type Client } from '../api/client.ts';
import type { RequestFailure } from '../api/transport.ts';
import { Seen } from './seen.svelte.ts';

export interface Turn {
  question: Message;
  answer: Message;
}

/** One picture and what is asked about it. Another picture begins anew. */
export class QuickAsk {
  readonly #client: Client;
  readonly #seen: Seen;
  readonly #stopListening: (() => void)[];
  #picture = $state.raw<Picture | null>(null);
  #turns = $state.raw<Turn[]>([]);
  #conversationId = $state.raw<number | null>(null);
  #phase = $state.raw<TurnState | null>(null);
  #sending = $state(false);
  #failure = $state.raw<RequestFailure | null>(null);
  /** Text that came since the last frame. */
  #waiting: string[] = [];
  #frame: number | null = null;

  constructor(client: Client) {
    this.#client = client;
    this.#seen = new Seen(client);
    this.#stopListening = [
      client.on('answer.text', (piece) => this.#takeText(piece)),
      client.on('answer.state', (state) => {
        if (state.messageId === this.#last?.answer.id) this.#phase = state;
      }),
      client.on('message.changed', (message) => this.#takeMessage(message)),
    ];
  }

  get picture(): Picture | null {
    return this.#picture;
  }

  /** What the model sees of it; null until the app has said. */
  get view(): ModelView | null {
    return this.#seen.view;
  }

  get turns(): Turn[] {
    return this.#turns;
  }

  /** Null before the first question. */
  get conversationId(): number | null {
    return this.#conversationId;
  }

  /** What the answer is busy with. */
  get phase(): TurnState | null {
    return this.#phase;
  }

  get busy(): boolean {
    return this.#sending || this.#last?.answer.state === 'streaming';
  }

  get failure(): RequestFailure | null {
    return this.#failure;
  }

  get #last(): Turn | undefined {
    return this.#turns.at(-1);
  }

  show(picture: Picture): void {
    if (picture.hash === this.#picture?.hash) return;
    this.#picture = picture;
    this.#turns = [];
    this.#conversationId = null;
    this.#phase = null;
    this.#failure = null;
    this.#drop();
    this.#seen.look(picture);
  }

  /** Answers whether the question was stored. The first question takes the picture along; it stays in force for the next ones. */
  async ask(text: string): Promise<boolean> {
    const picture = this.#picture;
    if (!picture || this.busy || text.trim() === '') return false;
    this.#sending = true;
    this.#failure = null;
    try {
      const { conversation, question, answer } = await this.#client.request('chat.send', {
        conversationId: this.#conversationId,
        parentId: this.#last?.answer.id ?? null,
        text,
        pictures: this.#last ? [] : [picture.hash],
      });
      // Another picture was captured meanwhile: the answer goes on in the main window.
      if (picture !== this.#picture) return true;
      this.#conversationId = conversation.id;
      this.#turns = [...this.#turns, { question, answer }];
      this.#phase = null;
      return true;
    } catch (error) {
      this.#failure = toRequestFailure(error);
      return false;
    } finally {
      this.#sending = false;
    }
  }

  async stop(): Promise<void> {
    const answer = this.#last?.answer;
    if (answer?.state === 'streaming') await this.#request(() => this.#client.request('chat.stop', { messageId: answer.id }));
  }

  /** Another answer to the last question, in the place of the last one. */
  async again(): Promise<void> {
    const answer = this.#last?.answer;
    if (!answer || this.busy) return;
    await this.#request(async () => {
      const fresh = await this.#client.request('chat.regenerate', { messageId: answer.id });
      this.#phase = null;
      this.#replaceLast(fresh);
    });
  }

  close(): void {
    for (const stop of this.#stopListening) stop();
    this.#seen.close();
    this.#drop();
  }

  async #request(action: () => Promise<unknown>): Promise<void> {
    this.#failure = null;
    try {
      await action();
    } catch (error) {
      this.#failure = toRequestFailure(error);
    }
  }

  #takeText({ messageId, offset, text }: Payload<'answer.text'>): void {
    const answer = this.#last?.answer;
    if (answer?.id !== messageId) return;
    const have = answer.text.length + this.#waiting.join('').length;
    if (offset > have) {
      void this.#reload();
      return;
    }
    this.#waiting.push(text.slice(have - offset));
    this.#frame ??= requestAnimationFrame(() => this.#flush());
  }

  #flush(): void {
    this.#frame = null;
    const text = this.#waiting.join('');
    this.#waiting = [];
    const answer = this.#last?.answer;
    if (answer && text !== '') this.#replaceLast({ ...answer, text: answer.text + text });
  }

  #takeMessage(message: Message): void {
    if (message.id !== this.#last?.answer.id) return;
    this.#drop();
    this.#replaceLast(message);
  }

  #replaceLast(answer: Message): void {
    const last = this.#last;
    if (last) this.#turns = [...this.#turns.slice(0, -1), { ...last, answer }];
  }

  /** Text was missed: the whole of it is asked for. */
  async #reload(): Promise<void> {
    const id = this.#conversationId;
    if (id === null) return;
    await this.#request(async () => {
      const { messages } = await this.#client.request('conversations.open', { id });
      const answer = messages.find((message) => message.id === this.#last?.answer.id);
      if (answer) this.#takeMessage(answer);
    });
  }

  #drop(): void {
    if (this.#frame !== null) cancelAnimationFrame(this.#frame);
    this.#frame = null;
    this.#waiting = [];
  }
}
