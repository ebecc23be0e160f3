import type { Message, ModelView, Picture } from '../../main/contract.ts';
import { toRequestFailure, type Client } from '../api/client.ts';
import type { RequestFailure } from '../api/transport.ts';
import { refuseTooLong, tooLong } from './question-room.ts';
import { OpenConversation } from './open-conversation.svelte.ts';
import { Seen } from './seen.svelte.ts';

/** One picture and what is asked about it. Another picture starts over. */
export class QuickAsk {
  readonly #client: Client;
  readonly #seen: Seen;
  #picture = $state.raw<Picture | null>(null);
  #conversation = $state.raw<OpenConversation | null>(null);
  /** The private conversation that the picture lies with; null: it is kept. */
  #privateId = $state.raw<number | null>(null);
  #sending = $state(false);
  /** Of the question that is being stored, or of the last one. */
  #sent: Promise<boolean> = Promise.resolve(true);
  #failure = $state.raw<RequestFailure | null>(null);

  constructor(client: Client) {
    this.#client = client;
    this.#seen = new Seen(client);
  }

  get picture(): Picture | null {
    return this.#picture;
  }

  /** What the model sees of it; null until the app has said. */
  get view(): ModelView | null {
    return this.#seen.view;
  }

  /** Questions and answers, in order. */
  get messages(): readonly Message[] {
    return this.#conversation?.path ?? [];
  }

  /** The last answer; null before the first question. */
  get answer(): Message | null {
    return this.messages.findLast((message) => message.role === 'assistant') ?? null;
  }

  /** Null before the first question. */
  get conversation(): OpenConversation | null {
    return this.#conversation;
  }

  /** A question is being stored or answered. */
  get busy(): boolean {
    return this.#sending || Boolean(this.#conversation?.running);
  }

  /** Why the last thing asked for did not happen. */
  get failure(): RequestFailure | null {
    return this.#failure;
  }

  /** So many characters of the question had no room; `failure` says so. */
  wasCut(left: number): void {
    this.#failure = tooLong(left);
  }

  /** Nothing of it is kept. */
  get isPrivate(): boolean {
    return this.#privateId !== null;
  }

  /** Starts over, even with the same picture; a private conversation before it is gone. */
  show(picture: Picture, privateId: number | null = null): void {
    void this.forget();
    this.#privateId = privateId;
    this.#picture = picture;
    this.#failure = null;
    this.#conversation?.close();
    this.#conversation = null;
    this.#seen.look(picture);
  }

  /** Resolves once no question is on its way: with false when the one that was could not be stored, and its words are back. */
  settled(): Promise<boolean> {
    return this.#sending ? this.#sent : Promise.resolve(true);
  }

  /** Returns whether the question was stored. The first question brings the picture; it stays in force for the next ones. */
  async ask(text: string): Promise<boolean> {
    const picture = this.#picture;
    if (!picture || this.busy || text.trim() === '') return false;
    return (this.#sent = this.#send(picture, text));
  }

  async stop(): Promise<void> {
    const running = this.#conversation?.running;
    if (running) await this.#try(this.#conversation?.stop(running));
  }

  /** Another answer to the last question, in the place of the last one. */
  async again(): Promise<void> {
    const { answer } = this;
    if (answer && !this.busy) await this.#try(this.#conversation?.regenerate(answer));
  }

  /** A picture that lies with a private conversation of its own. Rejects as `read` does; nothing is left then. */
  async bringPrivately(read: (conversationId: number) => Promise<Picture>): Promise<void> {
    const { id } = await this.#client.request('conversations.openPrivate', {});
    try {
      this.show(await read(id), id);
    } catch (error) {
      await this.#client.request('conversations.closePrivate', { id }).catch(() => null);
      throw error;
    }
  }

  /** Closes a private conversation. Does not reject: one that is not closed here stands in the list of the main window. */
  async forget(): Promise<void> {
    const id = this.#privateId;
    this.#privateId = null;
    if (id !== null) await this.#client.request('conversations.closePrivate', { id }).catch(() => null);
  }

  /** The main window has it from now on. */
  handOver(): void {
    this.#privateId = null;
  }

  /** Stores a private conversation after all. */
  async keep(): Promise<void> {
    const id = this.#privateId;
    if (id === null || !this.#conversation || this.busy) return;
    this.#failure = null;
    try {
      const kept = await this.#client.request('conversations.keep', { id });
      const opened = new OpenConversation(this.#client, await this.#client.request('conversations.open', { id: kept.id }));
      if (this.#privateId !== id) return opened.close();
      this.#privateId = null;
      this.#conversation.close();
      this.#conversation = opened;
    } catch (error) {
      this.#failure = toRequestFailure(error);
    }
  }

  close(): void {
    this.#seen.close();
    this.#conversation?.close();
  }

  async #send(picture: Picture, text: string): Promise<boolean> {
    const current = this.#conversation;
    this.#sending = true;
    this.#failure = null;
    try {
      const place = { conversationId: current?.id ?? this.#privateId, parentId: current?.leafId ?? null };
      await refuseTooLong(this.#client, { ...place, text, pictures: 1 });
      const sent = await this.#client.request('chat.send', {
        ...place,
        text,
        pictures: current ? [] : [picture.hash],
        scope: null,
      });
      // Another picture was captured meanwhile: this answer is read in the main window.
      if (picture !== this.#picture) return true;
      if (current) current.follow(sent);
      else this.#conversation = OpenConversation.begun(this.#client, sent);
      return true;
    } catch (error) {
      this.#failure = toRequestFailure(error);
      return false;
    } finally {
      this.#sending = false;
    }
  }

  async #try(work: Promise<void> | undefined): Promise<void> {
    this.#failure = null;
    try {
      await work;
    } catch (error) {
      this.#failure = toRequestFailure(error);
    }
  }
}
