/** The characters of a page, in the order in which they are read, with their places. */
import type { WrappedPdfiumModule } from '@embedpdf/pdfium';
import type { Box } from './drawing.ts';
import { heap, withMemory } from './pdfium-memory.ts';

export interface Character {
  /** One code point; empty where the file does not say which. */
  text: string;
  /** In points, y upwards, of the unrotated page; null for what pdfium adds (spaces, line breaks). */
  box: Box | null;
  /** The file does not say which character the glyph is. */
  unmapped: boolean;
}

/** Functions that are called for each character: the package's own wrappers of them take longer than they do. */
interface PerCharacter {
  FPDFText_GetUnicode(textPage: number, index: number): number;
  FPDFText_IsGenerated(textPage: number, index: number): number;
  FPDFText_HasUnicodeMapError(textPage: number, index: number): number;
  FPDFText_GetCharBox(textPage: number, index: number, left: number, right: number, bottom: number, top: number): number;
}

/** Four numbers of 8 bytes. */
const boxBytes = 32;

export function readCharacters(module: WrappedPdfiumModule, textPage: number): Character[] {
  const pdfium = module.pdfium.wasmExports as unknown as PerCharacter;
  const read = withMemory(module, boxBytes, (at) =>
    Array.from({ length: Math.max(0, module.FPDFText_CountChars(textPage)) }, (_, index): Character => {
      const code = pdfium.FPDFText_GetUnicode(textPage, index) >>> 0;
      const added = pdfium.FPDFText_IsGenerated(textPage, index) === 1;
      const placed = !added && pdfium.FPDFText_GetCharBox(textPage, index, at, at + 8, at + 16, at + 24) !== 0;
      return {
        text: characterOf(code),
        box: placed ? boxAt(heap(module), at) : null,
        unmapped: !added && (pdfium.FPDFText_HasUnicodeMapError(textPage, index) === 1 || isUnassigned(code)),
      };
    }),
  );
  return inLogicalOrder(read);
}

function boxAt({ buffer }: Uint8Array, at: number): Box {
  const [left, right, bottom, top] = new Float64Array(buffer, at, 4) as unknown as [number, number, number, number];
  return { left, top, right, bottom };
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
