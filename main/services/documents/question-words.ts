/** The words of a question that say what it is about. */

/** Words that every page has; a question of nothing else is looked for as it is. */
const common = new Set(
  (
    'a about an and are as at be been but by can could did do does for from had has have how i if in into is it its ' +
    'may me much many must my no not of off on one or our out shall should so some that the their them then there they this ' +
    'to too up us was we were what when where which while who whom whose why will with would you your ' +
    'document documents file page pages please say says show tell'
  ).split(' '),
);

/** All of them, in order. */
export function allWords(text: string): string[] {
  return text.normalize('NFC').match(/[\p{L}\p{N}\p{M}]+/gu) ?? [];
}

export function wordsOf(question: string): string[] {
  const all = allWords(question);
  const content = all.filter((word) => !common.has(word.toLowerCase()));
  return [...new Set(content.length > 0 ? content : all)];
}
