import { expect, test } from 'vitest';
import { decodeEntities, lexBlocks, safeLink } from './lex.ts';

test('blocks before the end of a growing text stay the same objects', () => {
  const before = lexBlocks('# Title\n\nFirst paragraph.\n\nSec');
  const after = lexBlocks('# Title\n\nFirst paragraph.\n\nSecond', before);
  expect(after[0]).toBe(before[0]);
  expect(after.at(-3)).toBe(before.at(-3));
  expect(after.at(-1)).not.toBe(before.at(-1));
  expect(after.at(-1)?.raw).toBe('Second');
});

test('a code block that is not closed yet is a code block', () => {
  expect(lexBlocks('```js\nlet a')[0]).toMatchObject({ type: 'code', lang: 'js', text: 'let a' });
});

test('tables and single line breaks are understood', () => {
  expect(lexBlocks('|a|b|\n|-|-|\n|1|2|')[0]?.type).toBe('table');
  const [paragraph] = lexBlocks('one\ntwo');
  expect((paragraph as { tokens: { type: string }[] }).tokens.map(({ type }) => type)).toEqual(['text', 'br', 'text']);
});

test('entities become characters, once', () => {
  expect(decodeEntities('a &amp; b &lt;i&gt; &#233; &#xE9; &nbsp;')).toBe('a & b <i> é é \u00a0');
  expect(decodeEntities('&amp;lt;')).toBe('&lt;');
  expect(decodeEntities('&unknown; &#99999999; & &#x110000;')).toBe('&unknown; &#99999999; & &#x110000;');
});

test.each(['javascript:alert(1)', 'JavaScript:alert(1)', 'data:text/html,x', 'file:///etc/passwd', 'vbscript:x', '//host', '/path', 'x'])('%s is no link', (href) => {
  expect(safeLink(href)).toBeNull();
});

test.each(['https://example.org/a?b#c', 'http://localhost:1', 'mailto:a@example.org'])('%s is a link', (href) => {
  expect(safeLink(href)?.href).toContain(href);
});
