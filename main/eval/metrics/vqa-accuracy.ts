/**
 * 0 .. 1 as Antol et al. 2015, "VQA", define it: an answer is right where three people gave it, and a third right for each one who did.
 * Of the answers of all people each in turn is left out, and the mean is taken, which is how the figures are published; a single answer
 * is compared as it is.
 */
export function vqaAccuracy(reply: string, answers: readonly string[]): number {
  const given = normaliseVqaAnswer(reply);
  const people = answers.map(normaliseVqaAnswer);
  const agree = people.filter((answer) => answer === given).length;
  if (people.length < 2) return agree;
  const shares = people.map((answer) => Math.min(1, (agree - (answer === given ? 1 : 0)) / 3));
  return shares.reduce((sum, share) => sum + share, 0) / shares.length;
}

const marks = [...';/[]"{}()=+\\_-><@`,?!'];
const numerals = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'];
const digits: Record<string, string> = { none: '0', ...Object.fromEntries(numerals.map((word, value) => [word, String(value)])) };
const articles = new Set(['a', 'an', 'the']);

/**
 * As the authors of VQA compare answers: lower case, numerals up to ten as digits, no articles, no full stops but in numbers; other
 * marks are left out where they stand beside a space, or where the answer has a number with a comma, and else become a space.
 * Their list of contractions gives "dont" its apostrophe; here "don't" loses its own, which makes the same answers equal.
 */
export function normaliseVqaAnswer(answer: string): string {
  const line = answer.replace(/\s+/g, ' ').trim();
  const words = withoutMarks(line).toLowerCase().split(' ');
  return words
    .map((word) => digits[word] ?? word)
    .filter((word) => word !== '' && !articles.has(word))
    .map(withoutApostrophe)
    .join(' ');
}

function withoutMarks(line: string): string {
  const hasThousands = /\d,\d/.test(line);
  let text = line;
  for (const mark of marks) {
    const drops = hasThousands || line.includes(`${mark} `) || line.includes(` ${mark}`);
    text = text.replaceAll(mark, drops ? '' : ' ');
  }
  return text.replace(/\.(?!\d)/g, '');
}

function withoutApostrophe(word: string): string {
  const contracts =
    /n't|'(?:ve|re|ll|d|m|clock)$/.test(word) || /^(?:he|she|it|that|there|what|where|who|how|let|somebody|someone)'s$/.test(word);
  return contracts ? word.replaceAll("'", '') : word;
}
