/** `loupe documents add`, `resume`, `list`, `show`, `search` and `remove`: the library of documents. */
import { basename } from 'node:path';
import { formatBytes } from '../contract.ts';
import type { DocumentServices } from '../document-services.ts';
import { LoupeError } from '../errors.ts';
import { dataDirectory } from '../host/paths.ts';
import { filesAt } from '../services/documents/folder.ts';
import { pageRange } from '../services/documents/page-range.ts';
import { wordsOf } from '../services/documents/question-words.ts';
import type { StoredDocument, TextRecogniser } from '../services/ports.ts';
import { askAboutDocument } from './ask-document.ts';
import { extractFromDocuments } from './extract-documents.ts';
import { engineFlagNames, withPasswordFlag } from './document-options.ts';
import {
  documentAsJson,
  idOf,
  readRest,
  statesInWords,
  type LibraryAction,
  type LibraryContext,
  type LibraryRequest,
} from './library-context.ts';
import { wholeNumber } from './options.ts';
import { pageAsJson, pageAsText, pageNotes } from './pages.ts';
import { exitCodes, lineWriter, reportFailure, type ExitCode } from './terminal.ts';

export const actionsOfLibrary: Record<string, LibraryAction> = {
  add: { run: add, flags: ['password', 'pages', 'ocr'] },
  resume: { run: resume, flags: ['password', 'ocr'] },
  list: { run: list, flags: [], reads: true },
  show: { run: show, flags: ['pages'], reads: true },
  search: { run: search, flags: ['document'], reads: true },
  remove: { run: remove, flags: [] },
  extract: {
    run: extractFromDocuments,
    flags: ['field', 'by', 'table', 'format', 'password', 'model', 'context', ...engineFlagNames],
    readsPictures: true,
  },
  ask: {
    run: askAboutDocument,
    flags: ['password', 'ocr', 'model', 'context', 'max-tokens', 'most-pages', 'expand', 'every', ...engineFlagNames],
  },
};

const mostHits = 20;

export async function openedLibrary(
  { run, readsPictures = false, reads = false }: LibraryAction,
  request: LibraryRequest,
): Promise<ExitCode> {
  const { terminal, values } = request;
  const reader = terminal.startDocuments();
  let recogniser: TextRecogniser | null = null;
  let services: DocumentServices | null = null;
  try {
    services = await terminal.openDocuments({ dataDirectory: values.data ?? dataDirectory(), reader, reads });
    return await run({
      ...request,
      ...services,
      line: lineWriter(terminal),
      recogniser: () => (values.ocr || readsPictures ? (recogniser ??= terminal.startOcr()) : null),
    });
  } finally {
    services?.close();
    await Promise.all([reader.close(), (recogniser as TextRecogniser | null)?.close()]);
  }
}

/** One that cannot be added is named, and the others are added. */
async function add(context: LibraryContext): Promise<ExitCode> {
  const { named, values, terminal, library, documents, line } = context;
  if (named.length === 0) throw new LoupeError('usage', 'The document is missing.', 'Name files or folders.');
  const signal = terminal.interrupted;
  const added: object[] = [];
  let worst: ExitCode = exitCodes.ok;
  const failed = (file: string, thrown: unknown): void => {
    if (signal.aborted) throw thrown;
    const error = withPasswordFlag(thrown, values.password);
    // Of a full disk, say, which has no name of a file in it.
    if (!error.message.includes(basename(file))) terminal.err(`loupe: ${basename(file)} was not added.\n`);
    worst = Math.max(worst, reportFailure(terminal, error, false)) as ExitCode;
    added.push({ file, failure: error.toFailure() });
  };
  for (const path of named) {
    let files: string[] = [];
    try {
      files = await filesAt(path, failed);
    } catch (thrown) {
      failed(path, thrown);
    }
    for (const file of files) {
      try {
        const { password, pages = null } = values;
        const { document, known } = await library.add(file, { password, pages, signal });
        if (known) documents.retry(document.id);
        if (!values.json) line(known ? knownAs(file, document) : `${document.name}: added as document ${document.id}`);
        const now = await readRest(context, document);
        added.push({ ...documentAsJson(now), file, known });
        if (now.states.failed > 0) worst = Math.max(worst, exitCodes.failure) as ExitCode;
      } catch (thrown) {
        failed(file, thrown);
      }
    }
  }
  if (values.json) terminal.out(`${JSON.stringify({ ok: worst === exitCodes.ok, documents: added })}\n`);
  return worst;
}

