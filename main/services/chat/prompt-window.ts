/**
 * Stored messages -> what the engine is asked, cut to what the context holds.
 *
 * The oldest exchanges go first. The picture in force never goes: when its message does, it
 * moves to the first one that stays.
 */
import type { Message } from '../../contract.ts';
import { LoupeError } from '../../errors.ts';
import type { PagePrompt } from '../documents/page-prompt.ts';
import type { ChatMessage, ChatPart, ImageSource } from '../ports.ts';

export interface PromptParts {
  systemPrompt: string;
  /** From the first message to the question. */
  path: Message[];
  /** Stays in force whatever was attached later. */
  pinned: string | null;
  /** False for text models: pictures are left out. */
  sees: boolean;
  /** All pictures go where they were attached, as servers take them; not only the one in force. Absent: no. */
  all?: boolean;
  image: (hash: string) => ImageSource;
  /** Of a question about documents: what the model gets in its place. */
  about?: PagePrompt | null;
  /** Stands before the text of the message that brings the picture in force. */
  hint?: string | null;
}

/** What the model looks at: the pinned picture, else the last one; null where it looks at none, or at a page. */
export function pictureInForce({ path, pinned, sees, about }: Pick<PromptParts, 'path' | 'pinned' | 'sees' | 'about'>): string | null {
  if (!sees || about?.picture) return null;
  return pinned ?? path.flatMap(({ pictures }) => pictures.at(-1)?.hash ?? []).at(-1) ?? null;
}

export interface PromptWindow {
  messages: ChatMessage[];
  forgottenMessages: number;
}

/** Of the messages from `first` on. Of several pictures in one message the model sees the last. */
export function promptFrom(parts: PromptParts, first: number): ChatMessage[] {
  return promptsFrom(parts, [first])[0]!;
}

/** One prompt for each start. They share their messages, but for those that a picture moved to. */
export function promptsFrom(parts: PromptParts, starts: readonly number[]): ChatMessage[][] {
  const { path, image: imageOf, about = null, hint = null } = parts;
  const systemPrompt = about?.instructions ?? parts.systemPrompt;
  const system: ChatMessage[] = systemPrompt.trim() === '' ? [] : [{ role: 'system', content: [{ type: 'text', text: systemPrompt }] }];
  const built = new Map<Message, Map<string, ChatMessage>>(path.map((message) => [message, new Map()]));
  /** Of the message itself, and one that moved to it, last. */
  const allOf = ({ pictures }: Message, moved: string | null): string[] => {
    const attached = parts.sees && !about?.picture ? pictures.map(({ hash }) => hash) : [];
    return moved === null || attached.includes(moved) ? attached : [...attached, moved];
  };
  const messageWith = ({ message, hash, inForce }: Placed): ChatMessage => {
    const variants = built.get(message)!;
    const variant = `${inForce} ${hash}`;
    const pages = message === path.at(-1) ? about : null;
    const own = parts.all ? allOf(message, hash) : hash === null ? [] : [hash];
    const images = pages?.picture ? [pages.picture] : own.map(imageOf);
    const picture = images.map((image): ChatPart => ({ type: 'image', image }));
    const text = pages?.text ?? (inForce && hint !== null ? `${hint}\n\n${message.text}` : message.text);
    const made = variants.get(variant) ?? { role: message.role, content: [...picture, { type: 'text', text }] };
    variants.set(variant, made);
    return made;
  };
  return starts.map((first) => [...system, ...placePictures(parts, first).map(messageWith)]);
}

interface Placed {
  message: Message;
  hash: string | null;
  /** Its picture is the one that the model looks at. */
  inForce: boolean;
}

function placePictures({ path, pinned, sees: seesAny, about }: PromptParts, first: number): Placed[] {
  // A page that is looked at is all that is.
  const sees = seesAny && !about?.picture;
  const pictureOf = ({ pictures }: Message): string | null => (sees ? (pictures.at(-1)?.hash ?? null) : null);
  // An answer that was stopped before its first word is empty.
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

  const inForce = pictures.findLastIndex((hash) => hash !== null);
  return kept.map((message, index) => ({ message, hash: pictures[index] ?? null, inForce: index === inForce }));
}

/** Which of `prompts` fits: the first that has at most `most` tokens, or the last where none has. */
export type ChoosePrompt = (prompts: ChatMessage[][], most: number) => Promise<{ prompt: number; tokens: number }>;

export interface PromptRoom {
  contextLength: number;
  /** Kept free for the answer. */
  answer: number;
}

export interface MeasuredPrompt extends PromptWindow {
  promptTokens: number;
  /** False: not even the question alone has room, which is what was counted. */
  fits: boolean;
}

/** The longest run of exchanges up to the question that fits, else the question alone; `choose` is called once. */
export async function measurePrompt(parts: PromptParts, room: PromptRoom, choose: ChoosePrompt): Promise<MeasuredPrompt> {
  const starts = parts.path.flatMap(({ role }, index) => (role === 'user' ? [index] : []));
  const prompts = promptsFrom(parts, starts);
  const { prompt, tokens } = await choose(prompts, room.contextLength - room.answer);
  // A shorter answer is better than none.
  const fits = tokens < room.contextLength || tokens <= room.contextLength - room.answer;
  return { messages: prompts[prompt]!, promptTokens: tokens, forgottenMessages: starts[prompt]!, fits };
}

/** As `measurePrompt`; rejects with `context_full` when the question alone does not fit. */
export async function fitPrompt(parts: PromptParts, room: PromptRoom, choose: ChoosePrompt): Promise<MeasuredPrompt> {
  const measured = await measurePrompt(parts, room, choose);
  if (measured.fits) return measured;
  throw new LoupeError(
    'context_full',
    `The question takes ${measured.promptTokens} tokens; the model holds ${room.contextLength} for question and answer together.`,
    'Shorten the question, or raise the context length in the settings.',
  );
}

/**
 * As `fitPrompt`, with the hint where it costs neither the answer nor a message of the conversation its room. `hinted`: it has one.
 * A hint that has no room is left out whole: half of a picture's text would look like all of it.
 */
export async function fitWithHint(
  parts: PromptParts,
  room: PromptRoom,
  choose: ChoosePrompt,
): Promise<MeasuredPrompt & { hinted: boolean }> {
  const { hint = null, ...plain } = parts;
  if (hint === null) return { ...(await fitPrompt(plain, room, choose)), hinted: false };
  const measured = await measurePrompt(parts, room, choose);
  const hasRoom = measured.promptTokens <= room.contextLength - room.answer;
  if (hasRoom && measured.forgottenMessages === 0) return { ...measured, hinted: true };
  const without = await fitPrompt(plain, room, choose);
  return hasRoom && measured.forgottenMessages === without.forgottenMessages
    ? { ...measured, hinted: true }
    : { ...without, hinted: false };
}

/** As `countTokens` takes them: each message once, however many prompts it is part of. */
export function poolMessages(prompts: readonly ChatMessage[][]): { messages: ChatMessage[]; prompts: Int32Array[] } {
  const indices = new Map<ChatMessage, number>();
  const indexOf = (message: ChatMessage): number => {
    const index = indices.get(message) ?? indices.size;
    indices.set(message, index);
    return index;
  };
  const lists = prompts.map((messages) => Int32Array.from(messages, indexOf));
  return { messages: [...indices.keys()], prompts: lists };
}
