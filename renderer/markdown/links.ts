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

/**
 * Null for everything that is not a page or a mail address, and for a name or a password before the host, which pass for another one:
 * such a link is shown as text.
 */
export function safeLink(href: string): URL | null {
  const url = URL.parse(href);
  if (!url || !['https:', 'http:', 'mailto:'].includes(url.protocol)) return null;
  return url.username === '' && url.password === '' ? url : null;
}

/** Where a link leads, in letters of which none looks like another: the host as it is looked up, or the mail address. */
export function targetOf(url: URL): string {
  return url.protocol === 'mailto:' ? url.pathname : url.host;
}

/** Whether the words of a link already say where it leads: they are its address, whole. Words that only hold the host may say anything. */
export function saysTarget(words: string, url: URL): boolean {
  if (!/^[!-~]+$/.test(words)) return false;
  // "www.example.org" is taken for a link without its beginning.
  const addresses = [words, `http://${words}`].map((address) => URL.parse(address)?.href);
  return words === targetOf(url) || (words.includes(targetOf(url)) && addresses.includes(url.href));
}

/**
 * Characters that turn, hide or end what stands beside them: overrides, embeddings and isolates of direction, blanks without width, and
 * tags, in which whole sentences can be written unseen. Joiners stay: scripts and emoji need them. So do the marks of Hebrew and Arabic.
 */
const unseen =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u034f\u180e\u200b\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0001}-\u{e007f}]+/gu;
/** England, Scotland and Wales are flags that end in tags. */
const flag = /\u{1f3f4}[\u{e0020}-\u{e007e}]{1,6}\u{e007f}/gu;

/** The same text with these characters by name. */
export function withoutUnseen(text: string): string {
  let seen = '';
  let from = 0;
  for (const { 0: found, index } of text.matchAll(flag)) {
    seen += named(text.slice(from, index)) + found;
    from = index + found.length;
  }
  return seen + named(text.slice(from));
}

function named(text: string): string {
  return text.replace(unseen, (found) => {
    const code = found.codePointAt(0)!;
    return code >= 0xe0000 ? '⟨U+E0000…⟩' : `⟨U+${code.toString(16).toUpperCase().padStart(4, '0')}⟩`;
  });
}
