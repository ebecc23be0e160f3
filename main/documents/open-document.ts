/** A file -> its pages: PDF, TIFF of several pages, any picture. What it is decide its first bytes, never its name. */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { basename } from 'node:path';
import { decodeImage, recognise } from '../image/decode.ts';
import { justAbove, maxFileBytes as largestPictureFile } from '../image/limits.ts';
import { openPages } from '../image/pages.ts';
import { isPlain } from '../image/pixels.ts';
import { LoupeError } from '../errors.ts';
import { readWithoutWaiting } from '../regular-file.ts';
import { openSealed, readAt } from '../sealed-file.ts';
import { fileType } from '../file-type.ts';
import type { DocumentFacts, DocumentFile, PageDrawing, PageReading } from '../services/ports.ts';
import { openAuditor } from './audit.ts';
import { readText } from './page-text.ts';
import { loadPdfium, type Bytes, type Pdf, type Pdfium } from './pdfium.ts';
import { shownName } from './shown-name.ts';

/** Dots an inch, or how many pixels wide the page is drawn. */
export type Resolution = { dpi: number } | { width: number };

export interface OpenDocument {
  readonly facts: DocumentFacts;
  /** `onRead` gets the page before the second reader has looked at it, which may take long or end the process. */
  read(number: number, onRead: (reading: PageReading) => void): Promise<PageReading>;
  draw(number: number, resolution: Resolution): Promise<PageDrawing>;
  close(): Promise<void>;
}

const largestFile = 1_000_000_000;
/** A page cannot be described in less: what claims more pages than this allows is not believed. */
const leastPageBytes = 4;

interface OpenFile extends Bytes {
  readonly name: string;
  close(): void;
}

export async function openDocument({ path, name, password, key }: DocumentFile): Promise<OpenDocument> {
  const outside = openFile(path, name);
  const file = key ? { ...outside, ...openSealed(outside, key) } : outside;
  try {
    const head = readPart(file, 0, 4096);
    const text = Buffer.from(head).toString('latin1');
    if (fileType(head) === 'pdf') return await openPdf(file, password);
    if (/^\W{0,4}\s*(<!doctype html|<html|<head|<body)/i.test(text)) {
      throw new LoupeError(
        'document_unreadable',
        `${file.name} is a web page, not a document.`,
        'Download the document itself; often the page asks to log in first.',
      );
    }
    return await openPicture(file);
  } catch (error) {
    file.close();
    throw error;
  }
}

function openFile(path: string, given = basename(path)): OpenFile {
  const name = shownName(given);
  let descriptor: number;
  try {
    descriptor = openSync(path, readWithoutWaiting);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') {
      // As Node gives the names of old archives and foreign disks, which nothing opens any more.
      const step = path.includes('\ufffd') ? 'Its name has characters that are not Unicode: rename the file, then add it.' : undefined;
      throw new LoupeError('document_missing', `${path} does not exist.`, step);
    }
    throw new LoupeError(
      'document_missing',
      `${path} cannot be opened (${code ?? message}).`,
      'Check that you have permission to read it.',
    );
  }
  const close = (): void => closeSync(descriptor);
  const stat = fstatSync(descriptor);
  const refusal = stat.isDirectory()
    ? new LoupeError('document_missing', `${path} is a folder.`, 'Name the files in it.')
    : !stat.isFile()
      ? new LoupeError('document_missing', `${path} is not a file.`)
      : stat.size === 0
        ? new LoupeError(
            'document_unreadable',
            `${name} is empty: it has 0 bytes.`,
            'Get it again; the download or the copy was interrupted.',
          )
        : stat.size > largestFile
          ? new LoupeError('document_too_large', `${name} has ${justAbove(stat.size, 1e9)} GB; at most 1 GB is read.`)
          : null;
  if (refusal) {
    close();
    throw refusal;
  }
  return {
    name,
    length: stat.size,
    read(position, target) {
      try {
        return readAt(descriptor, position, target);
      } catch {
        // A drive that was pulled out: the page says that it cannot be read.
        return false;
      }
    },
    close,
  };
}

function readPart(file: OpenFile, position: number, length: number): Uint8Array {
  const part = new Uint8Array(Math.max(0, Math.min(length, file.length - position)));
  if (!file.read(position, part)) {
    throw new LoupeError('document_missing', `${file.name} can no longer be read.`, 'Check that its drive is still connected.');
  }
  return part;
}

let pdfium: Promise<Pdfium> | null = null;

/** With the password as it was typed or, as the standard has it, composed: some keyboards take accents apart. Throws as pdfium does. */
function openWith(pdfium: Pdfium, file: OpenFile, typed: string | undefined): { pdf: Pdf | null; password: string | undefined } {
  const composed = typed?.normalize('NFKC');
  try {
    return { pdf: pdfium.open(file, file.name, typed), password: typed };
  } catch (error) {
    if (composed === typed || !(error instanceof LoupeError) || error.code !== 'document_locked') throw error;
    return { pdf: pdfium.open(file, file.name, composed), password: composed };
  }
}

