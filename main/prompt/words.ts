/**
 * How a tokenizer cuts text into words before it looks for tokens. Its patterns come with the model, and a regular expression can be
 * written that never ends: only those that are known are run.
 */

/** As in tokenizer.json of Llama 3; GGUF files only name it. */
export const llama3Words =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** Llama 3's, and those of models that share its architecture: GPT-2's, and Qwen's, with its variant of single digits. */
const knownPatterns: ReadonlySet<unknown> = new Set([
  llama3Words,
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
]);

/** Whether every regular expression in `tokenizer` (parsed tokenizer.json) that cuts or changes text is a known one. */
export function cutsWordsAsKnown(tokenizer: Readonly<Record<string, unknown>>): boolean {
  return ['normalizer', 'pre_tokenizer', 'decoder'].every((part) => hasKnownPatterns(tokenizer[part]));
}

function hasKnownPatterns(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, inner]) => (key === 'Regex' ? knownPatterns.has(inner) : hasKnownPatterns(inner)));
}
