/** Prompts for Llama Guard, and the verdicts that it writes. */
import { isVerdict, type Message, type Verdict } from '../../contract.ts';
import type { ChatMessage } from '../ports.ts';

/** Tokens of the longest verdict: a word, and every category. */
export const verdictTokens = 64;

/**
 * A line "safe" or "unsafe", then the violated categories between commas. Whatever else the guard wrote is no
 * verdict: it is `unclear`, never safe.
 */
export function parseVerdict(text: string): Verdict {
  const [word = '', list = '', ...more] = text
    .trim()
    .split('\n')
    .map((line) => line.trim());
  const unclear: Verdict = { finding: 'unclear', categories: [] };
  if (more.some((line) => line !== '')) return unclear;
  if (word === 'safe') return list === '' ? { finding: 'safe', categories: [] } : unclear;
  if (word !== 'unsafe') return unclear;
  const categories = list === '' ? [] : list.split(',').map((category) => category.trim());
  return categories.every((category) => /^S\d{1,2}$/.test(category))
    ? { finding: 'unsafe', categories: [...new Set(categories)] }
    : unclear;
}

/**
 * Leaves out verdicts and the questions that were judged: they are not part of the conversation.
 * A picture that came with one moves to the next question.
 */
export function withoutVerdicts(path: readonly Message[]): Message[] {
  const judged = new Set(path.filter(isVerdict).flatMap(({ id, parentId }) => [id, parentId]));
  let pictures: Message['pictures'] = [];
  return path.flatMap((message): Message[] => {
    if (message.role !== 'user') return judged.has(message.id) ? [] : [message];
    if (message.pictures.length > 0) pictures = message.pictures;
    if (judged.has(message.id)) return [];
    const carried = { ...message, pictures };
    // From here on it is in the path.
    pictures = [];
    return [carried];
  });
}

/** As a guard requires them: alternating roles and one picture, the last. */
export function guardMessages(messages: readonly ChatMessage[]): ChatMessage[] {
  const last = messages.findLastIndex(({ content }) => content.some(({ type }) => type === 'image'));
  const turns: ChatMessage[] = [];
  for (const [index, message] of messages.entries()) {
    const { role, content } = message;
    if (role === 'system') continue;
    const parts = content.filter(({ type }) => type !== 'image' || index === last);
    const before = turns.at(-1);
    // Questions follow one another where an answer was never written.
    if (before?.role === role) turns[turns.length - 1] = { role, content: [...before.content, ...parts] };
    else turns.push(parts.length === content.length ? message : { role, content: parts });
  }
  return turns;
}
