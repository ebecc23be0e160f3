/** The pages that an answer may quote: those of the documents that were looked at for it. */
import { toLoupeError } from '../../errors.ts';
import type { DocumentStore, KeptLook, PageLabel } from '../ports.ts';
import { pageNamed, type QuotedPage, type QuotedPages } from './citations.ts';
import { nameInPrompt } from './page-prompt.ts';
import { wordsOf } from './question-words.ts';

/** Of each document, besides those that were looked at. */
const mostLikely = 10;

export function quotedPages(documents: DocumentStore, looks: readonly KeptLook[]): QuotedPages {
  const names = new Map(looks.map(({ documentId, name }) => [documentId, name]));
  const labels = new Map<number, PageLabel[]>();
  const lookedAt = new Set(looks.map(({ documentId, number }) => `${documentId}.${number}`));

  /** None of a document that was removed meanwhile. */
  function labelsOf(documentId: number): PageLabel[] {
    const known = labels.get(documentId) ?? orNone(() => documents.labels(documentId));
    labels.set(documentId, known);
    return known;
  }

  function pageOf(documentId: number, number: number): QuotedPage[] {
    const name = names.get(documentId)!;
    return orNone(() => [documents.page(documentId, number)]).map(({ label, text }) => ({ documentId, name, number, label, text }));
  }

  return {
    named({ document, page }) {
      const all = [...names].filter(([, name]) => names.size === 1 || document === null || isSame(document, name));
      const found = all.flatMap(([id]) => {
        const label = pageNamed(page, labelsOf(id));
        return label ? [{ id, number: label.number }] : [];
      });
      // Without the name of its document a page is most likely one that was looked at.
      const likelyFirst = found.toSorted(
        (one, other) => Number(lookedAt.has(`${other.id}.${other.number}`)) - Number(lookedAt.has(`${one.id}.${one.number}`)),
      );
      return likelyFirst.flatMap(({ id, number }) => pageOf(id, number));
    },
    likely(quote) {
      const words = wordsOf(quote);
      const hits = [...names.keys()].flatMap((documentId) => documents.search({ words, documentId, limit: mostLikely }));
      // Of pages that were looked at one by one, those that bear on the question.
      const likeliest = looks.filter(({ noted }) => noted !== 'nothing' && noted !== 'waiting');
      return [...likeliest, ...hits].flatMap(({ documentId, number }) => pageOf(documentId, number));
    },
  };
}

function isSame(written: string, name: string): boolean {
  return nameInPrompt(written).toLowerCase() === nameInPrompt(name).toLowerCase();
}

function orNone<Item>(read: () => Item[]): Item[] {
  try {
    return read();
  } catch (thrown) {
    if (toLoupeError(thrown).code === 'not_found') return [];
    throw thrown;
  }
}
