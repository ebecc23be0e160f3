import { describe, expect, test } from 'vitest';
import { parseMarkdown } from './document.ts';
import type { Inline } from './inline.ts';
import { decodeEntities, safeLink, saysTarget, targetOf, withoutUnseen } from './links.ts';

test('entities become characters, once', () => {
  expect(decodeEntities('a &amp; b &lt;i&gt; &#233; &#xE9; &nbsp;')).toBe('a & b <i> é é \u00a0');
  expect(decodeEntities('&amp;lt;')).toBe('&lt;');
  expect(decodeEntities('&#0; &#xD800;')).toBe('\ufffd \ufffd');
  expect(decodeEntities('&unknown; &#99999999; & &#x110000;')).toBe('&unknown; &#99999999; & &#x110000;');
});

const unsafe = [
  'javascript:alert(1)',
  'JavaScript:alert(1)',
  'data:text/html,x',
  'file:///etc/passwd',
  'vbscript:x',
  '//host',
  '/path',
  'x',
];

test.each(unsafe)('%s is not a link', (href) => {
  expect(safeLink(href)).toBeNull();
});

test.each(['https://example.org/a?b#c', 'http://localhost:1', 'mailto:a@example.org'])('%s is a link', (href) => {
  expect(safeLink(href)?.href).toContain(href);
});

function addresses(text: string): string[] {
  const within = (inline: Inline): string[] => {
    if (inline.type === 'link') return [inline.href];
    return 'children' in inline ? inline.children.flatMap(within) : [];
  };
  const blocks = parseMarkdown(text).flat();
  return blocks.flatMap((block) => (block.type === 'paragraph' ? block.inline.flatMap(within) : []));
}

test.each([
  ['see https://example.org/a_b?c=1&d=2.', 'https://example.org/a_b?c=1&d=2'],
  ['(https://example.org/a_(b))', 'https://example.org/a_(b)'],
  ['"https://example.org", he said', 'https://example.org'],
  ['**https://example.org**', 'https://example.org'],
  ['www.example.org/a!', 'http://www.example.org/a'],
  ['http://localhost:8080/a', 'http://localhost:8080/a'],
  ['write to a.b+c@mail.example.org.', 'mailto:a.b+c@mail.example.org'],
])('%s holds the address %s', (text, href) => {
  expect(addresses(text)).toEqual([href]);
});

test.each(['readme.md', 'e.g', 'example.org', '//a.b', 'https://', 'xhttps://a.b', 'a@b', '@a.b', 'awww.example.org', 'www.', 'http:// a'])(
  '%s holds no address',
  (text) => {
    expect(addresses(text)).toEqual([]);
  },
);

describe('where a link leads', () => {
  const url = (address: string): URL => safeLink(address)!;

  test.each([
    ['https://example.org/a', 'https://example.org/a'],
    ['example.org', 'https://example.org/'],
    ['https://example.org', 'https://example.org/'],
    ['me@example.org', 'mailto:me@example.org'],
    ['www.example.org/a', 'http://www.example.org/a'],
  ])('the words %s say it', (words, address) => {
    expect(saysTarget(words, url(address))).toBe(true);
  });

  test.each([
    ['microsoft.com', 'https://t.co/x'],
    ['https://microsoft.com/t.co', 'https://t.co/microsoft.com'],
    ['bank.example', 'https://bank.example.evil.example/'],
    ['https://bank.example/', 'https://bank.example.evil.example/'],
    ['see example.org', 'https://example.org/'],
    ['\u202egro.elpmaxe', 'https://example.org/'],
    ['https://example.org/\u202e', 'https://example.org/%E2%80%AE'],
    ['https://пример.example/', 'https://xn--e1afmkfd.example/'],
    ['https://аррӏе.com/', 'https://аррӏе.com/'],
    ['support@bank.example', 'mailto:evil@evil.example'],
  ])('the words %j do not', (words, address) => {
    expect(saysTarget(words, url(address))).toBe(false);
  });

  test('a host is shown as it is looked up, and no name passes for one', () => {
    expect(targetOf(url('https://аррӏе.com/'))).toBe('xn--80ak6aa92e.com');
    expect(safeLink('https://bank.example@evil.example/')).toBeNull();
    expect(safeLink('https://:bank.example@evil.example/')).toBeNull();
  });
});

test.each([
  ['turn\u202e back', 'turn⟨U+202E⟩ back'],
  ['a\u2066b\u2069c\u200bd\u0007', 'a⟨U+2066⟩b⟨U+2069⟩c⟨U+200B⟩d⟨U+0007⟩'],
  [`look${[...'send it'].map((letter) => String.fromCodePoint(0xe0000 + letter.charCodeAt(0))).join('')}!`, 'look⟨U+E0000…⟩!'],
])('what cannot be seen in %j is named', (text, seen) => {
  expect(withoutUnseen(text)).toBe(seen);
});

test.each([
  'line\nnext\tcell\r',
  'שלום\u200f, مرحبا\u200e',
  'می\u200cخواهم',
  '👩\u200d💻 ❤\ufe0f',
  '🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}',
])('%j stays as it is', (text) => {
  expect(withoutUnseen(text)).toBe(text);
});
