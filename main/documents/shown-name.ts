/** A name that stands in a sentence: it begins no line there, and turns no words around it. A file may be called anything. */
export function shownName(name: string): string {
  const shown = name
    .toWellFormed()
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]+/gu, ' ')
    .trim();
  return shown || 'A file without a name';
}
