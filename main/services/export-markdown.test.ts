import { Lexer, walkTokens, type Token, type Tokens } from 'marked';
import { describe, expect, test } from 'vitest';
import { decodeEntities, safeLink } from '../../renderer/markdown/links.ts';
import { randomNumbers } from '../test/random.ts';
import { answerSection, oneLine, questionSection } from './export-markdown.ts';

const lex = (text: string): Token[] => new Lexer({ gfm: true, breaks: true }).lex(text);

describe('what the window shows of a text, for comparing', () => {
  test('marks count, spelling does not', () => {
    expect(shown(lex('a *b*\n\n- c'))).toEqual(shown(lex('a _b_\n\n* c')));
    expect(shown(lex('a *b*'))).not.toEqual(shown(lex('a b')));
    expect(shown(lex('<b>x</b>'))).toEqual([['paragraph', '<b>x</b>']]);
  });
});

type Shown = unknown[];

/** Blocks and marks as components/markdown/ draws them, with headings two levels further down. */
function shown(tokens: readonly Token[], demoted = 0): Shown[] {
  return tokens.flatMap((token): Shown[] => {
    switch (token.type) {
      case 'space':
      case 'def':
        return [];
      case 'paragraph':
      case 'text':
      case 'html':
        return [
          [
            'paragraph',
            token.type !== 'html' && 'tokens' in token && token.tokens ? words(token.tokens) : words([{ ...token, type: 'html' }]),
          ],
        ];
      case 'heading':
        return [
          ['heading', Math.min(6, (token as Tokens.Heading).depth + demoted), words((token as Tokens.Heading).tokens).replace(/\n/g, ' ')],
        ];
      case 'code':
        return [['code', (token as Tokens.Code).lang ?? '', (token as Tokens.Code).text.replace(/(?:(?:^|\n)[ \t]*)+$/, '')]];
      case 'blockquote':
        return [['blockquote', shown(token.tokens!, demoted)]];
      case 'list': {
        const { ordered, start, items } = token as Tokens.List;
        const content = (blocks: Token[]): Shown[] =>
          shown(
            blocks.filter(({ type }) => type !== 'checkbox'),
            demoted,
          );
        return [
          [
            'list',
            ordered ? start : 'bullets',
            items.map(({ tokens: blocks, task, checked }) => [task, checked ?? false, content(blocks)]),
          ],
        ];
      }
      case 'table': {
        const { header, rows, align } = token as Tokens.Table;
        return [['table', align, [header, ...rows].map((row) => row.map(({ tokens: cell }) => words(cell)))]];
      }
      default:
        return [[token.type]];
    }
  });
}

function words(tokens: readonly Token[]): string {
  const text = tokens.map((token): string => {
    switch (token.type) {
      case 'strong':
      case 'em':
      case 'del':
        return `{${token.type}:${words(token.tokens!)}}`;
      case 'codespan':
        return `{code:${(token as Tokens.Codespan).text}}`;
      case 'br':
        return '\n';
      case 'checkbox':
        return '';
      case 'link': {
        const link = token as Tokens.Link;
        // A bare address is a link wherever a reader finds one, in HTML that is shown as text too.
        if (link.raw === link.text || link.raw === `<${link.text}>`) return decodeEntities(link.text);
        return safeLink(link.href) ? `{link:${link.href}:${words(link.tokens).trim()}}` : link.raw;
      }
      case 'image': {
        const image = token as Tokens.Image;
        return safeLink(image.href) ? `{link:${image.href}:${`Picture: ${image.text}`.trim()}}` : image.raw;
      }
      case 'text':
      case 'escape':
        return 'tokens' in token && token.tokens ? words(token.tokens) : decodeEntities((token as Tokens.Text).text);
      default:
        return token.raw;
    }
  });
  return text
    .join('')
    .replace(/[ \t]*\n[ \t\n]*/g, '\n')
    .replace(/[ \t]+/g, ' ')
    .trim();
}

