import type { AskedScope, Draft, Message, Picture } from '../../main/contract.ts';
import type { Client } from '../api/client.ts';
import { Composer } from './composer.svelte.ts';
import type { Conversations } from './conversations.svelte.ts';
import { noDraft, OpenConversation, type Sent } from './open-conversation.svelte.ts';
import { forNext, isSameSubject, lastScope, sentScope, withEvery } from './question-scope.ts';
import { refuseTooLong } from './question-room.ts';
import type { Toasts } from './toasts.svelte.ts';

/** The message that a search led to. */
export interface Sought {
  messageId: number;
  /** What is marked in it: the first of these that it has. */
  words: readonly string[];
}

/** The conversation in the middle of the main window, and the question below it. */
export class Chat {
  readonly #client: Client;
  readonly #toasts: Toasts;
  readonly composer: Composer;
  #current = $state.raw<OpenConversation | null>(null);
  /** Set before the conversation has been fetched, so that the list answers at once. */
  #selectedId = $state.raw<number | null>(null);
  /** Settles when the conversation that was asked for last is shown, or is known not to come. */
  #arrived: Promise<void> = Promise.resolve();
  #sought = $state.raw<Sought | null>(null);
  #editing = $state.raw<number | null>(null);
  #closing = $state.raw<number | null>(null);

