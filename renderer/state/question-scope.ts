/** What questions are about, as the window shows it and as the app takes it. */
import type { AskedScope, LibraryDocument, Message, QuestionScope } from '../../main/contract.ts';

export function sentScope(scope: AskedScope | null): QuestionScope | null {
  if (scope?.kind !== 'document') return scope;
  const { name: _name, removed: _removed, ...sent } = scope;
  return sent;
}

/** What the last question was about, which the next one is about as well; nothing where that document is gone. */
export function lastScope(messages: readonly Message[]): AskedScope | null {
  const scope = messages.findLast(({ role }) => role === 'user')?.scope ?? null;
  return scope?.kind === 'document' && scope.removed ? null : scope && forNext(scope);
}

/** Looking at every page takes its time, and words are chosen for a question: the next one has neither. */
export function forNext(scope: AskedScope): AskedScope {
  const { words: _words, ...rest } = withEvery(scope, false);
  return rest;
}

export function withEvery(scope: AskedScope, every: boolean): AskedScope {
  const { every: _every, ...rest } = scope;
  return every ? { ...rest, every: true } : rest;
}

/** As a person writes them, with commas between them. */
export function wordsIn(written: string): string[] {
  return [
    ...new Set(
      written
        .split(/[,;\n]/)
        .map((word) => word.trim().slice(0, 100).toWellFormed())
        .filter(Boolean),
    ),
  ].slice(0, 64);
}

/** Whether a question seems to ask for all that there is, which the best pages alone may not have. */
export function asksForAll(question: string): boolean {
  return /\b(all|every|each|list|sum|total|totals|add up|altogether|overall|count|how many|how often|everything|any of)\b/i.test(question);
}

/** How long it takes to look at so many pages, ms, judged by an answer to the same question; null where that says nothing. */
export function timeForPages(pages: number, { statistics, coverage }: Pick<Message, 'statistics' | 'coverage'>): number | null {
  if (!statistics || !coverage || coverage.looks.length === 0 || statistics.tokensPerSecond === null) return null;
  return pages * (statistics.firstTokenMs / coverage.looks.length + (tokensOfNote * 1000) / statistics.tokensPerSecond);
}

/** How many pages a question is about that are not blank; null where only some of a document are asked about, or nothing is known of it. */
export function pagesOf(documents: readonly LibraryDocument[], scope: AskedScope | null): number | null {
  if (!scope || (scope.kind === 'document' && scope.pages !== null)) return null;
  const those = documents.filter(({ id }) => scope.kind === 'library' || id === scope.id);
  const pages = those.reduce((sum, { states }) => sum + states.text + states.ocr + states.picture, 0);
  return pages === 0 ? null : pages;
}

/** Of most pages the model notes nothing. */
const tokensOfNote = 20;

/** Different pages of a document are one subject. */
export function isSameSubject(one: AskedScope | null, other: AskedScope): boolean {
  if (one?.kind !== 'document' || other.kind !== 'document') return one?.kind === other.kind;
  return one.id === other.id;
}

/** The message once this document is removed: it stays readable, without the words of its pages. */
export function withoutDocument(message: Message, id: number): Message {
  const { scope, coverage, citations } = message;
  return {
    ...message,
    scope: scope?.kind === 'document' && scope.id === id ? { ...scope, removed: true } : scope,
    coverage: coverage && {
      ...coverage,
      looks: coverage.looks.map((look) => (look.documentId === id ? { ...look, removed: true } : look)),
    },
    citations: citations.map((citation) => (citation.documentId === id ? { ...citation, removed: true, found: null } : citation)),
  };
}
