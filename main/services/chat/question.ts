/** What a question is to the model that is loaded. */
import type { AnsweredBy, EngineState, Message } from '../../contract.ts';
import { LoupeError } from '../../errors.ts';
import { guardMessages } from '../guard/verdict.ts';
import { imageOf } from '../pictures.ts';
import type { ChatMessage, ImageSource, Store, StoredFile } from '../ports.ts';
import type { PagePrompt } from '../documents/page-prompt.ts';
import { poolMessages, type PromptParts } from './prompt-window.ts';

export interface Question {
  /** From the first message to the question. */
  path: Message[];
  /** Null: of a conversation that does not exist yet. */
  conversationId: number | null;
  /** Whether the question itself came with a picture. Absent = whether the last message of `path` did. */
  attached?: boolean;
  /** What the model gets of documents. Absent: the question is about none. */
  about?: PagePrompt | null;
}

/** Throws `image_unseen` where a picture is attached that the model cannot see. */
export function promptParts(
  store: Pick<Store, 'conversations' | 'pictures' | 'settings'>,
  { vision, model }: Pick<EngineState, 'vision' | 'model'>,
  { path, conversationId, attached = (path.at(-1)?.pictures.length ?? 0) > 0, about = null }: Question,
): PromptParts {
  const pinned = conversationId === null ? null : store.conversations.pinnedPicture(conversationId);
  const sees = vision !== null;
  if (!sees && attached) {
    throw new LoupeError(
      'image_unseen',
      `${model?.name ?? 'This model'} reads text only; it cannot see the picture.`,
      'Choose a vision model in the settings, or ask without a picture.',
    );
  }
  const { pictures } = store;
  const isAway = model?.server !== undefined;
  // A server takes what a browser takes.
  const fileOf = (hash: string): StoredFile => (isAway ? pictures.shown(hash, 'full') : pictures.original(hash));
  const image = (hash: string): ImageSource => imageOf(fileOf(hash), () => pictures.get(hash).name);
  return { systemPrompt: systemPromptOf(store, conversationId), path, pinned, sees, all: isAway, image, about };
}

/** What the model is told at the start: always, and in this conversation. `conversationId` null: one that is not begun. */
export function systemPromptOf(
  { conversations, settings }: Pick<Store, 'conversations' | 'settings'>,
  conversationId: number | null,
): string {
  const { instructions = '' } = conversationId === null ? {} : conversations.summary(conversationId);
  return [settings().systemPrompt.trim(), instructions].filter(Boolean).join('\n\n');
}

/** An earlier answer may quote pages as well as the question may need them. Throws `documents_stay`. */
export function refuseDocuments(path: readonly Message[], { host, name }: AnsweredBy): void {
  if (path.every(({ scope }) => scope === null)) return;
  const last = path.at(-1)?.scope !== null;
  throw new LoupeError(
    'documents_stay',
    `${last ? 'The question is about documents' : 'This conversation has been about documents'}, whose pages would go to ${name} (${host}). ` +
      'Nothing was sent.',
    `Choose a model on this computer, or allow ${name} to get pages of documents in Settings > Servers, then try again.`,
  );
}

/** Instructions are for models that chat: a base model would continue them, a guard would judge them. */
export function messagesForUse(messages: ChatMessage[], use: EngineState['use']): ChatMessage[] {
  if (use === 'guard') return guardMessages(messages);
  return use === 'complete' ? messages.filter(({ role }) => role !== 'system') : messages;
}

/** As `countTokens` takes them. */
export function promptsForUse(prompts: ChatMessage[][], use: EngineState['use']): ReturnType<typeof poolMessages> {
  return poolMessages(prompts.map((messages) => messagesForUse(messages, use)));
}