  readonly #pictureToBe = $derived.by(
    () => this.#current?.pinnedPicture ?? this.composer.pictures.at(-1) ?? this.#current?.pictureInForce ?? null,
  );

  constructor(client: Client, toasts: Toasts) {
    this.#client = client;
    this.#toasts = toasts;
    this.composer = new Composer(client, () => ({ conversationId: this.#current?.id ?? null, parentId: this.#current?.leafId ?? null }));
    client.on('conversation.deleted', ({ id }) => {
      if (this.#closing === id) this.#closing = null;
      if (this.#selectedId === id) void this.startNew();
    });
    client.on('windows.show', ({ conversationId }) => {
      if (conversationId !== null) void this.open(conversationId);
    });
    client.on('document.removed', ({ id }) => {
      const { scope } = this.composer;
      if (scope?.kind === 'document' && scope.id === id) this.composer.scope = null;
    });
    client.on('engine.changed', ({ status }) => {
      if (status === 'ready') this.composer.measure();
    });
    // Another model counts otherwise; a server's does not count at all, and loads nothing that would say so.
    client.on('settings.changed', () => this.composer.measure());
    client.on('message.changed', ({ conversationId, state }) => {
      if (conversationId === this.#current?.id && state !== 'streaming') this.composer.measure();
    });
  }

  /** Null: a new one. */
  get current(): OpenConversation | null {
    return this.#current;
  }

  /** What the list marks. */
  get selectedId(): number | null {
    return this.#selectedId;
  }

  /** What a search led to; null else. */
  get sought(): Sought | null {
    return this.#sought;
  }

  /** The question that is being edited; null else. */
  get editing(): number | null {
    return this.#editing;
  }

  /** The private conversation of which it is asked whether to close it; null else. */
  get closing(): number | null {
    return this.#closing;
  }

  /** What is made for the conversation that is shown lies with it. */
  get madeFor(): { conversationId: number | null } {
    return { conversationId: this.#current?.id ?? null };
  }

  /** What the model would look at if the question were asked now. */
  get pictureToBe(): Picture | null {
    return this.#pictureToBe;
  }

  /** `sought`: brings this message into view, on whatever branch it is, and marks the words. */
  open(id: number, sought: Sought | null = null): Promise<void> {
    return (this.#arrived = this.#open(id, sought));
  }

  startNew(): Promise<void> {
    return (this.#arrived = this.#startNew());
  }

  /** A new conversation that is not kept. */
  async startPrivate(conversations: Conversations): Promise<void> {
    const begun = await conversations.openPrivate();
    if (begun) await this.open(begun.id);
  }

  /** Closes a private conversation: at once where it is empty, else after a question. Null: it stays open. */
  askToClose(id: number | null, conversations: Conversations): void {
    const isEmpty = id !== null && conversations.get(id)?.messageCount === 0;
    if (isEmpty) void conversations.closePrivate(id);
    else this.#closing = id;
  }

  /** Stores a private conversation, and shows it as it is then where it was shown before. */
  async keep(id: number, conversations: Conversations): Promise<void> {
    const wasShown = this.#selectedId === id;
    if (wasShown) this.composer.flush();
    const kept = await conversations.keep(id);
    if (kept && wasShown) await this.open(kept.id);
  }

  async #open(id: number, wanted: Sought | null): Promise<void> {
    this.#selectedId = id;
    this.composer.leave();
    try {
      const conversation = await this.#client.request('conversations.open', { id });
      if (this.#selectedId !== id) return;
      const opened = new OpenConversation(this.#client, conversation);
      const sought = wanted ? conversation.messages.find((message) => message.id === wanted.messageId) : undefined;
      if (sought && !opened.path.some((message) => message.id === sought.id)) await opened.selectBranch(sought);
      this.#show(opened, conversation.draft);
      this.#sought = sought ? wanted : null;
    } catch (error) {
      if (this.#selectedId === id) {
        this.#selectedId = this.#current?.id ?? null;
        this.composer.stay();
      }
      this.#toasts.failure(error);
    }
  }

  async #startNew(): Promise<void> {
    this.#selectedId = null;
    this.composer.leave();
    let draft = noDraft;
    try {
      draft = await this.#client.request('conversations.draft', {});
    } catch (error) {
      this.#toasts.failure(error);
    }
    if (this.#selectedId === null) this.#show(null, draft);
  }

  /** In the conversation that was asked for last, even where it is still on its way. */
  send(): Promise<void> {
    return this.#sendBy(() => this.composer.send());
  }

  /** Asks these models side by side. */
  compare(models: string[]): Promise<void> {
    return this.#sendBy(() => this.composer.compare(models));
  }

  async #sendBy(send: () => Promise<Sent | null>): Promise<void> {
    await this.#arrived;
    if (this.#current?.running) return;
    const from = this.#current;
    const sent = await send();
    if (sent && this.#current === from) this.#follow(sent);
  }

  /** Makes documents what the next question is about: in this conversation where that is its subject, else in a new one. */
  async askAbout(scope: AskedScope): Promise<void> {
    if (this.#current && !isSameSubject(lastScope(this.#current.path), scope)) await this.startNew();
    this.composer.scope = scope;
    this.composer.focus();
  }

  /** Null ends it. */
  edit(messageId: number | null): void {
    this.#editing = messageId;
  }

  editLastQuestion(): void {
    if (this.#current?.running) return;
    this.#editing = this.#current?.path.findLast(({ role }) => role === 'user')?.id ?? null;
  }

  /** Asks an earlier question of every page: a branch beside it. Rejects with `RequestFailure`. */
  async askEveryPage(question: Message): Promise<void> {
    if (question.scope) await this.resend({ ...question, scope: withEvery(forNext(question.scope), true) }, question.text);
  }

  /** Asks an earlier question of the pages that have other words: a branch beside it. Rejects with `RequestFailure`. */
  async searchFor(question: Message, words: string[]): Promise<void> {
    if (question.scope) await this.resend({ ...question, scope: { ...forNext(question.scope), words } }, question.text);
  }

  /** Asks an earlier question again, in other words: a branch beside it. Rejects with `RequestFailure`. */
  async resend(question: Message, text: string): Promise<void> {
    const { conversationId, parentId, pictures } = question;
    await refuseTooLong(this.#client, { conversationId, parentId, text, pictures: pictures.length });
    const sent = await this.#client.request('chat.send', {
      conversationId,
      parentId,
      text,
      pictures: pictures.map(({ hash }) => hash),
      scope: sentScope(question.scope),
    });
    this.#editing = null;
    if (this.#current?.id === conversationId) this.#follow(sent);
  }

  stop(): void {
    const current = this.#current;
    for (const answer of current?.allRunning ?? []) this.try(current!.stop(answer));
  }

  /** Every picture that could be composed: of the shown branch and of the question, without doubles. */
  get pictures(): Picture[] {
    const all = [...(this.#current?.path.flatMap(({ pictures }) => pictures) ?? []), ...this.composer.pictures];
    return [...new Map(all.map((picture) => [picture.hash, picture])).values()];
  }

  /** Says in a notice why it did not work. */
  try(work: Promise<unknown>): void {
    this.#toasts.attempt(work);
  }

  #follow(sent: Sent): void {
    if (this.#current) return this.#current.follow(sent);
    this.#selectedId = sent.conversation.id;
    this.#sought = null;
    this.#current = OpenConversation.begun(this.#client, sent);
    this.composer.moveTo(sent.conversation.id);
  }

  #show(conversation: OpenConversation | null, draft: Draft): void {
    this.#current?.close();
    this.#current = conversation;
    this.#sought = null;
    this.#editing = null;
    this.composer.load(conversation?.id ?? null, draft, conversation && lastScope(conversation.path));
  }
}

/** One that was shown is shown again when it is brought back. A private one is closed, which nothing brings back; several are never private. */
export async function deleteConversations(ids: readonly number[], chat: Chat, conversations: Conversations): Promise<void> {
  const isPrivate = (id: number): boolean => conversations.get(id)?.private === true;
  if (ids.length === 1 && isPrivate(ids[0]!)) return chat.askToClose(ids[0]!, conversations);
  const shown = ids.find((id) => id === chat.selectedId);
  return conversations.delete(
    ids.filter((id) => !isPrivate(id)),
    () => {
      if (shown !== undefined) void chat.open(shown);
    },
  );
}
