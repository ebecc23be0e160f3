/** Conversations, and the answers in them. */
import type { AppPorts } from '../app-ports.ts';
import type { EventMessage } from '../contract.ts';
import type { Chat } from '../services/chat/chat.ts';
import { exportConversation } from '../services/export.ts';
import type { Privately } from '../services/private.ts';
import { done, type AreaHandlers } from './area.ts';

export interface ConversationHandlersOptions extends Pick<AppPorts, 'store'> {
  chat: Chat;
  privately: Privately;
  emit: (event: EventMessage) => void;
}

export function conversationHandlers({
  store,
  chat,
  privately,
  emit,
}: ConversationHandlersOptions): AreaHandlers<'conversations' | 'chat'> {
  const { conversations } = store;
  const changed = (id: number): void =>
    emit({ event: 'conversation.changed', payload: { ...conversations.summary(id), busy: chat.isBusy(id) } });

  return {
    'conversations.list': () => conversations.list().map((summary) => ({ ...summary, busy: chat.isBusy(summary.id) })),
    'conversations.open': ({ id }) => chat.live(conversations.open(id)),
    'conversations.search': ({ query, limit }) => conversations.search(query, limit),
    'conversations.rename': done(({ id, title }) => {
      conversations.rename(id, title);
      changed(id);
    }),
    'conversations.instruct': done(({ id, instructions }) => {
      conversations.instruct(id, instructions);
      changed(id);
    }),
    'conversations.tag': done(({ ids, add, remove }) => {
      conversations.tag(ids, add, remove);
      for (const id of new Set(ids)) changed(id);
    }),
    'conversations.pin': done(({ id, pinned }) => {
      conversations.pin(id, pinned);
      changed(id);
    }),
    'conversations.delete': done(({ id }) => {
      if (privately.has(id)) return privately.close(id);
      chat.stopConversation(id);
      conversations.delete(id);
      emit({ event: 'conversation.deleted', payload: { id } });
    }),
    'conversations.erase': done(async ({ id }) => {
      if (privately.has(id)) return privately.close(id);
      chat.stopConversation(id);
      // Out of sight at once, and in the bin if erasing fails.
      conversations.delete(id);
      emit({ event: 'conversation.deleted', payload: { id } });
      await store.care.erase(id);
    }),
    'conversations.restore': done(({ id }) => {
      conversations.restore(id);
      changed(id);
    }),
    'conversations.openPrivate': () => privately.open(),
    'conversations.closePrivate': done(({ id }) => privately.close(id)),
    'conversations.keep': ({ id }) => privately.keep(id),
    'conversations.selectBranch': ({ messageId }) => ({ leafId: conversations.selectBranch(messageId) }),
    'conversations.pinPicture': done(({ id, hash }) => {
      conversations.pinPicture(id, hash);
      const picture = hash === null ? null : store.picturesOf(id).get(hash);
      emit({ event: 'picture.pinned', payload: { conversationId: id, picture } });
    }),
    'conversations.saveDraft': done(({ id, text, pictures, scope }) => conversations.saveDraft(id, text, pictures, scope)),
    'conversations.draft': () => conversations.draft(),
    'conversations.export': ({ id, format }) => exportConversation(chat.live(conversations.open(id)), format),

    'chat.send': (input) => chat.send(input),
    'chat.compare': (input) => chat.compare(input),
    'chat.regenerate': ({ messageId }) => chat.regenerate(messageId),
    'chat.continue': ({ messageId }) => chat.continue(messageId),
    'chat.stop': done(({ messageId }) => chat.stop(messageId)),
    'chat.measure': (input) => chat.measure(input),
  };
}
