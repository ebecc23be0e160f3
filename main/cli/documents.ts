import { LoupeError } from '../errors.ts';
import { pageRange } from '../services/documents/page-range.ts';
import { readPage } from '../services/documents/page-reader.ts';
import type { DocumentFile, PageReading } from '../services/ports.ts';
import { documentFlags, withPasswordFlag, type Values } from './document-options.ts';
import type { LibraryAction } from './library-context.ts';
import { actionsOfLibrary, openedLibrary } from './library.ts';
import { needed, parseFlags } from './options.ts';
import { pageAsJson, pageAsText, pageNotes } from './pages.ts';
import { exitCodes, type ExitCode, type Terminal } from './terminal.ts';

export const documentsHelp = `loupe documents COMMAND [options]

  Reads documents (PDF, TIFF of several pages, any picture) page by page, on this machine.

  read FILE                 prints the text of each page and its state; stores nothing
  add PATH...               copies files, or the files in a folder, into the library and reads them; run it again to resume
  resume [ID...]            reads the pages that are still waiting
  list                      the documents in the library, and what became of their pages
  show ID                   prints the text of each page and its state
  ask ID|FILE QUESTION      answers from the pages that bear on it, checks each quote, and says what was looked at (a FILE is added)
  extract ID|FILE...        takes fields from documents into a table, checks each value, and marks what is in doubt (a FILE is added)
  search WORDS              pages with any of the words, in any of their forms, the best first
  remove ID...              deletes documents from the library: text, search index and the copied file. Backups that were made before
                            keep the text until they are replaced, for 30 days at most

  A page is "text" (the file's own), "ocr" (read from its picture), "picture" (no text yet), "blank", "failed" or, in the library,
  "waiting"; and it says when its text is garbled, when the page is damaged, has text that nobody can see (which is left out), a
  form, a missing font or a picture that cannot be drawn, or is too large.

  --password P              with read, add, resume, ask, extract: opens a locked file; Loupe does not keep it. The library keeps the text
  --pages FROM-TO           with read, add, show: only these pages (at most 5,000 at once)
  --ocr                     with read, add, resume: reads pages without text from their pictures; several seconds each
  --document ID             with search: only in this document
  --model MODEL             with ask and extract, as with loupe ask; --context, --max-tokens, --device, --activations, --memory-budget, too
  --most-pages N            with ask: looks at so many pages at most (default 5)
  --every                   with ask: looks at every page by itself, however many there are
  --expand                  with ask: the model first names other words to search for
  --field NAME[:KIND]       with extract, once for each field; KIND is text, number or date (default text)
  --by document|page        with extract: a row for each document, or for each page (default document)
  --format csv|json         with extract: for spreadsheets or programs, on stdout (default: text)
  --table ID                with extract: goes on with a table, or prints it
  --data DIR                the data folder (default: LOUPE_DATA or the usual folder)
  --json                    one JSON object; read: {"pages": [{"number", "label", "state", "flags", "text"}]}, and a page that failed
                            also says why
`;

const readFlags = ['password', 'pages', 'ocr'] as const;

export async function documents(args: string[], terminal: Terminal): Promise<ExitCode> {
  const { values, positionals } = parseFlags(args, documentFlags);
  const [name, ...named] = positionals;
  const known = ['read', ...Object.keys(actionsOfLibrary)].join(', ');
  if (name === undefined) throw new LoupeError('usage', 'The action is missing.', `Known: ${known}.`);
  if (name === 'read') {
    refuseStray(name, values, readFlags);
    return read(values, named, terminal);
  }
  const action: LibraryAction | undefined = Object.hasOwn(actionsOfLibrary, name) ? actionsOfLibrary[name] : undefined;
  if (!action) throw new LoupeError('usage', `"${name}" is not known.`, `Known: ${known}.`);
  refuseStray(name, values, [...action.flags, 'data']);
  return openedLibrary(action, { values, named, terminal });
}

function refuseStray(name: string, values: Values, allowed: readonly (keyof Values)[]): void {
  const stray = (Object.keys(values) as (keyof Values)[]).find((flag) => flag !== 'json' && !allowed.includes(flag));
  if (stray) throw new LoupeError('usage', `documents ${name} has no option --${stray}.`);
}

async function read(values: Values, [path, ...more]: string[], terminal: Terminal): Promise<ExitCode> {
  if (more.length > 0) throw new LoupeError('usage', 'Only one document is read at a time.', 'Name one file.');
  const file: DocumentFile = { path: needed('The document', path), password: values.password };
  const reader = terminal.startDocuments();
  const recogniser = values.ocr ? terminal.startOcr() : null;
  const signal = terminal.interrupted;
  try {
    const { name, pageCount } = await reader.open(file, { signal }).catch((error: unknown) => {
      throw withPasswordFlag(error, values.password);
    });
    const { from, to } = pageRange(values.pages ?? null, pageCount, name);
    const pages: PageReading[] = [];
    for (let number = from; number <= to; number++) {
      const page = await readPage({ reader, recogniser }, file, number, signal);
      pages.push(page);
      if (!values.json) terminal.out(pageAsText(page, number === from));
      for (const note of pageNotes(page)) terminal.err(`loupe: ${note}\n`);
    }
    if (values.json) terminal.out(`${JSON.stringify({ pages: pages.map(pageAsJson) })}\n`);
    return pages.some(({ state }) => state === 'failed') ? exitCodes.failure : exitCodes.ok;
  } finally {
    await Promise.all([reader.close(), recogniser?.close()]);
  }
}