describe('answers', () => {
  test.each([
    ['an open fence is closed', '```js\nlet a', '```js\nlet a\n```'],
    ['a fence in a fence', '````\n```\n````', '````\n```\n````'],
    ['headings move down', '# A\n\nB\n===\n\n###### C', '### A\n\n### B\n\n###### C'],
    ['raw HTML is text', '<details><summary>x</summary>\n\n<!-- open', '\\<details>\\<summary>x\\</summary>\n\n\\<!-- open'],
    ['lines break where they did', 'Milk 1.20\nBread 2.50', 'Milk 1.20  \nBread 2.50'],
    ['a definition goes to where it is used', 'See [it][1].\n\n[1]: https://a.example "T"', 'See [it](<https://a.example> "T").'],
    ['one before its use', '[1]: https://a.example\n\nSee [1].', 'See [1](<https://a.example>).'],
    ['one that nothing uses is text', '[1]: https://a.example', '\\[1\\]: https://a.example'],
    ['so is a footnote', 'Yes.[^1]\n\n[^1]: Source.', 'Yes.\\[^1\\]\n\n\\[^1\\]: Source.'],
    ['pictures become links', '![a](https://a.example/p.png)', '[Picture: a](https://a.example/p.png)'],
    ['after an exclamation mark too', '!![a](https://a.example/p.png)', '\\![Picture: a](https://a.example/p.png)'],
    ['in a link as well', '[![a](https://a.example/p.png)](https://b.example)', '[Picture: a](https://b.example)'],
    [
      'links that the window does not follow are text',
      '[a](javascript:alert(1)) <javascript:x>',
      '\\[a\\](javascript:alert(1)) \\<javascript:x>',
    ],
    ['an indented code block', 'a\n\n    b\n\n      c', 'a\n\n```\nb\n\n  c\n```'],
    ['a rule is none of the document’s', 'a\n\n---\n\nb', 'a\n\n***\n\nb'],
    ['ordinary brackets and angles', 'x[0] < y and [1] & z', 'x[0] < y and [1] & z'],
    ['code keeps its marks', '`<b>` and ``a ` b`` and `[x]: y`', '`<b>` and ``a ` b`` and `[x]: y`'],
    ['a list in a list', '1. a\n   - b\n   - c\n2. d', '1. a\n   - b\n   - c\n2. d'],
    ['code in a list', '- a\n  ```sh\n  ls\n\n  cd\n  ```', '- a\n  ```sh\n  ls\n\n  cd\n  ```'],
    ['what steers a terminal, and zeros', 'a\x1b[31m\0', 'a\ufffd[31m\ufffd'],
    ['half of a pair, and a mark of byte order', '\ufeff# a \ud800', '### a \ufffd'],
    ['nothing', ' \n\n', ''],
  ])('%s', (_, text, section) => {
    expect(answerSection(text)).toBe(section);
  });

  test('what is nested too deep is given as its source', () => {
    const text = `${'- '.repeat(5000)}x`;
    expect(answerSection(text)).toBe(`\`\`\`\n${text}\n\`\`\``);
    expect(answerSection('> '.repeat(30) + 'x')).toContain('```');
  });
});

describe('questions', () => {
  test.each([
    ['words', 'What was the total?', 'What was the total?'],
    ['lines', 'One\nTwo', 'One  \nTwo'],
    ['marks', 'Is snake_case 2*3 <b>?', 'Is snake_case 2\\*3 \\<b>?'],
    ['addresses', 'Is https://a.example/b_c or https://a.example/_d_ down?', 'Is https://a.example/b_c or <https://a.example/_d_> down?'],
    ['what begins a block', '# No\n1. heading', '\\# No  \n1\\. heading'],
    ['code', 'Why?\n```python\nprint("x")', '````\nWhy?\n```python\nprint("x")\n````'],
    ['spaces that count', 'if x:\n    y', '```\nif x:\n    y\n```'],
    ['many marks', '*_[`~<a>`]_*', '``` \n'.trim() + '\n*_[`~<a>`]_*\n```'],
  ])('%s', (_, text, section) => {
    expect(questionSection(text)).toBe(section);
  });
});

