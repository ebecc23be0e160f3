/** So many are marked and counted: with more of them nobody steps through. */
export const mostOccurrences = 999;

/** Where `words` stands in `text`, whatever the case, one after another without overlap; at most `most`. */
export function occurrences(text: string, words: string, most = mostOccurrences): { from: number; to: number }[] {
  if (words.trim() === '') return [];
  // A space finds any: a line of a paragraph ends in a line break.
  const pattern = words.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`).replaceAll(/\s+/g, String.raw`\s`);
  const found: { from: number; to: number }[] = [];
  for (const match of text.matchAll(new RegExp(pattern, 'giu'))) {
    if (found.length >= most) break;
    found.push({ from: match.index, to: match.index + match[0].length });
  }
  return found;
}
