/** One field of one document or page: asked for, and compared with the pages. */
import type { Doubt, ExtractionCell, ExtractionField, QuestionScope } from '../../contract.ts';
import { toLoupeError } from '../../errors.ts';
import { citationsOf, lookFor, promptFor, type Answerer } from '../documents/ask.ts';
import { messagesOf, pagesAreQuoted, pagesOf, type PageTask } from '../documents/page-prompt.ts';
import type { Abortable, DocumentStore, KeptLook } from '../ports.ts';
import { checkValue, otherwiseRead, valueIn } from './check-value.ts';

export type ExtractionScope = Extract<QuestionScope, { kind: 'document' }>;

/** A cell, before it is compared with the picture of its page. */
export interface TakenValue {
  cell: ExtractionCell;
  looks: readonly KeptLook[];
}

/** The text in the picture of a page; null where it cannot be read. */
export type ReadPicture = (page: Pick<KeptLook, 'documentId' | 'number'>) => Promise<string | null>;

export const emptyCell: ExtractionCell = {
  state: 'waiting',
  value: null,
  quote: null,
  page: null,
  doubts: [],
  reading: null,
  failure: null,
};

/** Values are short, and the words that they stand in a line or two. */
const mostTokens = 200;

const kinds: Record<ExtractionField['kind'], string> = {
  text: 'the value',
  number: 'the number, with its currency or unit if it has one,',
  date: 'the date',
};

function taskOf({ kind }: ExtractionField): PageTask {
  return {
    asks: 'Field',
    instructions:
      'Find the field below in the pages of the document, and in nothing else. Write ' +
      `${kinds[kind]} exactly as the page has it, then the page and the words around it, as in: ` +
      '1,250.00 [p. 3 "Total due 1,250.00"]. Write nothing else. If the pages do not have it, write NONE. ' +
      pagesAreQuoted,
  };
}

/** Rejects as the engine does; what is the cell's own fault is in the cell. */
export async function takeValue(
  answerer: Answerer,
  scope: ExtractionScope,
  field: ExtractionField,
  { signal, expand }: Abortable & { expand?: boolean } = {},
): Promise<TakenValue> {
  const { documents, engine } = answerer;
  const options = { maxTokens: mostTokens, task: taskOf(field), signal, expand };
  const without = (cell: ExtractionCell): TakenValue => ({ cell, looks: [] });
  let looks: KeptLook[];
  try {
    ({ looks } = await lookFor(answerer, scope, field.name, options));
  } catch (thrown) {
    const error = toLoupeError(thrown);
    if (error.code === 'not_found') return without(missing(documents, scope));
    if (error.code === 'context_full' || error.code === 'usage')
      return without({ ...emptyCell, state: 'failed', failure: error.toFailure() });
    throw thrown;
  }
  const messages = messagesOf(await promptFor(answerer, scope, looks, field.name, options));
  const { text } = await engine.generate({ messages, maxTokens: mostTokens, sampling: { temperature: 0 } }, { signal });
  signal?.throwIfAborted();
  const citations = citationsOf(documents, looks, text);
  const value = valueIn(text, field, citations);
  if (value === null) return without(missing(documents, scope));
  const checked = checkValue(value, field, pagesOf(documents, looks), citations);
  return { cell: { ...emptyCell, ...checked, state: stateOf(checked) }, looks };
}

function stateOf({ doubts }: Pick<ExtractionCell, 'doubts'>): 'sure' | 'unsure' {
  return doubts.length === 0 ? 'sure' : 'unsure';
}

/** Pages that have no text were not searched for it. */
function missing(documents: DocumentStore, { id, pages }: ExtractionScope): ExtractionCell {
  const unread = documents
    .pages(id)
    .filter(({ number }) => pages === null || String(number) === pages)
    .some(({ state }) => state === 'waiting' || state === 'picture' || state === 'failed');
  return { ...emptyCell, state: 'missing', doubts: unread ? ['pages-unread'] : [] };
}

/** A text layer may differ from what a person sees, and what OCR reads at one size from what it reads at another. */
export async function compareWithPicture(
  documents: DocumentStore,
  readPicture: ReadPicture,
  { id: documentId }: ExtractionScope,
  field: ExtractionField,
  { cell, looks }: TakenValue,
): Promise<ExtractionCell> {
  const { page, value, quote } = cell;
  if (page === null || value === null || cell.doubts.includes('not-on-page')) return cell;
  const { state } = documents.page(documentId, page);
  // The model saw the picture and found in it what the text of the page has.
  if (state === 'ocr' && looks.some(({ number, outcome }) => number === page && outcome === 'picture')) return cell;
  const read = await readPicture({ documentId, number: page });
  const other = read === null ? '' : otherwiseRead(value, field, quote, read);
  if (other === null) return cell;
  const doubts: Doubt[] = [...cell.doubts, other === '' ? 'picture-unread' : 'picture-differs'];
  return { ...cell, doubts, state: 'unsure', reading: other === '' ? cell.reading : other };
}
