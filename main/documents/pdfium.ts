/** PDF files through pdfium (WebAssembly). */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { init, type WrappedPdfiumModule } from '@embedpdf/pdfium';
import { LoupeError } from '../errors.ts';
import { heap, utf16 } from './pdfium-memory.ts';
import { openPage, type PdfPage } from './pdfium-page.ts';

/** Any part of a file, for as long as it is open. */
export interface Bytes {
  readonly length: number;
  /** Copies [position, position + target.length) into `target`; false where that cannot be read. */
  read(position: number, target: Uint8Array): boolean;
}

export interface Pdf {
  /** What the file claims. */
  readonly pageCount: number;
  /** The number that is printed on the page, where the file has one. */
  label(number: number): string | null;
  /** Null where there is none. From 1 on. */
  page(number: number): PdfPage | null;
  close(): void;
}

export interface Pdfium {
  /** Throws `document_locked`; null where it finds no document. */
  open(bytes: Bytes, name: string, password: string | undefined): Pdf | null;
}

const wrongPassword = 4;

export async function loadPdfium(): Promise<Pdfium> {
  const wasm = readFileSync(fileURLToPath(import.meta.resolve('@embedpdf/pdfium/pdfium.wasm')));
  const pdfium = await init({ wasmBinary: wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.length) });
  pdfium.PDFiumExt_Init();
  return { open: (bytes, name, password) => openPdf(pdfium, bytes, name, password) };
}

function openPdf(module: WrappedPdfiumModule, bytes: Bytes, name: string, password: string | undefined): Pdf | null {
  const { pdfium } = module;
  // Read where it lies: a file of a gigabyte does not fit beside what pdfium makes of it.
  const getBlock = pdfium.addFunction((_: number, position: number, buffer: number, size: number) => {
    const target = heap(module).subarray(buffer >>> 0, (buffer >>> 0) + (size >>> 0));
    return bytes.read(position >>> 0, target) ? 1 : 0;
  }, 'iiiii');
  const access = pdfium.wasmExports.malloc(12);
  pdfium.setValue(access, bytes.length, 'i32');
  pdfium.setValue(access + 4, getBlock, 'i32');
  pdfium.setValue(access + 8, 0, 'i32');
  const release = (): void => {
    pdfium.wasmExports.free(access);
    pdfium.removeFunction(getBlock);
  };
  const document = module.FPDF_LoadCustomDocument(access, password ?? '');
  if (!document) {
    const reason = module.FPDF_GetLastError();
    release();
    if (reason !== wrongPassword) return null;
    throw password === undefined
      ? new LoupeError('document_locked', `${name} needs a password.`)
      : new LoupeError('document_locked', `The password does not open ${name}.`, 'Check it, including upper and lower case.');
  }
  const formInfo = module.PDFiumExt_OpenFormFillInfo();
  const form = formInfo ? module.PDFiumExt_InitFormFillEnvironment(document, formInfo) : 0;
  return {
    pageCount: module.FPDF_GetPageCount(document),
    label: (number) => utf16(module, (buffer, size) => module.FPDF_GetPageLabel(document, number - 1, buffer, size)) || null,
    page(number) {
      const page = module.FPDF_LoadPage(document, number - 1);
      return page ? openPage(module, page, form) : null;
    },
    close() {
      if (form) module.PDFiumExt_ExitFormFillEnvironment(form);
      if (formInfo) module.PDFiumExt_CloseFormFillInfo(formInfo);
      module.FPDF_CloseDocument(document);
      release();
    },
  };
}
