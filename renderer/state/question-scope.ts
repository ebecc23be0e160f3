/** What questions are about, as the window shows it and as the app takes it. */
import type { AskedScope, Message, QuestionScope } from '../../main/contract.ts';

export function sentScope(scope: AskedScope | null): QuestionScope | null {
  if (scope?.kind !== 'document') return scope;
  const { kind, id, pages } = scope;
  return { kind, id, pages };
}

/** What the last question was about, which the next one is about as well; nothing where that document is gone. */
export function lastScope(messages: readonly Message[]): AskedScope | null {
  const scope = messages.findLast(({ role }) => role === 'user')?.scope ?? null;
  return scope?.kind === 'document' && scope.removed ? null : scope;
}

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
