/**
 * Conversations that never reach a disk, behind the same calls as those that are kept. Each lies in a database of its own in the memory
 * of this process, with its pictures beside it; which one a call means follows from the ids, whose ranges do not overlap.
 * docs/decisions/0033-conversations-in-memory.md explains why so.
 */
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ConversationSummary } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import type { Clock, ConversationStore, PictureStore, PrivateConversations, Store, StoredFile } from '../services/ports.ts';
import { copyConversation } from './copy-conversation.ts';
import type { WriteDatabase } from './handles.ts';
import { openPrivately, type PrivateStore } from './opened.ts';
import { picturesOf } from './sweep.ts';

/** Ids of kept rows count up from 1 and will not come this far; all are exact as numbers. */
const firstPrivateId = 2 ** 40;
/** Conversations and messages that one private conversation can have. */
const idsForEach = 2 ** 20;
/** How many there can be: the last id is still exact. */
const mostRanges = 2 ** 32;

export interface PrivateOptions {
  clock: Clock;
  /** What is kept. */
  kept: Pick<Store, 'conversations' | 'pictures'>;
  /** One transaction on the database of what is kept; throws where that cannot be written to. */
  write: <Result>(work: (database: WriteDatabase) => Result) => Result;
}

export interface PrivateParts extends Pick<Store, 'conversations' | 'pictures' | 'picturesOf' | 'privately'> {
  close(): void;
}

type Held = PrivateStore & { readonly conversations: ConversationStore; readonly files: PictureStore };

