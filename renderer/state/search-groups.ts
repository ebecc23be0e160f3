import type { SearchHit } from '../../main/contract.ts';

/** What was found in one conversation. */
export interface SearchGroup {
  conversationId: number;
  title: string;
  /** The words are in the title as well: it, in pieces. */
  named: SearchHit | null;
  /** In its messages and its tags, best first. */
  hits: readonly SearchHit[];
  /** Of the newest hit. */
  at: number;
}

/** One for each conversation, in the order of their best hits. */
export function inGroups(hits: readonly SearchHit[]): SearchGroup[] {
  return [...Map.groupBy(hits, ({ conversationId }) => conversationId)].map(([conversationId, of]) => ({
    conversationId,
    title: of[0]!.title,
    named: of.find(inTitle) ?? null,
    hits: of.filter((hit) => !inTitle(hit)),
    at: Math.max(...of.map(({ at }) => at)),
  }));
}

function inTitle({ messageId, inName }: SearchHit): boolean {
  return messageId === null && !inName;
}

/** What the hit's message is searched for, the most telling first: all that was typed, else what matched of it. */
export function soughtWords(query: string, { snippet, picture, inName }: SearchHit): string[] {
  // Those words are not in the text of the message.
  if (picture !== null || inName) return [];
  return [query.trim(), ...snippet.filter(({ hit }) => hit).map(({ text }) => text)].filter((words) => words !== '');
}
