const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0' };
const highestCodePoint = 0x10ffff;

/** Entities are characters that somebody wrote in another way; nothing behind the parser decodes them. */
export function decodeEntities(text: string): string {
  const entity = /&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]{1,31}));/gi;
  return text.replace(entity, (whole, decimal?: string, hexadecimal?: string, name?: string) => {
    if (name !== undefined) return entities[name] ?? whole;
    const codePoint = decimal === undefined ? Number.parseInt(hexadecimal!, 16) : Number(decimal);
    if (codePoint > highestCodePoint) return whole;
    return codePoint === 0 || (codePoint >= 0xd800 && codePoint < 0xe000) ? '\ufffd' : String.fromCodePoint(codePoint);
  });
}

/** Null for everything that is not a page or a mail address: such a link is shown as text. */
export function safeLink(href: string): URL | null {
  const url = URL.parse(href);
  return url && ['https:', 'http:', 'mailto:'].includes(url.protocol) ? url : null;
}