test('a line of its own, whatever is in it', { timeout: 600_000 }, () => {
  expect(oneLine('a\n# b [x](y) <!-- `c` \x1b\ud800')).toBe('a \\# b \\[x\\](y) \\<!-- \\`c\\` \ufffd\ufffd');
  for (const random of seeds(200)) {
    const text = hostile(random, 30);
    const line = oneLine(text);
    if (line === '') continue;
    const [heading, ...more] = lex(`# ${line}`);
    expect(more, JSON.stringify(text)).toEqual([]);
    expect(shown([heading!])[0]!.slice(0, 2), JSON.stringify(text)).toEqual(['heading', 1]);
    expect(words((heading as Tokens.Heading).tokens), JSON.stringify(text)).not.toMatch(/\{(strong|em|del|code):/);
  }
});

// --- generated

/** `LOUPE_SEED` is the first; `LOUPE_ANSWERS` how many. */
function seeds(count: number): (() => number)[] {
  const first = Number(process.env['LOUPE_SEED'] ?? 20261126);
  return Array.from({ length: Number(process.env['LOUPE_ANSWERS'] ?? count) }, (_, index) => randomNumbers(first + index));
}

/** Bare addresses end with a space: what is glued to one is part of it for some readers and not for others. */
const bits = [
  'word',
  'two words',
  'ключ',
  '漢字',
  '**',
  '*',
  '_',
  '__',
  '~~',
  '`',
  '``',
  '```',
  '~~~',
  '```js',
  '#',
  '##',
  '-',
  '+',
  '1.',
  '7)',
  '>',
  '|',
  '|-|-|',
  '---',
  '===',
  ':-:',
  '***',
  '<',
  '<b>',
  '</b>',
  '<details>',
  '<!--',
  '-->',
  '<pre>',
  '</pre>',
  '<script>',
  '<?',
  '<![CDATA[',
  '<a href="*x*">',
  '&',
  '&amp;',
  '&lt;',
  '\\',
  '\\*',
  '\\\n',
  '  \n',
  '[',
  ']',
  '(',
  ')',
  '![',
  '](',
  '](https://a.example) ',
  '[a]: https://a.example\n',
  '[a]',
  '[a][b]',
  '[b]: <x y> "t"',
  '[^1]',
  '[^1]: note',
  '<https://a.example>',
  'https://b.example/c ',
  '![p](https://a.example/p.png)',
  '[x]',
  '[ ]',
  ':',
  '"',
  "'",
  '!',
  '.',
  '    ',
  '  ',
  '\t',
  ' ',
  ' ',
  ' ',
  '\n',
  '\n',
  '\n',
  '\n\n',
  '\n\n',
  '\r\n',
  'a\u00a0b',
  'a\u2028b',
  '\0',
  '\ufeff',
  '\ud83d',
];

function hostile(random: () => number, most: number): string {
  return Array.from({ length: 1 + Math.floor(random() * most) }, () => bits[Math.floor(random() * bits.length)]!).join('');
}

/** What a model writes, cut off and put together wrongly. */
const pieces = [
  '# Heading',
  'Heading\n=======',
  'Heading\n---',
  'Some *words* and **more**.',
  '- one\n- two\n  - three\n\n- four',
  '1. one\n2. two\n\n   more\n3. three',
  '> quoted\n> - in it',
  '```js\nlet a = `x`;\n```',
  '```\nopen',
  '    indented\n    code',
  '| a | b |\n|---|:-:|\n| 1 | `x\\|y` |',
  '| a | b |\n|---|---|',
  '<div>\n# in html\n</div>',
  '<!-- open',
  '<details>\n<summary>More</summary>\n\ntext',
  '---',
  '[a]: https://a.example "T"',
  'See [a] and [b][a].',
  '[^1]: note',
  '![p](https://a.example/p.png)',
  '- [ ] to do\n- [x] done',
  '- [ ] to do\n\n- [x] done\n\n  more',
  '* a\n\n- b',
  '1) x\n2) y',
  'line one\nline two',
  '$$x < y$$',
  '<textarea>',
  '- a\n\n      code',
  '> # h\n> ```\n> open',
  '-\n- x',
  '1.\n   x',
];

function assembled(random: () => number): string {
  const chosen = Array.from({ length: 1 + Math.floor(random() * 5) }, () => pieces[Math.floor(random() * pieces.length)]!);
  const text = chosen.join(random() < 0.8 ? '\n\n' : '\n');
  return random() < 0.3 ? text.slice(0, Math.floor(random() * text.length)) : text;
}

/** Those that nothing uses are text in a document, and nothing in the window. */
function withoutDefinitions(blocks: Shown[]): Shown[] {
  return JSON.parse(JSON.stringify(blocks), (_, value: unknown) =>
    Array.isArray(value) ? value.filter((block) => !(Array.isArray(block) && /^\[[^\]]*\]:/.test(String(block[1])))) : value,
  ) as Shown[];
}

