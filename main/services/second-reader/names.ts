/** Names and quoted words of an answer that the picture's text spells otherwise. */
import type { Difference, TextLine } from '../../contract.ts';
import { isOneStep } from './numbers.ts';
import { sure } from './picture-rows.ts';

interface Name {
  offset: number;
  written: string;
}

/** A shorter name has too many neighbours. */
const leastLetters = 5;
/** Of one kind, in one answer. */
const mostNames = 200;

/** In the middle of a sentence, or quoted. */
const capitalised = /(?<=[\p{L}\p{N},;:)][ ]\*{0,2}|["“„«(]\*{0,2})\p{Lu}\p{L}{4,}(?![\p{L}\p{N}'’-])/gu;
const quoted = /(?:"([^"\n]{5,60})"|“([^”\n]{5,60})”)/gu;

export function differentNames(answer: string, lines: readonly TextLine[], known: string): Difference[] {
  const all = lines.map(({ text }) => text).join('\n');
  const certain = lines.filter(({ confidence }) => confidence >= sure).map(({ text }) => text);
  const candidates = new Map(certain.flatMap((text) => [...text.matchAll(/\p{Lu}\p{L}{4,}/gu)]).map(([name]) => [letters(name), name]));
  const phrases = new Map(certain.map((text) => [letters(text), text.trim()]));
  const others = letters(`${all}\n${known}`);
  const stated = letters(answer);
  const seen = new Set<string>();

  const check = (among: ReadonlyMap<string, string>, names: readonly Name[]): Difference[] =>
    names.flatMap(({ offset, written }): Difference[] => {
      const own = letters(written);
      if (own.length < leastLetters || others.includes(own) || seen.has(own)) return [];
      seen.add(own);
      const likely = [...among].filter(([other]) => !stated.includes(other) && isMisspelt(own, other));
      return likely.length === 1 ? [{ offset, length: written.length, answer: written, picture: likely[0]![1] }] : [];
    });

  const names = [...answer.matchAll(capitalised)].slice(0, mostNames).map(({ 0: written, index }) => ({ offset: index, written }));
  const quotes = [...answer.matchAll(quoted)]
    .slice(0, mostNames)
    .map((match) => ({ offset: match.index + 1, written: (match[1] ?? match[2])! }))
    // Numbers have rules of their own.
    .filter(({ written }) => written.includes(' ') && !/\d/.test(written));
  return [...check(candidates, names), ...check(phrases, quotes).filter(({ offset, length }) => !holds(offset, length, names, candidates))];
}

/** A name within it was found already. */
function holds(offset: number, length: number, names: readonly Name[], candidates: ReadonlyMap<string, string>): boolean {
  return names.some(
    ({ offset: at, written }) =>
      at >= offset && at < offset + length && [...candidates.keys()].some((other) => isMisspelt(letters(written), other)),
  );
}

/** One letter is another, and the words are not forms or spellings of one. */
function isMisspelt(own: string, other: string): boolean {
  if (Math.min(own.length, other.length) < leastLetters || !isOneStep(own, other)) return false;
  const shared = [...own].findIndex((letter, index) => letter !== other[index]);
  // What differs at the end is an ending; s and z, and a u after an o, are British and American.
  const isEnding = shared < 0 || shared >= Math.min(own.length, other.length) - 2;
  return !isEnding && own.replace(/z/g, 's').replace(/ou/g, 'o') !== other.replace(/z/g, 's').replace(/ou/g, 'o');
}

/** Letters and digits alone, without accents, ue as ü; those that the recogniser confuses are alike. */
function letters(text: string): string {
  return text
    .normalize('NFD')
    .toLowerCase()
    .replace(/ß/g, 'ss')
    .replace(/[^\p{L}\p{N}]/gu, '')
    .replace(/([aou])e/g, '$1')
    .replace(/rn/g, 'm')
    .replace(/vv/g, 'w')
    .replace(/[1i|]/g, 'l')
    .replace(/0/g, 'o')
    .replace(/5/g, 's');
}
