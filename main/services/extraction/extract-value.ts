/** One field of one document or page: asked for, and compared with the pages. */
import type { Doubt, ExtractionCell, ExtractionField, QuestionScope } from '../../contract.ts';
import { toLoupeError } from '../../errors.ts';
import type { Answerer } from '../documents/answerer.ts';
import { citationsOf, lookFor, promptFor } from '../documents/ask.ts';
import { messagesOf, pagesAreQuoted, pagesOf, type PageTask } from '../documents/page-prompt.ts';
import type { Abortable, ChatMessage, DocumentStore, KeptLook } from '../ports.ts';
import { checkValue, namedOn, otherwiseRead, valueIn } from './check-value.ts';

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
  const { documents } = answerer;
  const options = { maxTokens: mostTokens, task: taskOf(field), signal, expand };
  try {
    const { looks } = await lookFor(answerer, scope, field.name, options);
    return await ask(answerer, scope, field, looks, messagesOf(await promptFor(answerer, scope, looks, field.name, options)), signal);
  } catch (thrown) {
    const error = toLoupeError(thrown);
    if (error.code === 'not_found') return { cell: missing(documents, scope), looks: [] };
    if (error.code !== 'context_full' && error.code !== 'usage') throw thrown;
    const look = error.code === 'context_full' ? onlyPage(answerer, scope) : null;
    if (look) return ask(answerer, scope, field, [look], await shortPrompt(answerer, look, field), signal);
    return { cell: { ...emptyCell, state: 'failed', failure: error.toFailure() }, looks: [] };
  }
}

async function ask(
  { documents, engine }: Answerer,
  scope: ExtractionScope,
  field: ExtractionField,
  looks: readonly KeptLook[],
  messages: ChatMessage[],
  signal: AbortSignal | undefined,
): Promise<TakenValue> {
  const { text } = await engine.generate({ messages, maxTokens: mostTokens, sampling: { temperature: 0 } }, { signal });
  signal?.throwIfAborted();
  const citations = citationsOf(documents, looks, text);
  const value = valueIn(text, field, citations);
  const pages = pagesOf(documents, looks);
  if (value === null) {
    const named = namedOn(pages, field);
    if (!named) return { cell: missing(documents, scope), looks: [] };
    const { number: page, line: reading } = named;
    return { cell: { ...emptyCell, state: 'unsure', doubts: ['named-on-page'], page, reading }, looks };
  }
  const checked = checkValue(value, field, pages, citations);
  return { cell: { ...emptyCell, ...checked, state: checked.doubts.length === 0 ? 'sure' : 'unsure' }, looks };
}

/** The page, where there is only one and the model sees pictures. */
function onlyPage({ documents, draw }: Answerer, { id, pages }: ExtractionScope): KeptLook | null {
  const { name, pageCount } = documents.get(id);
  if (!draw || (pages === null && pageCount !== 1)) return null;
  const { number, label, text } = documents.page(id, Number(pages ?? 1));
  return { documentId: id, name, number, label, outcome: 'picture', length: text.length, noted: null, note: null };
}

/** For a model that holds too little for the text of a page: its picture, and what anybody would ask. The check is the same. */
async function shortPrompt({ draw }: Answerer, look: KeptLook, { name }: ExtractionField): Promise<ChatMessage[]> {
  const image = await draw!(look);
  return [
    {
      role: 'user',
      content: [
        { type: 'image', image },
        { type: 'text', text: `What is the ${name.toLowerCase()}?` },
      ],
    },
  ];
}

/** Pages that have no text were not searched for it. */
function missing(documents: DocumentStore, { id, pages }: ExtractionScope): ExtractionCell {
  const unread = (['waiting', 'picture', 'failed'] as const)
    .flatMap((state) => documents.numbers(id, state))
    .some((number) => pages === null || String(number) === pages);
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