async function openPdf(file: OpenFile, typed: string | undefined): Promise<OpenDocument> {
  const { pdf, password } = openWith(await (pdfium ??= loadPdfium()), file, typed);
  const pageCount = pdf?.pageCount ?? 0;
  if (!pdf || pageCount === 0) {
    pdf?.close();
    const end = Buffer.from(readPart(file, Math.max(0, file.length - 2048), 2048)).toString('latin1');
    throw end.includes('%%EOF')
      ? new LoupeError('document_unreadable', `${file.name} is damaged: none of its pages can be found.`, 'Get it again.')
      : new LoupeError('document_unreadable', `${file.name} ends early; its table of pages is missing.`, 'Get it again.');
  }
  if (pageCount * leastPageBytes > file.length) {
    pdf.close();
    throw new LoupeError(
      'document_unreadable',
      `${file.name} is damaged: it says that it has ${pageCount.toLocaleString('en')} pages, but it is too small for them.`,
      'Get it again.',
    );
  }
  // Opened at the first page that is audited: whoever only draws needs none.
  let auditor: ReturnType<typeof openAuditor> | null = null;

  function page(number: number): NonNullable<ReturnType<Pdf['page']>> {
    const found = pdf!.page(number);
    if (found) return found;
    throw new LoupeError('document_failed', `Page ${number} of ${file.name} is damaged: nothing of it can be read.`, 'Get the file again.');
  }

  function readOnce(number: number): PageReading {
    const opened = page(number);
    try {
      const { text, words, flags, hidden, blank } = readText(opened);
      const fields = opened.fields();
      const values = fields.filter(({ value }) => value !== '').map(({ name, value }) => (name ? `${name}: ${value}` : value));
      const notDrawn = opened.hasHugePicture();
      return {
        number,
        label: pdf!.label(number) ?? String(number),
        width: opened.width,
        height: opened.height,
        rotation: opened.rotation,
        state: text || values.length > 0 ? 'text' : blank && !notDrawn && !flags.includes('garbled') ? 'blank' : 'picture',
        flags: [...flags, ...(fields.length > 0 ? (['form'] as const) : []), ...(notDrawn ? (['picture-not-drawn'] as const) : [])],
        text: [text, values.join('\n')].filter(Boolean).join('\n\n'),
        words,
        fields,
        hiddenWords: hidden,
        failure: null,
      };
    } finally {
      opened.close();
    }
  }

  return {
    facts: { kind: 'pdf', name: file.name, bytes: file.length, pageCount },
    async read(number, onRead) {
      const reading = readOnce(number);
      onRead(reading);
      const finding = await (await (auditor ??= openAuditor(file, password)))?.page(number);
      const flags = new Set(reading.flags);
      if (finding?.damaged) flags.add('damaged');
      if (finding?.pictureLeftOut) flags.add('picture-not-drawn');
      const state = reading.state === 'blank' && (finding?.damaged || finding?.pictureLeftOut) ? 'picture' : reading.state;
      return { ...reading, state, flags: [...flags] };
    },
    async draw(number, resolution) {
      const opened = page(number);
      try {
        const { data, width, height } = opened.draw('dpi' in resolution ? resolution.dpi : (resolution.width / opened.width) * 72);
        return { data, width, height };
      } finally {
        opened.close();
      }
    },
    async close() {
      await (await auditor)?.close();
      pdf.close();
      file.close();
    },
  };
}

async function openPicture(file: OpenFile): Promise<OpenDocument> {
  if (file.length > largestPictureFile) {
    throw new LoupeError(
      'document_too_large',
      `${file.name} has ${justAbove(file.length, 1e6)} MB; pictures are read up to ${largestPictureFile / 1e6} MB.`,
    );
  }
  const bytes = readPart(file, 0, file.length);
  const format = kindOf(bytes, file.name);
  const pages = format === 'tiff' ? await openPages(bytes, format, file.name) : null;
  const decode = (number: number): ReturnType<typeof decodeImage> => decodeImage(bytes, file.name, pages ? number : undefined);
  return {
    facts: { kind: 'picture', name: file.name, bytes: file.length, pageCount: pages?.count ?? 1 },
    async read(number) {
      const picture = await decode(number);
      return {
        number,
        label: String(number),
        width: picture.width,
        height: picture.height,
        rotation: 0,
        state: isPlain({ ...picture, channels: 3 }) ? 'blank' : 'picture',
        flags: picture.cutOff ? ['damaged'] : [],
        text: '',
        words: [],
        fields: [],
        hiddenWords: 0,
        failure: null,
      };
    },
    // It has the size that it has.
    draw: (number) => decode(number),
    async close() {
      file.close();
    },
  };
}

function kindOf(bytes: Uint8Array, name: string): ReturnType<typeof recognise> {
  try {
    return recognise(bytes, name);
  } catch (error) {
    if (error instanceof LoupeError && error.code === 'image_unreadable' && /HEIC/i.test(error.message)) throw error;
    throw new LoupeError(
      'document_unreadable',
      `${name} is neither a PDF nor a picture that Loupe reads.`,
      'Export it as PDF, or its pages as PNG.',
    );
  }
}
