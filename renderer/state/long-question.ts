/** What is more than this is folded away in the conversation. */
const mostLines = 14;
const mostCharacters = 1_200;
/** Folding away less than this helps nobody. */
const least = 1.25;

/** The beginning of a question that would fill the window, cut at a line or a word; null for one that is shown whole. */
export function beginningOf(question: string): string | null {
  const end = endOfLine(question, mostLines);
  const tall = end < question.length && endOfLine(question, Math.ceil(mostLines * least)) < question.length;
  if (!tall && question.length <= mostCharacters * least) return null;
  const cut = question.slice(0, Math.min(end, mostCharacters));
  if (cut.length === end) return cut.trimEnd();
  const word = Math.max(cut.lastIndexOf(' '), cut.lastIndexOf('\n'));
  return cut.slice(0, word > mostCharacters / 2 ? word : undefined).toWellFormed();
}

/** Where this many lines end. */
function endOfLine(text: string, count: number): number {
  let at = -1;
  for (let line = 0; line < count; line++) {
    at = text.indexOf('\n', at + 1);
    if (at < 0) return text.length;
  }
  return at;
}
