/** Compares finished answers with the text of their picture, while nobody waits. What differs is stored with the answer. */
import { isVerdict, type EventMessage, type Message, type TextLine } from '../../contract.ts';
import { toLoupeError } from '../../errors.ts';
import { pictureInForce } from '../chat/prompt-window.ts';
import type { Store } from '../ports.ts';
import { differencesIn } from './compare.ts';

export interface SecondReaderOptions {
  store: Pick<Store, 'conversations' | 'settings'>;
  /** The text of a picture. */
  read: (hash: string, signal: AbortSignal) => Promise<TextLine[]>;
  /** The model that answers sees pictures. */
  sees: () => boolean;
  emit: (event: EventMessage) => void;
  onFault?: ((error: unknown) => void) | undefined;
}

export interface SecondReader {
  /** Of an answer that was just stored as it ended. Never rejects: `message.changed` reports what is found. */
  check(answer: Message): Promise<void>;
  close(): void;
}

export function createSecondReader({ store, read, sees, emit, onFault = () => {} }: SecondReaderOptions): SecondReader {
  const closing = new AbortController();

  /** Also what was asked and instructed, which the answer may repeat. */
  function pictureOf(answer: Message): { hash: string; known: string } | null {
    const path = store.conversations.path(answer.parentId!);
    // Of a question about documents the pages are looked at.
    if (path.at(-1)!.scope) return null;
    const pinned = store.conversations.pinnedPicture(answer.conversationId);
    const hash = pictureInForce({ path, pinned, sees: true });
    const { instructions = '' } = store.conversations.summary(answer.conversationId);
    const asked = path.filter(({ role }) => role === 'user').map(({ text }) => text);
    const known = [...asked, store.settings().systemPrompt, instructions].join('\n');
    return hash === null ? null : { hash, known };
  }

  return {
    async check(answer) {
      try {
        if (answer.state === 'streaming' || isVerdict(answer)) return;
        const isWhole = answer.state === 'complete' && answer.finish === 'stop';
        const words = isWhole ? answer.text : wholeWords(answer.text);
        if (words.trim() === '') return;
        if (!store.settings().secondReader || !sees()) return;
        const about = pictureOf(answer);
        if (!about) return;
        const lines = await read(about.hash, closing.signal);
        const differences = differencesIn(words, lines, about.known);
        if (differences.length === 0 || closing.signal.aborted) return;
        const stored = store.conversations.saveDifferences(answer.id, answer.text, differences);
        if (stored) emit({ event: 'message.changed', payload: stored });
      } catch (thrown) {
        const { code } = toLoupeError(thrown);
        // Deleted or closed meanwhile: nobody waits for it.
        if (code !== 'not_found' && code !== 'cancelled') onFault(thrown);
      }
    },
    close: () => closing.abort(),
  };
}

/** What stands before the word that was being written, and before a number that it may have belonged to: "1 208" of "1 208 eu". */
export function wholeWords(text: string): string {
  let end = wordStart(text, text.length);
  for (let start = wordStart(text, end); start < end && /\p{Nd}/u.test(text.slice(start, end)); start = wordStart(text, end)) end = start;
  return text.slice(0, end);
}

/** Where the last word before `end` begins, past the spaces behind it. */
function wordStart(text: string, end: number): number {
  let at = end;
  while (at > 0 && /\s/u.test(text[at - 1]!)) at--;
  while (at > 0 && !/\s/u.test(text[at - 1]!)) at--;
  return at;
}
