import { limits, type ConversationSummary, type Input, type SearchHit } from '../../main/contract.ts';
import type { Client } from '../api/client.ts';
import { saveAs } from '../download.ts';
import { strings } from '../strings.ts';
import { delayed } from './timing.ts';
import type { Toasts } from './toasts.svelte.ts';

export type ExportFormat = Input<'conversations.export'>['format'];
export type GroupName = keyof typeof strings.sidebar.group;

/** A tag and how many conversations have it. */
export interface TagCount {
  tag: string;
  count: number;
}

export interface Group {
  name: GroupName;
  conversations: ConversationSummary[];
}

const searchDelay = 120;
export const searchLimit = 50;
const dayMs = 86_400_000;

/** The list of conversations, and the search in it. */
export class Conversations {
  readonly #client: Client;
  readonly #toasts: Toasts;
  #all = $state.raw<readonly ConversationSummary[]>([]);
  #loaded = $state(false);
  #answered = $state(false);
  #query = $state('');
  #hits = $state.raw<readonly SearchHit[] | null>(null);
  #wantedTag = $state<string | null>(null);
  /** Groups move at midnight. */
  #today = $state(startOfDay(Date.now()));

  readonly #tags = $derived(countTags(this.#all));
  /** The last one that had it may be gone. */
  readonly #tag = $derived(this.#tags.find(({ tag }) => tag === this.#wantedTag)?.tag ?? null);
  readonly #shown = $derived(this.#all.filter((one) => this.#isShown(one)));
  readonly #groups = $derived(inGroups(this.#shown, this.#today));
  readonly #searchSoon = delayed(() => void this.#search(), searchDelay);

