/** Things of ours that stand in the words of a text in place of what the author wrote. */

export interface Insert {
  /** What it stands for, as it is written. */
  source: string;
  /** Only where it is no part of a longer word or number. */
  whole?: boolean;
}

/** Words, and in between the index of what stands there. What is formatted within, or is code, stays as it is written. */
export function withInserts(text: string, inserts: readonly Insert[]): (string | number)[] {
  const parts: (string | number)[] = [];
  const bySource = new Map(inserts.map(({ source }, index) => [source, index]).toReversed() as [string, number][]);
  bySource.delete('');
  // The longest first: one may begin as another does.
  const lengths = [...new Set([...bySource.keys()].map(({ length }) => length))].sort((one, other) => other - one);
  const stands = (all: string, at: number, length: number): boolean => {
    const index = bySource.get(all.slice(at, at + length));
    return index !== undefined && (!inserts[index]!.whole || isWhole(all, at, at + length));
  };
  const beginnings = new Set([...bySource.keys()].map((source) => source[0]!));
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    if (!beginnings.has(text[at]!)) continue;
    const length = lengths.find((some) => stands(text, at, some));
    if (length === undefined) continue;
    if (at > from) parts.push(text.slice(from, at));
    parts.push(bySource.get(text.slice(at, at + length))!);
    from = at + length;
    at = from - 1;
  }
  if (from < text.length) parts.push(text.slice(from));
  return parts;
}

/** No letter or digit is next to it, nor a separator of a number behind which it goes on. */
function isWhole(text: string, from: number, to: number): boolean {
  const before = text.slice(Math.max(0, from - 3), from);
  const after = text.slice(to, to + 3);
  return !/[\p{L}\p{M}\p{N}]$|\p{N}[.,:/'’-]$/u.test(before) && !/^[\p{L}\p{M}\p{N}]|^[.,:/'’-]\p{N}/u.test(after);
}
