import { editDistance } from './edit-distance.ts';
import { finalAnswer } from './final-answer.ts';

/** Of the option with this index: A, B, C ... */
export function letterOf(index: number): string {
  return String.fromCharCode(0x41 + index);
}

/**
 * The index of the option that a reply chooses, looked for as the authors of MMMU do: a letter in brackets, else a letter that stands
 * alone, else the text of an option; of several the last. What the reply marks as its answer is searched first. Null where nothing is
 * found: their program then draws an option, which counts as right by luck.
 */
export function chosenOption(reply: string, options: readonly string[]): number | null {
  for (const text of [finalAnswer(reply), reply]) {
    const found = onlyLetter(text, options.length) ?? lastLetter(text, options.length) ?? lastText(text, options);
    if (found !== null) return found;
  }
  return null;
}

/** As `chosenOption`, and else the option whose text is most like the answer, as the authors of MathVista do. */
export function nearestOption(reply: string, options: readonly string[]): number {
  const answer = finalAnswer(reply).toLowerCase();
  const distances = options.map((option) => editDistance(answer, option.toLowerCase()));
  return chosenOption(reply, options) ?? distances.indexOf(Math.min(...distances));
}

/** The whole text is a letter, or begins with one as options do: "B", "(B)", "B. ears". */
function onlyLetter(text: string, count: number): number | null {
  return indexOfLetter(/^\W*([A-Z])(?:\W*$|[.:)])/.exec(text)?.[1], count);
}

function lastLetter(text: string, count: number): number | null {
  // A capital before a small letter is an article or a pronoun: "A dog", "I see".
  for (const pattern of [/\(([A-Z])\)/g, /(?<![\w'])([A-Z])(?=[\s.,:;!?]|$)(?!\s[a-z])/g]) {
    const found = [...text.matchAll(pattern)].map(([, letter]) => indexOfLetter(letter, count)).filter((index) => index !== null);
    if (found.length > 0) return found.at(-1)!;
  }
  return null;
}

function lastText(text: string, options: readonly string[]): number | null {
  const lower = text.toLowerCase();
  let best: { index: number; end: number; length: number } | null = null;
  for (const [index, option] of options.entries()) {
    const wanted = option.trim().toLowerCase();
    const at = wanted === '' ? -1 : lastWhole(lower, wanted);
    const end = at + wanted.length;
    // Of two that end in the same place the longer one: "cell" stands in "white cell".
    if (at >= 0 && (!best || end > best.end || (end === best.end && wanted.length > best.length)))
      best = { index, end, length: wanted.length };
  }
  return best?.index ?? null;
}

/** Where `wanted` stands last and is no part of a longer word or number; -1 where it does not. */
function lastWhole(text: string, wanted: string): number {
  const isWord = (character: string | undefined): boolean => character !== undefined && /[\p{L}\p{N}]/u.test(character);
  for (let at = text.lastIndexOf(wanted); at >= 0; at = at === 0 ? -1 : text.lastIndexOf(wanted, at - 1)) {
    const before = isWord(wanted[0]) && isWord(text[at - 1]);
    const after = isWord(wanted.at(-1)) && isWord(text[at + wanted.length]);
    if (!before && !after) return at;
  }
  return -1;
}

function indexOfLetter(letter: string | undefined, count: number): number | null {
  const index = letter === undefined ? -1 : letter.charCodeAt(0) - 0x41;
  return index >= 0 && index < count ? index : null;
}
