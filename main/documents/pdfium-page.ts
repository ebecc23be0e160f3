/** One page of a PDF file: its text, its form, and what is drawn of it. */
import type { WrappedPdfiumModule } from '@embedpdf/pdfium';
import type { FormField } from '../services/ports.ts';
import { readCharacters, type Character } from './characters.ts';
import { fitDrawing, largestPicture, type Box, type Drawing } from './drawing.ts';
import { heap, outOfMemory, utf16, withMemory } from './pdfium-memory.ts';

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

const widget = 20;
const pictureObject = 3;
const formObject = 5;
/** FPDF_ANNOT: annotations are part of the page. */
const withAnnotations = 1;
const invisibleMode = 3;
const fieldTypes = { checkBox: 2, radio: 3, signature: 7 } as const;
/** Forms in forms that are looked into. */
const mostDepth = 4;

type Module = WrappedPdfiumModule;

export function openPage(module: Module, page: number, form: number): PdfPage {
  if (form) module.FORM_OnAfterLoadPage(page, form);
  const width = module.FPDF_GetPageWidthF(page);
  const height = module.FPDF_GetPageHeightF(page);
  let textPage = 0;
  const text = (): number => (textPage ||= module.FPDFText_LoadPage(page));
  return {
    width,
    height,
    rotation: module.FPDFPage_GetRotation(page) * 90,
    characters: () => readCharacters(module, text()),
    ink: (index) => inkOf(module, module.FPDFText_GetTextObject(text(), index)),
    fields: () => (form ? readFields(module, page, form) : []),
    hasHugePicture: () => hasHugePicture(module, page),
    draw: (dpi, part = { left: 0, top: 0, right: width, bottom: height }) => draw(module, { page, form, width, height }, dpi, part),
    place: (box, drawing) => place(module, page, box, drawing),
    close() {
      if (textPage) module.FPDFText_ClosePage(textPage);
      if (form) module.FORM_OnBeforeClosePage(page, form);
      module.FPDF_ClosePage(page);
    },
  };
}

function inkOf(module: Module, object: number): Ink {
  const font = object ? module.FPDFTextObj_GetFont(object) : 0;
  return withMemory(module, 16, (colour) => {
    const known = object !== 0 && module.FPDFPageObj_GetFillColor(object, colour, colour + 4, colour + 8, colour + 12);
    return {
      embedded: font !== 0 && module.FPDFFont_GetIsEmbedded(font) === 1,
      invisible: object !== 0 && module.FPDFTextObj_GetTextRenderMode(object) === invisibleMode,
      colour: known
        ? (Array.from({ length: 3 }, (_, channel) => module.pdfium.getValue(colour + 4 * channel, 'i32')) as Ink['colour'])
        : [0, 0, 0],
    };
  });
}

function readFields(module: Module, page: number, form: number): FormField[] {
  return Array.from({ length: module.FPDFPage_GetAnnotCount(page) }, (_, index): FormField | null => {
    const annotation = module.FPDFPage_GetAnnot(page, index);
    if (!annotation) return null;
    try {
      if (module.FPDFAnnot_GetSubtype(annotation) !== widget) return null;
      const name = utf16(module, (buffer, size) => module.FPDFAnnot_GetFormFieldName(form, annotation, buffer, size));
      return { name, value: fieldValue(module, form, annotation) };
    } finally {
      module.FPDFPage_CloseAnnot(annotation);
    }
  }).filter((field) => field !== null);
}

function fieldValue(module: Module, form: number, annotation: number): string {
  switch (module.FPDFAnnot_GetFormFieldType(form, annotation)) {
    case fieldTypes.checkBox:
    case fieldTypes.radio:
      return module.FPDFAnnot_IsChecked(form, annotation) ? 'yes' : 'no';
    case fieldTypes.signature:
      return '';
    default:
      return utf16(module, (buffer, size) => module.FPDFAnnot_GetFormFieldValue(form, annotation, buffer, size));
  }
}

function hasHugePicture(module: Module, page: number): boolean {
  const { pdfium } = module;
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
      isHuge(module.FPDFPage_GetObject(page, index), mostDepth),
    );
  });
}

interface Drawn {
  page: number;
  form: number;
  /** Points. */
  width: number;
  height: number;
}

function draw(module: Module, { page, form, width, height }: Drawn, dpi: number, part: Box): Drawing {
  const size = fitDrawing(part.right - part.left, part.bottom - part.top, dpi);
  const bitmap = module.FPDFBitmap_Create(size.width, size.height, 0);
  if (!bitmap) throw outOfMemory();
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
    const pixels = new Uint32Array(heap(module).buffer, start, (stride / 4) * size.height);
    return { ...size, data: toRgb(pixels, stride / 4, size.width, size.height) };
  } finally {
    module.FPDFBitmap_Destroy(bitmap);
  }
}

function place(module: Module, page: number, box: Box, { width, height }: Drawing): Box {
  return withMemory(module, 8, (point) => {
    const device = (x: number, y: number): [number, number] => {
      module.FPDF_PageToDevice(page, 0, 0, width, height, 0, x, y, point, point + 4);
      return [module.pdfium.getValue(point, 'i32'), module.pdfium.getValue(point + 4, 'i32')];
    };
    const [x1, y1] = device(box.left, box.top);
    const [x2, y2] = device(box.right, box.bottom);
    return { left: Math.min(x1, x2), top: Math.min(y1, y2), right: Math.max(x1, x2) + 1, bottom: Math.max(y1, y2) + 1 };
  });
}

/** Rows of 0xxxRRGGBB, `stride` pixels each, some of them only there to fill up -> RGB. */
function toRgb(pixels: Uint32Array, stride: number, width: number, height: number): Uint8Array {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, to = 0; y < height; y++) {
    for (let from = y * stride, end = from + width; from < end; from++) {
      const pixel = pixels[from]!;
      data[to++] = pixel >>> 16;
      data[to++] = pixel >>> 8;
      data[to++] = pixel;
    }
  }
  return data;
}
