/** JSON as people's tools write it: with a byte order mark before it, and with Python's NaN and Infinity, which JSON lacks. */

/** As in native/src/weights/strict_json.h: far above what any model's files hold, and cheap to read. */
const deepest = 16;
const mostValues = 2_000_000;

/**
 * The object written in `text`; null for anything else, and for what is nested deeper or holds more values than files of models do.
 * NaN and Infinity become texts, as in native/src/weights/strict_json.h.
 */
export function parseJsonObject(text: string): Record<string, unknown> | null {
  try {
    if (!isBounded(text)) return null;
    const value: unknown = JSON.parse(withQuotedNumbers(text.replace(/^\uFEFF/, '')));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** Without parsing it: 60 MB of brackets take gigabytes once they are arrays. */
export function isBounded(text: string, limits = { deepest, mostValues }): boolean {
  let depth = 0;
  let values = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at);
    if (character === quote) {
      at = endOfText(text, at + 1);
      if (at < 0) return false;
    } else if (character === openBrace || character === openBracket) {
      values++;
      if (++depth > limits.deepest) return false;
    } else if (character === closeBrace || character === closeBracket) depth--;
    else if (character === comma) values++;
    if (values > limits.mostValues) return false;
  }
  return true;
}

/** Of the quote that closes it; -1 where none does. */
function endOfText(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at >= 0; at = text.indexOf('"', at + 1)) {
    let escapes = 0;
    while (text.charCodeAt(at - 1 - escapes) === backslash) escapes++;
    if (escapes % 2 === 0) return at;
  }
  return -1;
}

const [quote, backslash, comma] = [0x22, 0x5c, 0x2c];
const [openBracket, closeBracket, openBrace, closeBrace] = [0x5b, 0x5d, 0x7b, 0x7d];

function withQuotedNumbers(text: string): string {
  if (!/NaN|Infinity/.test(text)) return text;
  return text.replace(/"(?:[^"\\]|\\.)*"|-?Infinity|NaN/gs, (found) => (found.startsWith('"') ? found : `"${found}"`));
}
