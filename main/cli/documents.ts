import { textOf } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import type { DocumentFile, DocumentReader, PageReading, TextRecogniser } from '../services/ports.ts';
import { needed, parseFlags } from './options.ts';
import { exitCodes, type ExitCode, type Terminal } from './terminal.ts';

export const documentsHelp = `loupe documents read [options] FILE

  Reads a document (PDF, TIFF of several pages, any picture) page by page, on this machine, and prints the text of each page and its state.
  Nothing is stored. A page is "text" (the file's own), "ocr" (read from its picture), "picture" (no text yet), "blank"
  or "failed"; and it says when its text is garbled, when the page is damaged, has text that nobody can see (which is left out), a
  form, a missing font or a picture that cannot be drawn, or is too large.

  --password P              opens a locked file; Loupe does not keep it
  --pages FROM-TO           only these pages (at most 5,000 at once)
  --ocr                     reads pages without text from their pictures; several seconds each
  --json                    {"pages": [{"number", "label", "state", "flags", "text"}]}; a page that failed also says why
`;

const mostPages = 5000;
/** Dots an inch at which a page is read from its picture. */
const ocrDpi = 150;

export async function documents(args: string[], terminal: Terminal): Promise<ExitCode> {
  const { values, positionals } = parseFlags(args, {
    password: { type: 'string' },
    pages: { type: 'string' },
    ocr: { type: 'boolean' },
    json: { type: 'boolean' },
  });
  const [action, path, ...more] = positionals;
  if (action !== 'read')
    throw new LoupeError(
      'usage',
      action === undefined ? 'The action is missing.' : `"${action}" is not known.`,
      'Write: loupe documents read FILE',
    );
  if (more.length > 0) throw new LoupeError('usage', 'Only one document is read at a time.', 'Name one file.');
  const file: DocumentFile = { path: needed('The document', path), password: values.password };
  const reader = terminal.startDocuments();
  const recogniser = values.ocr ? terminal.startOcr() : null;
  try {
    const { name, pageCount } = await open(reader, file, terminal.interrupted);
    const { from, to } = pageRange(values.pages, pageCount, name);
    const pages: PageReading[] = [];
    for (let number = from; number <= to; number++) {
      const page = await readPage(reader, recogniser, file, number, terminal.interrupted);
      pages.push(page);
      if (!values.json) terminal.out(`${number > from ? '\n' : ''}${heading(page)}\n${page.text && `${page.text}\n`}`);
      for (const note of notes(page)) terminal.err(`loupe: ${note}\n`);
    }
    if (values.json) terminal.out(`${JSON.stringify({ pages: pages.map(printed) })}\n`);
    return pages.some(({ state }) => state === 'failed') ? exitCodes.failure : exitCodes.ok;
  } finally {
    await Promise.all([reader.close(), recogniser?.close()]);
  }
}

async function open(reader: DocumentReader, file: DocumentFile, signal: AbortSignal): ReturnType<DocumentReader['open']> {
  try {
    return await reader.open(file, { signal });
  } catch (error) {
    if (error instanceof LoupeError && error.code === 'document_locked' && file.password === undefined) {
      throw new LoupeError('document_locked', error.message, 'Pass it with --password. Loupe does not keep it.', { cause: error });
    }
    throw error;
  }
}

async function readPage(
  reader: DocumentReader,
  recogniser: TextRecogniser | null,
  file: DocumentFile,
  number: number,
  signal: AbortSignal,
): Promise<PageReading> {
  const page = await reader.readPage(file, number, { signal });
  if (!recogniser || page.state !== 'picture') return page;
  const lines = await recogniser.recognise(await reader.drawPage(file, number, { dpi: ocrDpi, signal }), { signal });
  return lines.length === 0 ? page : { ...page, state: 'ocr', text: textOf(lines) };
}

function printed({ number, label, state, flags, text, failure }: PageReading): object {
  return { number, label, state, flags, text, ...(failure ? { failure } : {}) };
}

function heading({ number, label, state, flags }: PageReading): string {
  const printedNumber = label === String(number) ? '' : ` (${label})`;
  return `==> page ${number}${printedNumber}: ${[state, ...flags].join(', ')} <==`;
}

function notes({ number, flags, hiddenWords, failure }: PageReading): string[] {
  if (failure) return [`${failure.message} ${failure.nextStep}`];
  return flags.flatMap((flag): string[] => {
    switch (flag) {
      case 'garbled':
        return [`The text of page ${number} is scrambled in the file; it can only be read from its picture.`];
      case 'damaged':
        return [`Page ${number} is damaged: part of it may be missing.`];
      case 'hidden-text':
        return [`Page ${number} has ${hiddenWords} ${hiddenWords === 1 ? 'word' : 'words'} that nobody can see. They are left out.`];
      case 'font-missing':
        return [`A font is missing from page ${number}: some of its words are in the text, but cannot be drawn.`];
      case 'picture-not-drawn':
        return [`A picture on page ${number} is too large or damaged: it may be missing from what is drawn.`];
      case 'too-large':
        return [`Page ${number} is so large that its picture has less than one pixel per point.`];
      case 'form':
        return [];
      default:
        return flag satisfies never;
    }
  });
}

function pageRange(asked: string | undefined, pageCount: number, name: string): { from: number; to: number } {
  const [, first, last] = /^(\d{1,7})(?:-(\d{1,7}))?$/.exec(asked ?? `1-${pageCount}`) ?? [];
  const from = Number(first);
  const to = Number(last ?? first);
  if (!(from >= 1 && from <= to)) throw new LoupeError('usage', `--pages takes a page or a range, as in 3 or 3-12, not "${asked}".`);
  if (to > pageCount)
    throw new LoupeError(
      'usage',
      `${name} has ${pageCount} ${pageCount === 1 ? 'page' : 'pages'}; there is no page ${to}.`,
      'Name pages that it has.',
    );
  if (to - from >= mostPages) {
    throw new LoupeError(
      'document_too_large',
      `${name} has ${pageCount.toLocaleString('en')} pages; at most 5,000 are read at once.`,
      `Say which, as in: --pages 1-${mostPages}`,
    );
  }
  return { from, to };
}
