/**
 * Answers that a model, or a page that it reads out, could write to break the window: seeded, so
 * that number n of a seed is the same text for ever.
 */
import { randomNumbers } from '../../../main/test/random.ts';

/** Repeated, nested or cut off, each of these was slow, deep or wrong in some Markdown parser. */
const pieces = [
  '*a **b ',
  '*',
  '*a',
  '*a _b ',
  'b* ',
  'c* d_ ',
  '**a**',
  '_',
  '__a__',
  '~~a~',
  '~',
  '***a** b* ',
  '>',
  '> ',
  '> a\n',
  '- ',
  '- a\n',
  '$a',
  '$',
  '$$',
  '$$\n',
  '\\(',
  '\\[\n',
  '\\) ',
  '* ',
  '+ a\n\n',
  '1. ',
  '1) a\n',
  '-\t',
  '\t',
  '    ',
  '    a\n',
  '[',
  ']',
  '![',
  '](',
  '[a](b',
  '[a](<b',
  '[a](b "',
  '[a](b)',
  '[a]',
  '[a][b]',
  '[[a]](',
  '[a]: b\n',
  '[a]: b "\n',
  '[a]:\n',
  '\\',
  '\\[',
  '`',
  '``',
  '`a``b',
  '```\n',
  '```js\n',
  '~~~\n',
  '&',
  '&#',
  '&#x1F600;',
  '&amp;',
  '<',
  '<a b="',
  "<a b='",
  '<a ',
  '<!--',
  '-->',
  '<?',
  '<![CDATA[',
  '<div>\n',
  '</div>',
  '<pre>\n\n',
  '<script>',
  '<img src=x onerror=alert(1)>',
  '<iframe src="https://example.org/"></iframe>',
  '![a](https://example.org/t.png)',
  '[a](javascript:alert(1))',
  '[a](data:text/html,a)',
  '|',
  '|a',
  '|-',
  '|a|b|\n|-|-|\n',
  '|:-:|',
  '| 1 | 2 |\n',
  '\\|',
  '# ',
  '#',
  '####### a\n',
  '===\n',
  '---\n',
  '***\n',
  '\n',
  '\n\n',
  '\r',
  '\r\n',
  ' ',
  '  \n',
  '\\\n',
  'https://a.b/',
  'http://',
  'www.a.',
  'a@b.c',
  'a@',
  '@',
  'https://a.b/(',
  '[ ] ',
  '- [x] a\n',
  '- [ ] ',
  'a',
  'word ',
  '中文',
  '*中文。*后',
  'שלום ',
  'مرحبا ',
  '🦊',
  '👩‍👩‍👧',
  'e\u0301',
  '\u202e',
  '\u2066',
  '\u200d',
  '\u0000',
  '\ud800',
  '\udc00',
  '\ufeff',
  '\u2028',
  '$x_1$',
  '\\(a\\)',
  '__proto__',
  'constructor',
  '[constructor]',
  '[__proto__]: a\n',
] as const;

const ordinary =
  '# Result\n\nThe picture shows **three** boxes:\n\n1. A *red* one with `id=1`\n   - inner\n2. A blue one\n\n' +
  '> Note: see https://example.org.\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n```js\nlet a = 1;\n```\n\n' +
  'שלום, **world**.\n';

export function hostileAnswer(seed: number): string {
  const next = randomNumbers(seed);
  const below = (count: number) => Math.floor(next() * count);
  const piece = () => pieces[below(pieces.length)]!;
  const short = () => Array.from({ length: 1 + below(4) }, piece).join('');
  // Most are short, so that many can be tried; some are as long as the longest.
  const length = below(2_000) === 0 ? 40_000 : below(200) === 0 ? 8_000 : 2 ** (2 + below(8));
  const fill = (part: string) => part.repeat(Math.ceil(length / part.length));
  const kinds = [
    () => fill(short()),
    () => fill(piece()) + short(),
    () => fill(short()).slice(0, length / 2) + short() + fill(short()).slice(0, length / 2),
    () => Array.from({ length: length / 4 }, piece).join(''),
    () => Array.from({ length: 1 + below(40) }, (_, depth) => `${piece().repeat(depth)}${short()}\n`).join(''),
    () => fill(ordinary),
    () => mutated(fill(ordinary).slice(0, 4_000), below, piece),
    () => `${fill(piece())}\n${short().repeat(3)}\n\n${ordinary}`,
  ];
  return kinds[below(kinds.length)]!().slice(0, length);
}

