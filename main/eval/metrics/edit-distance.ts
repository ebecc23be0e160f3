/** Levenshtein's distance: insertions, deletions and exchanges of one character that turn `from` into `to`. */
export function editDistance(from: string, to: string): number {
  const [source, target] = [Array.from(from), Array.from(to)];
  let previous = Array.from({ length: target.length + 1 }, (_, index) => index);
  for (const [row, character] of source.entries()) {
    const current = [row + 1];
    for (const [column, other] of target.entries()) {
      const exchanged = previous[column]! + (character === other ? 0 : 1);
      current.push(Math.min(exchanged, previous[column + 1]! + 1, current[column]! + 1));
    }
    previous = current;
  }
  return previous[target.length]!;
}
