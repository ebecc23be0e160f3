/**
 * What pdfium keeps to itself: pdf.js reads each page a second time, draws nothing, and says what of it is damaged or was left
 * out. It gets no canvas, no scripts and no network.
 */
import { fileURLToPath } from 'node:url';
import type { PDFDocumentLoadingTask, PDFDocumentProxy } from 'pdfjs-dist';
import type { Bytes } from './pdfium.ts';
import { largestPicture } from './drawing.ts';

export interface Finding {
  damaged: boolean;
  pictureLeftOut: boolean;
}

export interface Auditor {
  page(number: number): Promise<Finding>;
  close(): Promise<void>;
}

/** Files that are handed over whole; of larger ones it asks for parts. */
const wholeBytes = 64 * 1024 * 1024;

/** What is said about fonts that are not in the file, and what every reader mends alike: the page is none the worse for it. */
const harmless = new RegExp(
  [
    'font|TT: |glyph|cmap|standardFontDataUrl|Cannot (?:polyfill|load)|Please use the `legacy`',
    'Indexing all PDF objects|marked content|structure tree|XFA|annotation|Invalid absolute docBaseUrl',
    'getOperatorList - ignoring invalid (?:GState|optional)|Badly formatted number: minus sign',
  ].join('|'),
  'i',
);
const ofPictures = /image|JpxError|JPX|JBIG2|JPEG|bitmap/i;

/** pdf.js has one voice for all documents: the console. */
async function listening<Result>(work: () => Promise<Result>): Promise<{ said: string[]; result: Result }> {
  const said: string[] = [];
  const voice = globalThis.console;
  const { log, warn } = voice;
  voice.log = voice.warn = (...words: unknown[]) => void said.push(words.join(' '));
  try {
    return { result: await work(), said };
  } finally {
    voice.log = log;
    voice.warn = warn;
  }
}

/** Where the package keeps what it needs of fonts and pictures. */
function resource(folder: string): string {
  return fileURLToPath(new URL(`../../${folder}/`, import.meta.resolve('pdfjs-dist/legacy/build/pdf.mjs')));
}

async function load(bytes: Bytes, password: string | undefined): Promise<PDFDocumentLoadingTask> {
  const pdfjs = await import('pdfjs-dist/legacy/build/pdf.mjs');
  const options = {
    ...(password === undefined ? {} : { password }),
    cMapUrl: resource('cmaps'),
    cMapPacked: true,
    standardFontDataUrl: resource('standard_fonts'),
    wasmUrl: resource('wasm'),
    iccUrl: resource('iccs'),
    useSystemFonts: false,
    disableFontFace: true,
    isEvalSupported: false,
    verbosity: pdfjs.VerbosityLevel.WARNINGS,
    maxImageSize: largestPicture,
  };
  if (bytes.length <= wholeBytes) {
    const data = new Uint8Array(bytes.length);
    bytes.read(0, data);
    return pdfjs.getDocument({ ...options, data });
  }
  class Parts extends pdfjs.PDFDataRangeTransport {
    override requestDataRange(begin: number, end: number): void {
      const part = new Uint8Array(end - begin);
      if (bytes.read(begin, part)) this.onDataRange(begin, part);
      else this.abort();
    }
  }
  return pdfjs.getDocument({ ...options, range: new Parts(bytes.length, null), disableAutoFetch: true, disableStream: true });
}

/** Null where pdf.js does not open the file: then nothing is known. */
export async function openAuditor(bytes: Bytes, password: string | undefined): Promise<Auditor | null> {
  const { result } = await listening(async (): Promise<{ task: PDFDocumentLoadingTask; document: PDFDocumentProxy } | null> => {
    try {
      const task = await load(bytes, password);
      return { task, document: await task.promise };
    } catch {
      return null;
    }
  });
  if (!result) return null;
  const { task, document } = result;
  return {
    async page(number) {
      const { said, result: failed } = await listening(async () => {
        try {
          const page = await document.getPage(number);
          await page.getOperatorList();
          await page.getTextContent();
          page.cleanup();
          return false;
        } catch {
          return true;
        }
      });
      const told = said.filter((words) => !harmless.test(words));
      return {
        damaged: failed || told.some((words) => !ofPictures.test(words)),
        pictureLeftOut: told.some((words) => ofPictures.test(words)),
      };
    },
    close: () => task.destroy(),
  };
}
