/** JSON as people's tools write it: with a byte order mark before it, and with Python's NaN and Infinity, which JSON lacks. */

/** The object written in `text`; null for anything else. NaN and Infinity become texts, as in native/src/weights/strict_json.h. */
export function parseJsonObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(withQuotedNumbers(text.replace(/^\uFEFF/, '')));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function withQuotedNumbers(text: string): string {
  if (!/NaN|Infinity/.test(text)) return text;
  return text.replace(/"(?:[^"\\]|\\.)*"|-?Infinity|NaN/gs, (found) => (found.startsWith('"') ? found : `"${found}"`));
}
