const escapes: Record<string, string> = { n: '\n', t: '\t', r: '\r', '\\': '\\', "'": "'", '"': '"' };

/** A list of strings and numbers as Python prints it, "['a', \"it's\", 3]" -> texts. Null for anything else. */
export function pythonStrings(text: string): string[] | null {
  const list = /^\s*\[(.*)\]\s*$/s.exec(text)?.[1]?.trim();
  if (list === undefined) return null;
  const entry = /\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|([-+\d.eE]+))\s*(?:,|$)/sy;
  const found: string[] = [];
  while (entry.lastIndex < list.length) {
    const match = entry.exec(list);
    if (!match) return null;
    const [, single, double, number] = match;
    found.push(number ?? unescape((single ?? double)!));
  }
  return found;
}

function unescape(text: string): string {
  return text.replace(/\\(?:x([\da-f]{2})|u([\da-f]{4})|(.))/gis, (whole, byte?: string, unit?: string, one?: string) => {
    const code = byte ?? unit;
    if (code !== undefined) return String.fromCharCode(parseInt(code, 16));
    // An escape that Python does not know stays as it is.
    return escapes[one!] ?? whole;
  });
}