  constructor(client: Client, toasts: Toasts) {
    this.#client = client;
    this.#toasts = toasts;
    client.on('conversation.changed', (summary) => this.#put(summary));
    client.on('conversation.deleted', ({ id }) => this.#drop(id));
    client.onConnection((connected) => {
      if (connected && this.#loaded) void this.refresh();
    });
  }

  /** In alphabetical order. */
  get tags(): readonly TagCount[] {
    return this.#tags;
  }

  /** The list and the search show those that have it; null: all of them. */
  get tag(): string | null {
    return this.#tag;
  }

  set tag(tag: string | null) {
    this.#wantedTag = tag;
  }

  /** Those of `all` that have the tag. */
  get shown(): readonly ConversationSummary[] {
    return this.#shown;
  }

  /** Newest first, pinned ones before them, private ones before those. */
  get all(): readonly ConversationSummary[] {
    return this.#all;
  }

  get loaded(): boolean {
    return this.#loaded;
  }

  /** The app was asked for them, and said something. */
  get answered(): boolean {
    return this.#answered;
  }

  /** Of those that are shown; without empty ones. */
  get groups(): readonly Group[] {
    return this.#groups;
  }

  get query(): string {
    return this.#query;
  }

  set query(query: string) {
    this.#query = query.slice(0, limits.search);
    if (query.trim() === '') {
      this.#searchSoon.cancel();
      this.#hits = null;
    } else {
      this.#searchSoon();
    }
  }

  /** Best first; null while nothing is searched for. */
  get hits(): readonly SearchHit[] | null {
    if (this.#tag === null || this.#hits === null) return this.#hits;
    const shown = new Set(this.#shown.map(({ id }) => id));
    return this.#hits.filter(({ conversationId }) => shown.has(conversationId));
  }

  /** After the window was left alone for a while: a new day may have begun. */
  wake(): void {
    this.#today = startOfDay(Date.now());
  }

  get(id: number): ConversationSummary | undefined {
    return this.#all.find((conversation) => conversation.id === id);
  }

  async refresh(): Promise<void> {
    try {
      this.#all = sorted(await this.#client.request('conversations.list', {}));
      this.#loaded = true;
    } catch (error) {
      this.#toasts.failure(error);
    } finally {
      this.#answered = true;
    }
  }

  async rename(id: number, title: string): Promise<void> {
    const before = this.get(id);
    const trimmed = title.trim().slice(0, limits.title);
    if (!before || trimmed === '' || trimmed === before.title) return;
    await this.#change(before, { title: trimmed }, () => this.#client.request('conversations.rename', { id, title: trimmed }));
  }

  /** Whether they are kept now; why not is said. */
  async instruct(id: number, instructions: string): Promise<boolean> {
    try {
      await this.#client.request('conversations.instruct', { id, instructions });
      return true;
    } catch (error) {
      this.#toasts.failure(error);
      return false;
    }
  }

  /** Whether they have these tags now, and not those; why not is said. */
  async retag(ids: readonly number[], add: readonly string[], remove: readonly string[]): Promise<boolean> {
    try {
      await this.#client.request('conversations.tag', { ids: [...ids], add: [...add], remove: [...remove] });
      return true;
    } catch (error) {
      this.#toasts.failure(error);
      return false;
    }
  }

  async pin(id: number, pinned: boolean): Promise<void> {
    const before = this.get(id);
    if (before) await this.#change(before, { pinned }, () => this.#client.request('conversations.pin', { id, pinned }));
  }

  /** Says so, with one way back for all; `restored` is called when it was taken. One that is refused stays. */
  async delete(ids: readonly number[], restored: () => void = () => {}): Promise<void> {
    const before = ids.flatMap((id) => this.get(id) ?? []);
    for (const { id } of before) this.#drop(id);
    // All are on their way before anything is awaited: the window may be closed the moment they have left the list.
    const outcomes = await Promise.allSettled(before.map(({ id }) => this.#client.request('conversations.delete', { id })));
    const deleted = before.filter((_, index) => outcomes[index]!.status === 'fulfilled');
    for (const conversation of before) if (!deleted.includes(conversation)) this.#put(conversation);
    const refusal = outcomes.find((outcome) => outcome.status === 'rejected');
    if (deleted.length > 0)
      this.#toasts.show({
        message: strings.sidebar.deleted(deleted.map(({ title }) => title)),
        action: {
          label: strings.common.undo,
          run: () => void Promise.all(deleted.map((conversation) => this.#restore(conversation))).then(restored),
        },
      });
    if (refusal) this.#toasts.failure(refusal.reason);
  }

  /** For good: there is no way back. It leaves the list when the app says so. */
  async erase({ id, title }: Pick<ConversationSummary, 'id' | 'title'>): Promise<void> {
    try {
      await this.#client.request('conversations.erase', { id });
      this.#toasts.show({ message: strings.sidebar.erased(title) });
    } catch (error) {
      this.#toasts.failure(error);
    }
  }

  /** Returns null where that failed, which is said. */
  async openPrivate(): Promise<ConversationSummary | null> {
    try {
      return await this.#client.request('conversations.openPrivate', {});
    } catch (error) {
      this.#toasts.failure(error);
      return null;
    }
  }

  /** For good. It leaves the list when the app says so. */
  async closePrivate(id: number): Promise<void> {
    try {
      await this.#client.request('conversations.closePrivate', { id });
    } catch (error) {
      this.#toasts.failure(error);
    }
  }

  /** Stores a private conversation, and says so. Returns it as it is then; null where that failed. */
  async keep(id: number): Promise<ConversationSummary | null> {
    try {
      const kept = await this.#client.request('conversations.keep', { id });
      this.#toasts.show({ message: strings.privately.kept(kept.title) });
      return kept;
    } catch (error) {
      this.#toasts.failure(error);
      return null;
    }
  }

  /** Hands it over as a file. */
  async export(id: number, format: ExportFormat): Promise<void> {
    try {
      const { fileName, text } = await this.#client.request('conversations.export', { id, format });
      saveAs(fileName, text);
    } catch (error) {
      this.#toasts.failure(error);
    }
  }

  async #restore(conversation: ConversationSummary): Promise<void> {
    try {
      await this.#client.request('conversations.restore', { id: conversation.id });
      this.#put({ ...conversation, busy: false });
    } catch (error) {
      this.#toasts.failure(error);
    }
  }

  /** Shows the change at once and takes it back when the app refuses it. */
  async #change(before: ConversationSummary, change: Partial<ConversationSummary>, request: () => Promise<unknown>): Promise<void> {
    this.#put({ ...before, ...change });
    try {
      await request();
    } catch (error) {
      this.#put(before);
      this.#toasts.failure(error);
    }
  }

  async #search(): Promise<void> {
    const query = this.#query;
    try {
      const hits = await this.#client.request('conversations.search', { query, limit: searchLimit });
      // The answers to earlier letters are out of date.
      if (this.#query === query) this.#hits = hits;
    } catch (error) {
      this.#toasts.failure(error);
    }
  }

  #isShown({ tags = [] }: ConversationSummary): boolean {
    return this.#tag === null || tags.includes(this.#tag);
  }

  #put(summary: ConversationSummary): void {
    this.wake();
    this.#all = sorted([...this.#all.filter(({ id }) => id !== summary.id), summary]);
  }

  #drop(id: number): void {
    this.#all = this.#all.filter((conversation) => conversation.id !== id);
    this.#hits = this.#hits?.filter((hit) => hit.conversationId !== id) ?? null;
  }
}

function sorted(conversations: readonly ConversationSummary[]): ConversationSummary[] {
  const rank = ({ private: isPrivate, pinned }: ConversationSummary): number => (isPrivate ? 2 : Number(pinned));
  return conversations.toSorted((a, b) => rank(b) - rank(a) || b.updatedAt - a.updatedAt || b.id - a.id);
}

/** Two spellings of one tag, given to different conversations, are two. */
function countTags(conversations: readonly ConversationSummary[]): TagCount[] {
  const counts = new Map<string, number>();
  for (const tag of conversations.flatMap(({ tags = [] }) => tags)) counts.set(tag, (counts.get(tag) ?? 0) + 1);
  return [...counts].map(([tag, count]) => ({ tag, count })).toSorted((a, b) => a.tag.localeCompare(b.tag, 'en'));
}

function startOfDay(time: number): number {
  return new Date(time).setHours(0, 0, 0, 0);
}

export function inGroups(conversations: readonly ConversationSummary[], today: number): Group[] {
  // Not 24 hours: days of a change of the clock are shorter or longer.
  const yesterday = startOfDay(today - dayMs / 2);
  const groupOf = ({ private: isPrivate, pinned, updatedAt }: ConversationSummary): GroupName =>
    isPrivate ? 'private' : pinned ? 'pinned' : updatedAt >= today ? 'today' : updatedAt >= yesterday ? 'yesterday' : 'older';
  return [...Map.groupBy(conversations, groupOf)].map(([name, members]) => ({ name, conversations: members }));
}
