/** Private conversations: opened, closed and kept after all. */
import { privateTitle, type ConversationSummary, type EventMessage } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import { titleOf, type Chat } from './chat/chat.ts';
import type { PictureText } from './picture-text.ts';
import type { Store } from './ports.ts';

export interface PrivatelyOptions {
  store: Pick<Store, 'conversations' | 'privately'>;
  chat: Pick<Chat, 'isBusy' | 'stopConversation'>;
  text: Pick<PictureText, 'forget'>;
  emit: (event: EventMessage) => void;
}

export interface Privately {
  open(): ConversationSummary;
  has(id: number): boolean;
  /** Stops an answer that is being written. Throws `not_found`. */
  close(id: number): void;
  /** Throws `engine_busy` while an answer is being written. */
  keep(id: number): ConversationSummary;
}

export function createPrivately({ store, chat, text, emit }: PrivatelyOptions): Privately {
  /** As the person has called it, else by the first question. */
  function keptTitle(id: number): string {
    const { title, messages } = store.conversations.open(id);
    const [first] = messages;
    return title === privateTitle && first ? titleOf(first.text) : title;
  }

  return {
    open() {
      const summary = store.privately.open(privateTitle);
      emit({ event: 'conversation.changed', payload: summary });
      return summary;
    },
    has: store.privately.has,
    close(id) {
      chat.stopConversation(id);
      for (const hash of store.privately.close(id)) text.forget(hash);
      emit({ event: 'conversation.deleted', payload: { id } });
    },
    keep(id) {
      if (chat.isBusy(id))
        throw new LoupeError('engine_busy', 'An answer in this conversation is still being written.', 'Keep it once the answer is there.');
      // A check that a guard has begun knows the answer by its old number.
      chat.stopConversation(id);
      const summary = store.privately.keep(id, keptTitle(id));
      emit({ event: 'conversation.changed', payload: summary });
      emit({ event: 'conversation.deleted', payload: { id } });
      return summary;
    },
  };
}