export function withPrivate({ clock, kept, write }: PrivateOptions): PrivateParts {
  /** By the number of their range. */
  const held = new Map<number, Held>();
  /** Anywhere: what an earlier process had, and a window may still name, is not taken for another. */
  let opened = randomInt(mostRanges / 2);

  const firstIdOf = (number: number): number => firstPrivateId + number * idsForEach;
  const numberOf = (id: number): number => Math.floor((id - firstPrivateId) / idsForEach);

  /** Null for an id of what is kept. Throws `not_found` for one of what is gone. */
  function holder(id: number | null): Held | null {
    if (id === null || id < firstPrivateId) return null;
    const found = held.get(numberOf(id));
    if (!found) throw new LoupeError('not_found', 'This private conversation was closed, and nothing of it was kept.');
    return found;
  }

  const at = (id: number | null): ConversationStore => holder(id)?.conversations ?? kept.conversations;

  function open(): Held {
    const store = openPrivately(firstIdOf(opened), clock);
    const conversations = { ...store.queries.conversations, ...store.commands.conversations };
    const files = { ...store.queries.pictures, ...store.commands.pictures };
    const one = { ...store, conversations, files };
    held.set(opened++, one);
    return one;
  }

  /** A kept picture that is shown here lies here, too: a row refers to it. */
  function take(one: Held | null, hashes: readonly string[]): void {
    for (const hash of hashes) {
      if (!one || one.files.find(hash)) continue;
      one.files.add(copyOf(kept.pictures, hash));
    }
  }

  function close(number: number, one: Held): string[] {
    held.delete(number);
    const pictures = one.pictures();
    one.close();
    return pictures;
  }

  /** Where a picture lies: among what is kept, else with the private conversation that has it. */
  function placeOf(hash: string): PictureStore {
    const one = kept.pictures.find(hash) ? undefined : [...held.values()].find(({ files }) => files.find(hash));
    return one?.files ?? kept.pictures;
  }

  const privately: PrivateConversations = {
    open: (title) => asPrivate(open().conversations.create(title)),
    has: (id) => id >= firstPrivateId && held.has(numberOf(id)),
    close: (id) => close(numberOf(id), required(holder(id), id)),
    keep(id, title) {
      const one = required(holder(id), id);
      // Not what was attached and taken away again.
      for (const hash of picturesOf(one.database, id)) if (one.files.find(hash)) kept.pictures.add(copyOf(one.files, hash));
      const keptId = write((database) => copyConversation(one.database, database, { id, title }));
      close(numberOf(id), one);
      return kept.conversations.summary(keptId);
    },
  };

  const conversations: ConversationStore = {
    ...kept.conversations,
    list: () => [...allOf(held), ...kept.conversations.list()],
    search: (query, limit) =>
      [...[...held.values()].flatMap((one) => one.conversations.search(query, limit)), ...kept.conversations.search(query, limit)].slice(
        0,
        limit,
      ),
    summary: (id) => marked(id, at(id).summary(id)),
    open: (id) => marked(id, at(id).open(id)),
    rename: (id, title) => at(id).rename(id, title),
    instruct: (id, instructions) => at(id).instruct(id, instructions),
    tag: (ids, add, remove) => {
      const all = Map.groupBy(ids, at);
      for (const [place, theirs] of all) place.tag(theirs, add, remove);
    },
    pin: (id, pinned) => at(id).pin(id, pinned),
    delete: (id) => at(id).delete(id),
    restore: (id) => at(id).restore(id),
    append(message) {
      const one = holder(message.conversationId);
      if (one && message.scope) throw noDocuments();
      take(one, message.pictures);
      return at(message.conversationId).append(message);
    },
    message: (id) => at(id).message(id),
    path: (id) => at(id).path(id),
    checkpoint: (id, text) => at(id).checkpoint(id, text),
    update: (id, answer) => at(id).update(id, answer),
    saveCoverage: (id, coverage) => at(id).saveCoverage(id, coverage),
    saveNote: (id, look, note) => at(id).saveNote(id, look, note),
    looks: (id) => at(id).looks(id),
    saveCitations: (id, citations) => at(id).saveCitations(id, citations),
    saveServer: (id, server) => at(id).saveServer(id, server),
    judge: (id, judgement) => at(id).judge(id, judgement),
    saveDifferences: (id, text, differences) => at(id).saveDifferences(id, text, differences),
    selectBranch: (id) => at(id).selectBranch(id),
    pinPicture(id, hash) {
      if (hash !== null) take(holder(id), [hash]);
      at(id).pinPicture(id, hash);
    },
    pinnedPicture: (id) => at(id).pinnedPicture(id),
    saveDraft(id, text, pictures, scope) {
      take(holder(id), pictures);
      at(id).saveDraft(id, text, pictures, scope);
    },
  };

  return {
    conversations,
    pictures: {
      ...kept.pictures,
      get: (hash) => placeOf(hash).get(hash),
      original: (hash) => placeOf(hash).original(hash),
      shown: (hash, scale) => placeOf(hash).shown(hash, scale),
    },
    picturesOf(conversationId) {
      const one = holder(conversationId);
      if (!one) return kept.pictures;
      const place = (hash: string): PictureStore => (one.files.find(hash) ? one.files : kept.pictures);
      return {
        ...one.files,
        get: (hash) => place(hash).get(hash),
        original: (hash) => place(hash).original(hash),
        shown: (hash, scale) => place(hash).shown(hash, scale),
      };
    },
    privately,
    close() {
      for (const [number, one] of held) close(number, one);
    },
  };

  function marked<Summary extends ConversationSummary>(id: number, summary: Summary): Summary {
    return holder(id) ? asPrivate(summary) : summary;
  }
}

function allOf(held: ReadonlyMap<number, Held>): ConversationSummary[] {
  return [...held.values()].flatMap((one) => one.conversations.list()).map(asPrivate);
}

function asPrivate<Summary extends ConversationSummary>(summary: Summary): Summary {
  return { ...summary, private: true };
}

function required(one: Held | null, id: number): Held {
  if (!one) throw new LoupeError('not_found', `There is no private conversation ${id}.`);
  return one;
}

function noDocuments(): LoupeError {
  return new LoupeError(
    'usage',
    'A private conversation cannot ask about documents: the library keeps them, and what was looked at.',
    'Ask in another conversation, or keep this one first.',
  );
}

/** All that `add` takes, of a picture that lies elsewhere. */
function copyOf(from: PictureStore, hash: string): Parameters<PictureStore['add']>[0] {
  const { name, width, height, origin } = from.get(hash);
  const original = bytesOf(from.original(hash));
  const shown = bytesOf(from.shown(hash, 'full'));
  const display = Buffer.compare(original, shown) === 0 ? null : shown;
  return { bytes: original, name, width, height, origin, thumbnail: bytesOf(from.shown(hash, 'thumb')), display };
}

function bytesOf(file: StoredFile): Uint8Array {
  return 'path' in file ? readFileSync(file.path) : file.bytes;
}
