/** Characters with their places -> words, and of those what a person sees of them as text. */
import type { PageFlag, PageWord } from '../services/ports.ts';
import type { Character } from './characters.ts';
import { isBlank, isSeen, isTooLarge, wouldBeSeen, type Box, type Drawing } from './drawing.ts';
import type { PdfPage } from './pdfium-page.ts';

/** Dots an inch at which a word is looked for. */
const dpi = 96;
/** Words that are looked for once more, one by one, on a page that is too large to be drawn at `dpi`. */
const mostCloseLooks = 300;
/** Of the characters of a page; sound files have none that their file does not explain. */
const mostUnmapped = 0.1;

export interface PageText {
  text: string;
  words: PageWord[];
  flags: PageFlag[];
  /** Words that nobody sees. */
  hidden: number;
  blank: boolean;
}

interface Word {
  /** Indices of characters. */
  from: number;
  to: number;
  text: string;
  box: Box | null;
}

interface PlacedWord extends Word {
  /** In the pixels of the drawing. */
  place: Box | null;
}

export function readText(page: PdfPage): PageText {
  const characters = page.characters();
  const drawing = page.draw(dpi);
  const flags = new Set<PageFlag>();
  if (isTooLarge(page.width, page.height)) flags.add('too-large');
  if (isGarbled(characters)) {
    flags.add('garbled');
    return { text: '', words: [], flags: [...flags], hidden: 0, blank: false };
  }
  let closeLooks = 0;
  const isVisible = ({ from, text, place }: PlacedWord): boolean => {
    // What pdfium adds between words has no place and needs none.
    if (!place) return true;
    if (isSeen(drawing, place)) return true;
    if (drawing.scale < (dpi / 72) * 0.99 && closeLooks++ < mostCloseLooks && isSeenClosely(page, place, drawing)) return true;
    const ink = page.ink(from);
    if (ink.embedded || ink.invisible || !needsFont(text) || !wouldBeSeen(drawing, place, ink.colour)) return false;
    flags.add('font-missing');
    return true;
  };
  const words = wordsOf(characters).map((word): PlacedWord => ({ ...word, place: word.box && page.place(word.box, drawing) }));
  const seen = words.filter(isVisible);
  if (seen.length < words.length) flags.add('hidden-text');
  return {
    text: textOf(characters, seen.length < words.length ? new Set(seen) : null, words),
    words: seen.flatMap(({ text, place }) => {
      if (!place) return [];
      const { left, top, right, bottom } = place;
      const points = [left, top, right, bottom].map((pixels) => Math.round((pixels / drawing.scale) * 10) / 10);
      return [{ text, box: points as PageWord['box'] }];
    }),
    flags: [...flags],
    hidden: words.length - seen.length,
    blank: isBlank(drawing),
  };
}

function isGarbled(characters: Character[]): boolean {
  const drawn = characters.filter(({ box, text }) => box && text.trim() !== '');
  const unmapped = characters.filter(({ unmapped }) => unmapped).length;
  return unmapped > 0 && unmapped >= mostUnmapped * Math.max(1, drawn.length);
}

function wordsOf(characters: Character[]): Word[] {
  const words: Word[] = [];
  let word: Word | null = null;
  for (const [index, { text, box }] of characters.entries()) {
    if (/^[\s\0]*$/u.test(text)) {
      word = null;
      continue;
    }
    if (!word) words.push((word = { from: index, to: index, text: '', box: null }));
    word.to = index;
    word.text += text;
    if (box) word.box = word.box ? around(word.box, box) : box;
  }
  return words;
}

/** y upwards. */
function around(one: Box, other: Box): Box {
  return {
    left: Math.min(one.left, other.left),
    top: Math.max(one.top, other.top),
    right: Math.max(one.right, other.right),
    bottom: Math.min(one.bottom, other.bottom),
  };
}

/** The part of the page at the full resolution. */
function isSeenClosely(page: PdfPage, place: Box, drawing: Drawing): boolean {
  const part = {
    left: Math.max(0, place.left / drawing.scale),
    top: Math.max(0, place.top / drawing.scale),
    right: Math.min(page.width, place.right / drawing.scale),
    bottom: Math.min(page.height, place.bottom / drawing.scale),
  };
  if (part.right <= part.left || part.bottom <= part.top) return false;
  const close = page.draw(dpi, part);
  return isSeen(close, { left: 0, top: 0, right: close.width, bottom: close.height });
}

/** pdfium brings the shapes of Latin letters along. */
function needsFont(text: string): boolean {
  return /[^\u0000-\u024f\u2000-\u206f]/u.test(text);
}

function textOf(characters: Character[], seen: Set<Word> | null, words: Word[]): string {
  const left = new Set(seen ? words.filter((word) => !seen.has(word)).flatMap(({ from, to }) => range(from, to)) : []);
  const text = characters
    .map(({ text }, index) => (left.has(index) ? '' : text))
    .join('')
    .replace(/\r\n?/g, '\n')
    // A word that was broken at the end of a line is one word; "1990-" before "1995" keeps its dash.
    .replace(/(\p{Ll})\u00ad\s*(?=\p{Ll})/gu, '$1')
    .replace(/\u00ad/g, '-')
    .replace(/[^\S\n]+\n/g, '\n');
  return (seen ? text.replace(/[^\S\n]{2,}/g, ' ').replace(/\n{3,}/g, '\n\n') : text).trim();
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}
