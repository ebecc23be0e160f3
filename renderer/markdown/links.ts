const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0' };
const highestCodePoint = 0x10ffff;

/** Entities are characters that somebody wrote in another way; nothing behind the parser decodes them. */
export function decodeEntities(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]{1,31}));/gi, (whole, decimal?: string, hexadecimal?: string, name?: string) => {
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

/** A bare address in a text, as GitHub's Markdown finds them. */
export interface Address {
  start: number;
  end: number;
  href: string;
}

const scheme = /(?:https?|ftp):\/\/|www\./gi;
const hostBegins = /[\p{L}\p{N}]/uy;
const notAddress = /[\s<]/g;

/**
 * The addresses in `text` in their order. They may overlap code or links, which come first.
 * Every character is looked at a bounded number of times.
 */
export function addresses(text: string): Address[] {
  const found = [...pages(text), ...mailboxes(text)];
  return found.sort((a, b) => a.start - b.start);
}

function pages(text: string): Address[] {
  const found: Address[] = [];
  scheme.lastIndex = 0;
  for (let match = scheme.exec(text); match; match = scheme.exec(text)) {
    const before = match.index === 0 ? ' ' : text[match.index - 1]!;
    const bare = match[0].length === 4;
    if (bare ? !/[\s*_~(]/.test(before) : /[a-z\d]/i.test(before)) continue;
    hostBegins.lastIndex = scheme.lastIndex;
    if (!hostBegins.test(text)) continue;
    notAddress.lastIndex = scheme.lastIndex;
    const end = withoutTrail(text, match.index, notAddress.exec(text)?.index ?? text.length);
    const words = text.slice(match.index, end);
    found.push({ start: match.index, end, href: bare ? `http://${words}` : words });
    scheme.lastIndex = Math.max(end, scheme.lastIndex);
  }
  return found;
}

/** What ends a sentence, or closes a bracket that was opened before the address, is no part of it. */
function withoutTrail(text: string, start: number, end: number): number {
  let unopened = 0;
  for (let at = start; at < end; at++) {
    if (text[at] === '(') unopened--;
    else if (text[at] === ')') unopened++;
  }
  for (; end > start; end--) {
    const last = text[end - 1]!;
    if (last === ')' && unopened > 0) unopened--;
    else if (!/[?!.,:;*_~'"]/.test(last)) break;
  }
  return end;
}

const domain = /[a-z\d_-]+(?:\.[a-z\d_-]+)+/iy;

function mailboxes(text: string): Address[] {
  const found: Address[] = [];
  let after = 0;
  for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) {
    let start = at;
    while (start > after && /[a-z\d._+-]/i.test(text[start - 1]!)) start--;
    domain.lastIndex = at + 1;
    const name = withoutEnd(domain.exec(text)?.[0] ?? '', '-_');
    after = at + 1;
    if (start === at || !name.includes('.')) continue;
    after += name.length;
    found.push({ start, end: after, href: `mailto:${text.slice(start, after)}` });
  }
  return found;
}

/** An expression that looks for the end would begin anew at every character. */
export function withoutEnd(text: string, signs: string): string {
  let end = text.length;
  while (end > 0 && signs.includes(text[end - 1]!)) end--;
  return text.slice(0, end);
}
