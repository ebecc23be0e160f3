/**
 * Scripts that put no space between words, or write a word and what belongs to it in one (Hangul): the
 * index takes a whole clause for one word there, and what is glued to it (步2重跑gen) for a part of that.
 */
export const unspacedClass =
  '[\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Bopomofo}\\p{Script=Hangul}' +
  '\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}\\p{Script=Myanmar}\\p{Script=Tibetan}\\u30fc\\uff70]';

const unspaced = new RegExp(unspacedClass, 'u');

export function isUnspaced(text: string): boolean {
  return unspaced.test(text);
}
