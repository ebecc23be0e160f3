/** What a program asks Loupe to keep: its conversation, among those of the person. */
import { toLoupeError } from '../errors.ts';
import { titleOf } from '../services/chat/chat.ts';
import type { Pictures } from '../services/pictures.ts';
import type { FinishedAnswer, Store } from '../services/ports.ts';
import type { ProgramMessage } from './message.ts';

/** `conversation`: its id. Null where it could not be kept, which does not cost the answer. */
export type Kept = { conversation: number } | { conversation: null; failure: string };
type Answer = Pick<FinishedAnswer, 'text' | 'finish' | 'model'>;

export interface History {
  /** Never rejects. Of the messages, what a conversation has: no instructions, and the picture that was seen. */
  keep(messages: readonly ProgramMessage[], answer: Answer): Promise<Kept>;
}

interface Said {
  role: 'user' | 'assistant';
  text: string;
  /** Hashes. */
  pictures: string[];
}

/** `onKept` is called with the id of each conversation that is kept. */
export function createHistory(
  { conversations }: Pick<Store, 'conversations'>,
  pictures: Pick<Pictures, 'add'>,
  onKept: (conversationId: number) => void = () => {},
): History {
  async function withPictures(messages: readonly ProgramMessage[]): Promise<Said[]> {
    const all: Said[] = [];
    for (const { role, content } of messages) {
      if (role === 'system') continue;
      const said: Said = { role, text: '', pictures: [] };
      for (const part of content) {
        if (part.type === 'text') said.text += part.text;
        else said.pictures.push((await pictures.add(part.image, { kind: 'file' })).hash);
      }
      all.push(said);
    }
    return all;
  }

  function append(conversationId: number, all: readonly Said[], answer: Answer): void {
    let parentId: number | null = null;
    for (const said of all) {
      parentId = conversations.append({ ...said, conversationId, parentId, state: 'complete', model: null }).id;
    }
    const fresh = { role: 'assistant', text: '', pictures: [], state: 'streaming', model: answer.model } as const;
    const { id } = conversations.append({ ...fresh, pictures: [], conversationId, parentId });
    conversations.update(id, { ...answer, state: 'complete', failure: null, statistics: null });
  }

  return {
    async keep(messages, answer) {
      try {
        // First the pictures: one that cannot be kept leaves no conversation behind.
        const all = await withPictures(messages);
        const question = all.findLast(({ role }) => role === 'user')?.text ?? '';
        const { id } = conversations.create(titleOf(question) || 'A program’s question');
        append(id, all, answer);
        onKept(id);
        return { conversation: id };
      } catch (thrown) {
        return { conversation: null, failure: toLoupeError(thrown).message };
      }
    },
  };
}