/** What a file cannot hold is replaced, and lines end alike. */
function written(text: string): string {
  return text
    .replace(/^\ufeff/, '')
    .replace(/\r\n?/g, '\n')
    .replaceAll('\0', '\ufffd')
    .toWellFormed();
}

describe('generated answers', () => {
  test('one after the other, each shows what it shows alone, and nothing of it is a heading of the document', { timeout: 600_000 }, () => {
    const all = seeds(300);
    for (const [index, random] of all.entries()) {
      const answers = Array.from({ length: 3 }, () => (random() < 0.5 ? assembled(random) : assembled(random) + '\n' + hostile(random, 4)));
      const document = answers.map((text, at) => [`## Answer ${at}`, answerSection(text)].join('\n\n')).join('\n\n');
      const sections: Token[][] = [];
      for (const token of lex(document)) {
        if (token.type === 'heading' && (token as Tokens.Heading).depth <= 2) sections.push([]);
        else sections.at(-1)!.push(token);
      }
      expect(sections.length, JSON.stringify(answers)).toBe(answers.length);
      for (const [at, text] of answers.entries()) {
        const alone = shown(lex(written(text)), 2);
        expect(withoutDefinitions(shown(sections[at]!)), `${index}: ${JSON.stringify(text)}`).toEqual(withoutDefinitions(alone));
      }
    }
  });

  test('however broken: as many sections as messages, and no HTML, definition or picture in them', { timeout: 600_000 }, () => {
    for (const random of seeds(300)) {
      const texts = Array.from({ length: 4 }, () => hostile(random, 40));
      const sectionOf = (text: string, at: number): string => (at % 2 === 0 ? questionSection(text) : answerSection(text));
      const document = texts.map((text, at) => `## ${at}\n\n${sectionOf(text, at)}`).join('\n\n');
      const headings = lex(document).filter((token) => token.type === 'heading' && (token as Tokens.Heading).depth <= 2);
      expect(
        headings.map(({ raw }) => raw.trim()),
        JSON.stringify(texts),
      ).toEqual(texts.map((_, at) => `## ${at}`));
      expect(typesIn(lex(document)), JSON.stringify(texts)).not.toEqual(
        expect.arrayContaining([expect.stringMatching(/^(?:html|def|image)$/)]),
      );
    }
  });
});

function typesIn(tokens: readonly Token[]): string[] {
  const types: string[] = [];
  void walkTokens(tokens as Token[], ({ type }) => void types.push(type));
  return types;
}
