/**
 * Stored messages -> what the engine is asked, cut to what the context holds.
 *
 * The oldest exchanges go first. The picture in force never goes: when its message does, it
 * moves to the first one that stays.
 */
import type { Message } from '../../contract.ts';
import { LoupeError } from '../../errors.ts';
import type { ChatMessage, ChatPart } from '../ports.ts';

export interface PromptParts {
  systemPrompt: string;
  /** From the first message to the question. */
  path: Message[];
  /** Stays in force whatever was attached later. */
  pinned: string | null;
  /** False for text models: pictures are left out. */
  sees: boolean;
  pathOf: (hash: string) => string;
}

export interface PromptWindow {
  messages: ChatMessage[];
  forgottenMessages: number;
}

/** Of the messages from `first` on. Of several pictures in one message the model sees the last. */
export function promptFrom({ systemPrompt, path, pinned, sees, pathOf }: PromptParts, first: number): ChatMessage[] {
  const pictureOf = ({ pictures }: Message): string | null => (sees ? (pictures.at(-1)?.hash ?? null) : null);
  // An answer that was stopped before its first word says nothing.
  const kept = path.slice(first).filter(({ role, text }) => role === 'user' || text !== '');
  const pictures: (string | null)[] = kept.map(pictureOf);
  if (sees && pinned !== null) {
    if (pictures.findLast((hash) => hash !== null) !== pinned) pictures[pictures.length - 1] = pinned;
  } else if (!pictures.some((hash) => hash !== null)) {
    pictures[0] =
      path
        .slice(0, first)
        .map(pictureOf)
        .findLast((hash) => hash !== null) ?? null;
  }

  const messages = kept.map(({ role, text }, index): ChatMessage => {
    const hash = pictures[index] ?? null;
    const picture: ChatPart[] = hash === null ? [] : [{ type: 'image', image: { path: pathOf(hash) } }];
    return { role, content: [...picture, { type: 'text', text }] };
  });
  return systemPrompt.trim() === '' ? messages : [{ role: 'system', content: [{ type: 'text', text: systemPrompt }] }, ...messages];
}

/** Tokens kept free for the answer. */
export function roomForAnswer(maxTokens: number, contextLength: number): number {
  return Math.min(maxTokens, Math.max(64, Math.floor(contextLength / 4)));
}

/**
 * The longest run of exchanges up to the question that fits. Rejects with `context_full` when
 * the question alone does not.
 */
export async function fitPrompt(
  parts: PromptParts,
  room: { contextLength: number; answer: number },
  countTokens: (messages: ChatMessage[]) => Promise<number>,
): Promise<PromptWindow & { promptTokens: number }> {
  const { path } = parts;
  const starts = path.flatMap(({ role }, index) => (role === 'user' ? [index] : []));
  const most = room.contextLength - room.answer;
  const measure = async (first: number): Promise<{ messages: ChatMessage[]; promptTokens: number }> => {
    const messages = promptFrom(parts, first);
    return { messages, promptTokens: await countTokens(messages) };
  };

  // The more is left out, the shorter it is: the first start that fits is found by halves.
  let low = 0;
  let high = starts.length - 1;
  let best = null as { first: number; messages: ChatMessage[]; promptTokens: number } | null;
  while (low <= high) {
    // Most conversations fit whole.
    const middle: number = best === null && low === 0 && high === starts.length - 1 ? 0 : Math.floor((low + high) / 2);
    const first = starts[middle]!;
    const measured = await measure(first);
    if (measured.promptTokens <= most) {
      best = { first, ...measured };
      high = middle - 1;
    } else low = middle + 1;
  }
  if (best) return { messages: best.messages, promptTokens: best.promptTokens, forgottenMessages: best.first };

  const alone = await measure(starts.at(-1)!);
  // A shorter answer is better than none.
  if (alone.promptTokens < room.contextLength) return { ...alone, forgottenMessages: starts.at(-1)! };
  throw new LoupeError(
    'context_full',
    `The question takes ${alone.promptTokens} tokens; the model holds ${room.contextLength} for question and answer together.`,
    'Shorten the question, or increase the context length in the settings.',
  );
}