function mutated(text: string, below: (count: number) => number, piece: () => string): string {
  let changed = text;
  for (let left = 1 + below(20); left > 0; left--) {
    const at = below(changed.length);
    changed = changed.slice(0, at) + (below(2) === 0 ? piece().repeat(1 + below(5)) : '') + changed.slice(at + below(6));
  }
  return changed;
}

/** Each grows with `length` without end; all of these took more than linear time somewhere. */
export const families: Record<string, (length: number) => string> = {
  'emphasis that never closes': (n) => '*a **b '.repeat(n / 7),
  'emphasis that never opens': (n) => 'a* b** '.repeat(n / 7),
  'stars before words, words before stars': (n) => '*a '.repeat(n / 6) + 'b*'.repeat(n / 4),
  'stars among underscores': (n) => '_a'.repeat(n / 4) + 'b*'.repeat(n / 4),
  'bold after bold': (n) => '**a**'.repeat(n / 5),
  'quotes on one line': (n) => '>'.repeat(n),
  'quotes on many lines': (n) => `${'> '.repeat(30)}a\n`.repeat(n / 62),
  'items on one line': (n) => `${'- '.repeat(n / 2)}a`,
  'items in items': (n) =>
    Array.from({ length: 60 }, (_, i) => `${'  '.repeat(i)}- a\n`)
      .join('')
      .repeat(n / 3_800),
  'opening brackets': (n) => '['.repeat(n),
  'brackets in brackets': (n) => '['.repeat(n / 2) + ']'.repeat(n / 2),
  'addresses that never end': (n) => '[a](b'.repeat(n / 5),
  'titles that never end': (n) => '[a](b "'.repeat(n / 7),
  'links in brackets': (n) => '['.repeat(n / 2) + '[a](b)'.repeat(n / 12),
  'pictures in pictures': (n) => '!['.repeat(n / 6) + 'a' + '](b)'.repeat(n / 6),
  'backticks of every length': (n) => Array.from({ length: Math.floor(Math.sqrt(n * 2)) }, (_, i) => `e${'`'.repeat(i + 1)}`).join(''),
  'tags that never end': (n) => '<a b="'.repeat(n / 6),
  attributes: (n) => `<a${' b'.repeat(n / 2)}`,
  'dollars that never close': (n) => '$a '.repeat(n / 3),
  'brackets of formulas that never close': (n) => '\\('.repeat(n / 2),
  'formulas by themselves': (n) => '$$\n'.repeat(n / 3),
  'formulas again and again': (n) => '$a$ '.repeat(n / 4),
  'comments that never end': (n) => 'a <!-- '.repeat(n / 7),
  columns: (n) => `${'|a'.repeat(n / 4)}\n${'|-'.repeat(n / 4)}`,
  'short rows': (n) => `|${'a|'.repeat(90)}\n|${'-|'.repeat(90)}\n${'a\n'.repeat(n / 2)}`,
  'tables of short rows': (n) => `|${'a|'.repeat(90)}\n|${'-|'.repeat(90)}\n${'a\n'.repeat(50)}\n`.repeat(n / 467),
  definitions: (n) => Array.from({ length: Math.floor(n / 16) }, (_, i) => `[a${i}]: b\n`).join('') + '[a1] '.repeat(n / 10),
  addresses: (n) => 'https://a.b/( www.a. a@b- '.repeat(n / 26),
  'a domain of dashes': (n) => `a@${'-'.repeat(n)}a`,
  'spaces before a line break': (n) => `a${' '.repeat(n)}b\nc`,
  'blank lines': (n) => '\n'.repeat(n),
  'closing marks of a heading': (n) => `# ${'#'.repeat(n)} a`,
  'almost a rule': (n) => `${'- '.repeat(n / 2)}a`,
  fences: (n) => '```\n'.repeat(n / 4),
  tabs: (n) => `${'-\t'.repeat(n / 2)}a`,
  'lazy lines': (n) => `> a\n${'b\n'.repeat(n / 2)}`,
  everything: (n) => '*_~`[<&!\\'.repeat(n / 9),
};
