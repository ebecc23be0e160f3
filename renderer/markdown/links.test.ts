import { expect, test } from 'vitest';
import { parseMarkdown } from './document.ts';
import type { Inline } from './inline.ts';
import { decodeEntities, safeLink } from './links.ts';

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