function knownAs(file: string, { id, name }: StoredDocument): string {
  const other = basename(file) === name ? '' : `, ${name}`;
  return `${basename(file)}: already in the library as document ${id}${other}`;
}

async function resume(context: LibraryContext): Promise<ExitCode> {
  const { named, documents, values, terminal } = context;
  const chosen = named.length > 0 ? named.map((name) => documents.get(idOf(name))) : documents.list().toReversed();
  const read: StoredDocument[] = [];
  for (const document of chosen) {
    documents.retry(document.id);
    read.push(await readRest(context, document));
  }
  if (values.json) terminal.out(`${JSON.stringify({ ok: true, documents: read.map(documentAsJson) })}\n`);
  return read.some(({ states }) => states.failed > 0) ? exitCodes.failure : exitCodes.ok;
}

function list({ documents, values, terminal, line }: LibraryContext): ExitCode {
  const all = documents.list();
  if (values.json) terminal.out(`${JSON.stringify({ ok: true, documents: all.map(documentAsJson) })}\n`);
  else if (all.length === 0) line('There are no documents in the library. Add one with: loupe documents add FILE');
  for (const document of values.json ? [] : all) {
    line(`${String(document.id).padStart(4)}  ${document.name}, ${formatBytes(document.bytes)}`);
    line(`      ${statesInWords(document)}`);
    if (document.failure) line(`      ${document.failure.message} ${document.failure.nextStep}`);
  }
  return exitCodes.ok;
}

function show({ documents, named, values, terminal }: LibraryContext): ExitCode {
  const document = documents.get(onlyId(named));
  const { from, to } = pageRange(values.pages ?? null, document.pageCount, document.name);
  const pages = documents.pages(document.id).filter(({ number }) => number >= from && number <= to);
  if (values.json) terminal.out(`${JSON.stringify({ ok: true, document: documentAsJson(document), pages: pages.map(pageAsJson) })}\n`);
  for (const [index, page] of (values.json ? [] : pages).entries()) {
    terminal.out(pageAsText(page, index === 0));
    for (const note of pageNotes(page)) terminal.err(`loupe: ${note}\n`);
  }
  return exitCodes.ok;
}

function search({ documents, named, values, terminal, line }: LibraryContext): ExitCode {
  if (named.length === 0) throw new LoupeError('usage', 'The words to search for are missing.');
  const documentId = wholeNumber('--document', values.document, 1);
  if (documentId !== undefined) documents.get(documentId);
  const words = wordsOf(named.join(' '));
  const hits = documents.search({ words, documentId, limit: mostHits }).map(({ score: _, ...hit }) => hit);
  if (values.json) terminal.out(`${JSON.stringify({ ok: true, words, hits })}\n`);
  else if (hits.length === 0) line(`No page has any of these words: ${words.join(', ')}.`);
  for (const { documentId: id, name, number, label, snippet } of values.json ? [] : hits) {
    line(`${name} (document ${id}), page ${number}${label === String(number) ? '' : ` (${label})`}`);
    line(`      ${snippet.map(({ text }) => text).join('')}`);
  }
  return exitCodes.ok;
}

function remove({ library, documents, named, values, terminal, line }: LibraryContext): ExitCode {
  if (named.length === 0) throw new LoupeError('usage', 'The document is missing.', 'Name its number in the list.');
  // All are looked up before the first goes.
  const ids = [...new Set(named.map((name) => documents.get(idOf(name)).id))];
  const removed = ids.map((id) => library.remove(id));
  for (const { name } of values.json ? [] : removed) line(`${name} is removed: its text, its search index and Loupe’s copy of the file.`);
  if (values.json) terminal.out(`${JSON.stringify({ ok: true, removed: removed.map(documentAsJson) })}\n`);
  return exitCodes.ok;
}

function onlyId([name, ...more]: string[]): number {
  if (name === undefined || more.length > 0) throw new LoupeError('usage', 'Name one document by its number in the list.');
  return idOf(name);
}
