/** What the actions of `loupe documents` share: the opened library, and reading what waits. */
import type { DocumentServices } from '../document-services.ts';
import { LoupeError } from '../errors.ts';
import type { StoredDocument, StoredPageState, TextRecogniser } from '../services/ports.ts';
import { withPasswordFlag, type Values } from './document-options.ts';
import { pageNotes } from './pages.ts';
import type { ExitCode, Terminal } from './terminal.ts';

export interface LibraryRequest {
  values: Values;
  named: string[];
  terminal: Terminal;
}

export interface LibraryContext extends LibraryRequest, DocumentServices {
  line: (text: string) => void;
  /** Started for the first page that needs it; null where pictures are not read. */
  recogniser: () => TextRecogniser | null;
}

export interface LibraryAction {
  run: (context: LibraryContext) => Promise<ExitCode> | ExitCode;
  flags: readonly (keyof Values)[];
  /** Reads the text in pictures without --ocr. */
  readsPictures?: boolean;
  /** Works beside the running app. */
  reads?: boolean;
}

/** Says what became of its pages. */
export async function readRest(
  { library, values, terminal, line, recogniser }: LibraryContext,
  { id, name, pageCount }: StoredDocument,
): Promise<StoredDocument> {
  const watched = terminal.errIsTerminal && !values.json;
  try {
    const document = await library.read(id, {
      password: values.password,
      recogniser: recogniser(),
      signal: terminal.interrupted,
      onPage: (page, left) => {
        if (watched) terminal.err('\r\x1b[K');
        for (const note of pageNotes(page)) terminal.err(`loupe: ${name}: ${note}\n`);
        if (watched && left > 0) terminal.err(`\r${name}: page ${page.number} of ${pageCount}`);
      },
    });
    if (!values.json) line(`  ${statesInWords(document)}`);
    const { picture } = document.states;
    if (picture > 0 && !recogniser())
      terminal.err(
        `loupe: ${picture} ${picture === 1 ? 'page of' : 'pages of'} ${name} ${picture === 1 ? 'has' : 'have'} no text yet.\n` +
          `Read ${picture === 1 ? 'it' : 'them'} now with: loupe documents resume ${id} --ocr\n`,
      );
    return document;
  } catch (thrown) {
    if (watched) terminal.err('\r\x1b[K');
    throw withPasswordFlag(thrown, values.password);
  }
}

export function idOf(name: string): number {
  if (/^[1-9]\d{0,14}$/.test(name)) return Number(name);
  throw new LoupeError('usage', `Documents are named by their numbers, not "${name}".`, 'See: loupe documents list');
}

export function documentAsJson({ id, name, kind, bytes, pageCount, states, failure, hash }: StoredDocument): object {
  return { id, name, kind, bytes, pageCount, states, sha256: hash, ...(failure ? { failure } : {}) };
}

const stateWords: Record<StoredPageState, string> = {
  text: 'with text',
  ocr: 'read by OCR',
  picture: 'without text yet',
  blank: 'blank',
  failed: 'failed',
  waiting: 'still to be read',
};

/** "40 pages: 36 with text, 4 blank". */
export function statesInWords({ states, pageCount }: StoredDocument): string {
  const kept = Object.values(states).reduce((sum, count) => sum + count, 0);
  const of = kept === pageCount ? '' : ` of ${pageCount}`;
  const counted = (Object.keys(stateWords) as StoredPageState[]).filter((state) => states[state] > 0);
  const counts = counted.map((state) => `${states[state]} ${stateWords[state]}`).join(', ');
  return `${kept}${of} ${pageCount === 1 ? 'page' : 'pages'}: ${counts}`;
}
