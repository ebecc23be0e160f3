import { Lexer, type Token, type Tokens } from 'marked';

export type { Token, Tokens };

/**
 * The blocks of a Markdown text. Blocks that did not change since `previous` are the same
 * objects, so that a growing answer is drawn anew only at its end.
 */
export function lexBlocks(text: string, previous: readonly Token[] = []): Token[] {
  const blocks: Token[] = new Lexer({ gfm: true, breaks: true }).lex(text);
  return blocks.map((block, index) => {
    const before = previous[index];
    return before?.type === block.type && before.raw === block.raw ? before : block;
  });
}

const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0' };
const highestCodePoint = 0x10ffff;

/** Marked leaves entities to the browser, which never sees them here. */
export function decodeEntities(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]+));/gi, (whole, decimal?: string, hexadecimal?: string, name?: string) => {
    if (name !== undefined) return entities[name] ?? whole;
    const codePoint = decimal === undefined ? Number.parseInt(hexadecimal!, 16) : Number(decimal);
    return codePoint <= highestCodePoint ? String.fromCodePoint(codePoint) : whole;
  });
}

/** Null for everything that is not a page or a mail address: such a link is shown as text. */
export function safeLink(href: string): URL | null {
  const url = URL.parse(href);
  return url && ['https:', 'http:', 'mailto:'].includes(url.protocol) ? url : null;
}
