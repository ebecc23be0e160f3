/** Where the words of a page are, in eight bytes a word. The words themselves are in the page's text, and nowhere twice. */
import type { PageWord } from '../services/ports.ts';

/** Left, top, right, bottom: shares of the width and the height, in 65,535ths; a page of A4 is placed to a hundredth of a point. */
const unit = 65_535;
const bytesPerWord = 8;

interface PageSize {
  width: number;
  height: number;
}

const wordsIn = (text: string): string[] => text.match(/\S+/gu) ?? [];

/** Null where the words are not exactly those of the text, or the page has no size: then no place can be told. */
export function packPlaces(words: readonly PageWord[], text: string, { width, height }: PageSize): Buffer | null {
  const own = wordsIn(text);
  if (words.length === 0 || width <= 0 || height <= 0) return null;
  if (own.length !== words.length || own.some((word, index) => word !== words[index]!.text)) return null;
  const packed = Buffer.alloc(words.length * bytesPerWord);
  for (const [index, { box }] of words.entries())
    for (const [side, at] of box.entries()) {
      const share = Math.min(1, Math.max(0, at / (side % 2 === 0 ? width : height)));
      packed.writeUInt16LE(Math.round(share * unit), index * bytesPerWord + side * 2);
    }
  return packed;
}

/** What `packPlaces` made, with the words of the same text. Empty where they are not as many. */
export function unpackPlaces(packed: Buffer, text: string, { width, height }: PageSize): PageWord[] {
  const words = wordsIn(text);
  if (packed.length !== words.length * bytesPerWord) return [];
  return words.map((word, index) => {
    const at = (side: number, whole: number): number => (packed.readUInt16LE(index * bytesPerWord + side * 2) / unit) * whole;
    return { text: word, box: [at(0, width), at(1, height), at(2, width), at(3, height)] };
  });
}
