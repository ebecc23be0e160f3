/** Whether there is room for a question beside its answer. */
import { roomForAnswer } from '../answer-room.ts';
import type { Abortable, Engine } from '../ports.ts';
import { messagesOf, type PagePrompt } from './page-prompt.ts';

export interface RoomOptions extends Abortable {
  /** Of the answer. */
  maxTokens: number;
  /** Comes before the instructions. */
  systemPrompt?: string | undefined;
  /** A picture comes along, whose place is a token. */
  pictured?: boolean;
}

export async function hasRoom(
  { engine, contextLength }: { engine: Pick<Engine, 'countTokens'>; contextLength: number },
  prompt: Omit<PagePrompt, 'picture'>,
  { maxTokens, systemPrompt, pictured = false, signal }: RoomOptions,
): Promise<boolean> {
  const messages = messagesOf({ ...prompt, instructions: instructionsAfter(systemPrompt, prompt), picture: null });
  const { tokens } = await engine.countTokens({ messages }, { signal });
  return tokens + Number(pictured) <= contextLength - roomForAnswer(maxTokens, contextLength);
}

export function instructionsAfter(systemPrompt: string | undefined, { instructions }: Pick<PagePrompt, 'instructions'>): string {
  return [systemPrompt?.trim(), instructions].filter(Boolean).join('\n\n');
}
