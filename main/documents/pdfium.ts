/** PDF files through pdfium (WebAssembly): the text with the place of each word, what is drawn, labels and forms. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { init, type WrappedPdfiumModule } from '@embedpdf/pdfium';
import { LoupeError } from '../errors.ts';
import type { FormField } from '../services/ports.ts';
import { fitDrawing, largestPicture, type Box, type Drawing } from './drawing.ts';

/** Any part of a file, for as long as it is open. */
export interface Bytes {
  readonly length: number;
  /** Copies [position, position + target.length) into `target`; false where that cannot be read. */
  read(position: number, target: Uint8Array): boolean;
}

export interface Character {
  /** One code point; empty where the file does not say which. */
  text: string;
  /** In points, y upwards, of the unrotated page; null for what pdfium adds (spaces, line breaks). */
  box: Box | null;
  /** The file does not say which character the glyph is. */
  unmapped: boolean;
}

/** How one word would have been drawn, had there been a font. */
export interface Ink {
  embedded: boolean;
  invisible: boolean;
  /** Red, green, blue from 0 to 255. */
  colour: [number, number, number];
}

export interface PdfPage {
  /** Points, as the page is shown. */
  readonly width: number;
  readonly height: number;
  /** Degrees clockwise that the page is turned by to be shown. */
  readonly rotation: number;
  characters(): Character[];
  /** Of the character at this index of `characters()`. */
  ink(index: number): Ink;
  fields(): FormField[];
  /** A picture of more pixels than are drawn. */
  hasHugePicture(): boolean;
  /** All of the page or a part of it (points from the left and the top of the page as it is shown), on white. */
  draw(dpi: number, part?: Box): Drawing;
  /** A box of `characters()` in the pixels of a drawing of the whole page. */
  place(box: Box, drawing: Drawing): Box;
  close(): void;
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
const widget = 20;
const pictureObject = 3;
const formObject = 5;
/** FPDF_ANNOT: annotations are part of the page. */
const withAnnotations = 1;
const invisibleMode = 3;
const fieldTypes = { checkBox: 2, radio: 3, signature: 7 } as const;

export async function loadPdfium(): Promise<Pdfium> {
  const wasm = readFileSync(fileURLToPath(import.meta.resolve('@embedpdf/pdfium/pdfium.wasm')));
  const pdfium = await init({ wasmBinary: wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.length) });
  pdfium.PDFiumExt_Init();
  return { open: (bytes, name, password) => openPdf(pdfium, bytes, name, password) };
}

/** Memory of the module for as long as `use` runs. */
function withMemory<Result>({ pdfium }: WrappedPdfiumModule, bytes: number, use: (pointer: number) => Result): Result {
  const pointer = pdfium.wasmExports.malloc(bytes);
  if (pointer === 0) throw new LoupeError('document_failed', 'The page needs more memory than Loupe gives to one page.');
  try {
    return use(pointer);
  } finally {
    pdfium.wasmExports.free(pointer);
  }
}

