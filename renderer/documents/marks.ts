/** The state of each page as one letter -> as many marks as a line has room for, and what is to be said of them. */

/** text, ocr, picture, blank, failed, waiting. */
export type Mark = 't' | 'o' | 'p' | 'b' | 'f' | 'w';

const most = 120;
/** What a person has to know of several pages that share a mark. */
const byWeight: readonly Mark[] = ['f', 'p', 'w', 'o', 't', 'b'];

/** Of how many pages a part is missing or left out: those with a capital. */
export function partsMissing(states: string): number {
  return states.length - states.replace(/[A-Z]/g, '').length;
}

export function marksOf(states: string): Mark[] {
  const marks = [...states.toLowerCase()].filter((letter): letter is Mark => (byWeight as readonly string[]).includes(letter));
  if (marks.length <= most) return marks;
  return Array.from({ length: most }, (_, index) => {
    const from = Math.floor((index * marks.length) / most);
    const some = new Set(marks.slice(from, Math.floor(((index + 1) * marks.length) / most)));
    return byWeight.find((mark) => some.has(mark))!;
  });
}