/** A string of a function that tells how many bytes it takes. */
function utf16(module: WrappedPdfiumModule, get: (buffer: number, bytes: number) => number): string {
  const length = get(0, 0);
  if (length <= 2) return '';
  return withMemory(module, length, (buffer) => {
    get(buffer, length);
    return module.pdfium.UTF16ToString(buffer);
  });
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

/** Anew at each use: it is another array once the module's memory has grown. */
function heap({ pdfium }: WrappedPdfiumModule): Uint8Array {
  return (pdfium as unknown as { HEAPU8: Uint8Array }).HEAPU8;
}

function openPage(module: WrappedPdfiumModule, page: number, form: number): PdfPage {
  const { pdfium } = module;
  if (form) module.FORM_OnAfterLoadPage(page, form);
  const width = module.FPDF_GetPageWidthF(page);
  const height = module.FPDF_GetPageHeightF(page);
  let textPage = 0;
  const text = (): number => (textPage ||= module.FPDFText_LoadPage(page));

  function characters(): Character[] {
    const read = withMemory(module, 32, (box) =>
      Array.from({ length: Math.max(0, module.FPDFText_CountChars(text())) }, (_, index) => {
        const code = module.FPDFText_GetUnicode(text(), index) >>> 0;
        const added = module.FPDFText_IsGenerated(text(), index) === 1;
        const placed = !added && module.FPDFText_GetCharBox(text(), index, box, box + 8, box + 16, box + 24);
        const [left, right, bottom, top] = [0, 8, 16, 24].map((at) => pdfium.getValue(box + at, 'double')) as [
          number,
          number,
          number,
          number,
        ];
        return {
          text: characterOf(code),
          box: placed ? { left, top, right, bottom } : null,
          unmapped: !added && (module.FPDFText_HasUnicodeMapError(text(), index) === 1 || isUnassigned(code)),
        };
      }),
    );
    return inLogicalOrder(read);
  }

  function ink(index: number): Ink {
    const object = module.FPDFText_GetTextObject(text(), index);
    const font = object ? module.FPDFTextObj_GetFont(object) : 0;
    return withMemory(module, 16, (colour) => {
      const known = object !== 0 && module.FPDFPageObj_GetFillColor(object, colour, colour + 4, colour + 8, colour + 12);
      return {
        embedded: font !== 0 && module.FPDFFont_GetIsEmbedded(font) === 1,
        invisible: object !== 0 && module.FPDFTextObj_GetTextRenderMode(object) === invisibleMode,
        colour: known
          ? (Array.from({ length: 3 }, (_, channel) => pdfium.getValue(colour + 4 * channel, 'i32')) as Ink['colour'])
          : [0, 0, 0],
      };
    });
  }

  function fields(): FormField[] {
    if (!form) return [];
    return Array.from({ length: module.FPDFPage_GetAnnotCount(page) }, (_, index): FormField | null => {
      const annotation = module.FPDFPage_GetAnnot(page, index);
      if (!annotation) return null;
      try {
        if (module.FPDFAnnot_GetSubtype(annotation) !== widget) return null;
        const type = module.FPDFAnnot_GetFormFieldType(form, annotation);
        const name = utf16(module, (buffer, size) => module.FPDFAnnot_GetFormFieldName(form, annotation, buffer, size));
        const value =
          type === fieldTypes.checkBox || type === fieldTypes.radio
            ? module.FPDFAnnot_IsChecked(form, annotation)
              ? 'yes'
              : 'no'
            : type === fieldTypes.signature
              ? ''
              : utf16(module, (buffer, size) => module.FPDFAnnot_GetFormFieldValue(form, annotation, buffer, size));
        return { name, value };
      } finally {
        module.FPDFPage_CloseAnnot(annotation);
      }
    }).filter((field) => field !== null);
  }

  function hasHugePicture(): boolean {
    return withMemory(module, 8, (size) => {
      function isHuge(object: number, depth: number): boolean {
        const type = module.FPDFPageObj_GetType(object);
        if (type === pictureObject) {
          if (!module.FPDFImageObj_GetImagePixelSize(object, size, size + 4)) return false;
          return (pdfium.getValue(size, 'i32') >>> 0) * (pdfium.getValue(size + 4, 'i32') >>> 0) > largestPicture;
        }
        if (type !== formObject || depth === 0) return false;
        return Array.from({ length: module.FPDFFormObj_CountObjects(object) }).some((_, index) =>
          isHuge(module.FPDFFormObj_GetObject(object, index), depth - 1),
        );
      }
      return Array.from({ length: module.FPDFPage_CountObjects(page) }).some((_, index) =>
        isHuge(module.FPDFPage_GetObject(page, index), 4),
      );
    });
  }

  function draw(dpi: number, part: Box = { left: 0, top: 0, right: width, bottom: height }): Drawing {
    const size = fitDrawing(part.right - part.left, part.bottom - part.top, dpi);
    const bitmap = module.FPDFBitmap_Create(size.width, size.height, 0);
    if (!bitmap) throw new LoupeError('document_failed', 'The page needs more memory than Loupe gives to one page.');
    try {
      module.FPDFBitmap_FillRect(bitmap, 0, 0, size.width, size.height, 0xffffffff);
      const at = [
        -Math.round(part.left * size.scale),
        -Math.round(part.top * size.scale),
        Math.max(1, Math.round(width * size.scale)),
        Math.max(1, Math.round(height * size.scale)),
      ] as const;
      module.FPDF_RenderPageBitmap(bitmap, page, ...at, 0, withAnnotations);
      if (form) module.FPDF_FFLDraw(form, bitmap, page, ...at, 0, withAnnotations);
      const start = module.FPDFBitmap_GetBuffer(bitmap) >>> 0;
      const stride = module.FPDFBitmap_GetStride(bitmap);
      return { ...size, ...toRgb(heap(module).subarray(start, start + stride * size.height), stride, size.width, size.height) };
    } finally {
      module.FPDFBitmap_Destroy(bitmap);
    }
  }

  function place(box: Box, drawing: Drawing): Box {
    return withMemory(module, 8, (point) => {
      const device = (x: number, y: number): [number, number] => {
        module.FPDF_PageToDevice(page, 0, 0, drawing.width, drawing.height, 0, x, y, point, point + 4);
        return [pdfium.getValue(point, 'i32'), pdfium.getValue(point + 4, 'i32')];
      };
      const [x1, y1] = device(box.left, box.top);
      const [x2, y2] = device(box.right, box.bottom);
      return { left: Math.min(x1, x2), top: Math.min(y1, y2), right: Math.max(x1, x2) + 1, bottom: Math.max(y1, y2) + 1 };
    });
  }

  return {
    width,
    height,
    rotation: module.FPDFPage_GetRotation(page) * 90,
    characters,
    ink,
    fields,
    hasHugePicture,
    draw,
    place,
    close() {
      if (textPage) module.FPDFText_ClosePage(textPage);
      if (form) module.FORM_OnBeforeClosePage(page, form);
      module.FPDF_ClosePage(page);
    },
  };
}

/**
 * A glyph of several letters (lam-alef) has them in logical order; pdfium turns them round with the line, and gives each a part of
 * the glyph from left to right: where a letter begins exactly at the right of the one before it, they are out of order.
 */
function inLogicalOrder(characters: Character[]): Character[] {
  const ordered: Character[] = [];
  for (let from = 0, to: number; from < characters.length; from = to) {
    to = from + 1;
    while (to < characters.length && isTurnedRound(characters[to - 1]!, characters[to]!)) to++;
    ordered.push(...characters.slice(from, to).toReversed());
  }
  return ordered;
}

function isTurnedRound(before: Character, after: Character): boolean {
  return (
    before.box !== null &&
    after.box !== null &&
    before.box.right === after.box.left &&
    before.box.top === after.box.top &&
    before.box.bottom === after.box.bottom &&
    isRightToLeft(before.text) &&
    isRightToLeft(after.text)
  );
}

function isRightToLeft(text: string): boolean {
  return /^[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u.test(text);
}

/** pdfium writes a hyphen at the end of a line as U+0002. */
function characterOf(code: number): string {
  if (code === 2) return '\u00ad';
  if (code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return '';
  return String.fromCodePoint(code);
}

/** The replacement character, and areas where every font means something else. */
function isUnassigned(code: number): boolean {
  return code === 0 || code === 0xfffd || (code >= 0xe000 && code <= 0xf8ff) || code >= 0xf0000;
}

/** BGRx -> RGB, row by row. */
function toRgb(pixels: Uint8Array, stride: number, width: number, height: number): { data: Uint8Array } {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0, from = y * stride; x < width; x++, from += 4) {
      data[to++] = pixels[from + 2]!;
      data[to++] = pixels[from + 1]!;
      data[to++] = pixels[from]!;
    }
  }
  return { data };
}
