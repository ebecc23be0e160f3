/**
 * The words of one paragraph, heading or cell: emphasis, code, links and line breaks, by the
 * algorithm of the CommonMark specification (appendix "A parsing strategy"), with strikethrough
 * and bare addresses as on GitHub, and with every line break kept.
 *
 * A model, or a picture that it reads out, decides what comes in here. So the work grows with
 * the length of the text and no faster, whatever it says, and nesting has a bottom.
 */
import { addresses, decodeEntities, withoutEnd, type Address } from './links.ts';

export type Inline =
  | { type: 'text'; text: string }
  /** Too much of everything to be formatted: as it was written, line breaks too. */
  | { type: 'plain'; text: string }
  | { type: 'break' }
  | { type: 'code'; text: string }
  | { type: 'strong' | 'emphasis' | 'deleted'; children: Inline[] }
  /** `label` and `raw` as written: the words between the brackets, and all of it. */
  | { type: 'link'; href: string; label: string; raw: string; children: Inline[] }
  | { type: 'image'; href: string; text: string };

/** Where `[label]: address` lines lead to, by their folded label. */
export type Definitions = ReadonlyMap<string, string>;

/** Emphasis within emphasis goes this deep; what would be deeper keeps its signs. */
export const deepestInline = 20;
/** A paragraph of more formatted pieces than this is shown as it was written. */
export const mostInline = 2_000;
const longestLabel = 999;
const explicitLabel = /\[((?:[^[\]\\]|\\[^]){0,999})\]/y;
/** As in cmark: an address with more open brackets than this is none. */
const deepestParentheses = 32;
const longestTag = 1_000;

export function foldLabel(label: string): string {
  return label.trim().replace(/\s+/g, ' ').toLowerCase().toUpperCase();
}

export function parseInline(text: string, definitions: Definitions): Inline[] {
  return new InlineParser(text, definitions).parse();
}

/** A piece of the line that is being put together. `height`: how many elements stand within each other below it. */
interface Piece {
  inline: Inline;
  height: number;
  previous: Piece | null;
  next: Piece | null;
}

/** A run of `*`, `_` or `~` that may open or close emphasis. */
interface Delimiter {
  sign: string;
  piece: Piece & { inline: { type: 'text'; text: string } };
  /** Grows along the text. */
  place: number;
  /** How many signs were there at first, and are left. */
  length: number;
  left: number;
  opens: boolean;
  closes: boolean;
  previous: Delimiter | null;
  next: Delimiter | null;
}

interface Bracket {
  image: boolean;
  piece: Piece;
  delimiter: Delimiter | null;
  /** Behind the bracket. */
  start: number;
  /** Bare addresses that were found before it. */
  addresses: number;
  /** Another bracket stands between it and its end: no label then. */
  holdsBracket: boolean;
}

const plain = /[^\n`*_~[\]!<&\\]+/y;
const punctuation = /[\p{P}\p{S}]/u;
const escapable = /[!-/:-@[-`{-~]/;
const entity = /&(?:#\d{1,7}|#x[\da-f]{1,6}|[a-z]{1,31});/iy;
const angleAddress = /<([a-z][a-z\d+.-]{1,31}:[^\s<>]*|[\w.+-]{1,64}@[a-z\d-]{1,63}(?:\.[a-z\d-]{1,63})+)>/iy;
const tag = /^<(?:\/[a-z][a-z\d-]*\s*|[a-z][a-z\d-]*(?:\s+[a-z_:][\w:.-]*(?:\s*=\s*(?:[^\s"'=<>`]+|'[^']*'|"[^"]*"))?)*\s*\/?)>/i;
const angleDestination = /<((?:[^<>\n\\]|\\.)*)>/y;
const title = /"(?:[^"\\]|\\[^])*"|'(?:[^'\\]|\\[^])*'|\((?:[^()\\]|\\[^])*\)/y;
const spaces = /\s*/y;

class InlineParser {
  readonly #text: string;
  readonly #definitions: Definitions;
  readonly #addresses: Address[];
  #nextAddress = 0;
  #at = 0;
  #first: Piece | null = null;
  #last: Piece | null = null;
  #delimiter: Delimiter | null = null;
  readonly #brackets: Bracket[] = [];
  /** Brackets below this place hold a link already and can be none themselves. */
  #noLinkBelow = 0;
  /** Bare addresses in the order of the text: within a link they are words of it. */
  readonly #bare: Inline[] = [];
  /** For each length of a run of backticks where the last one of it stands. */
  #lastTicks: Map<number, number> | null = null;
  #noCommentAfter = Infinity;
  #elements = 0;

  constructor(text: string, definitions: Definitions) {
    this.#text = text;
    this.#definitions = definitions;
    this.#addresses = addresses(text);
  }

  parse(): Inline[] {
    while (this.#at < this.#text.length) {
      this.#step();
      if (this.#elements > mostInline) return [{ type: 'plain', text: this.#text }];
    }
    this.#emphasize(null);
    if (this.#elements > mostInline) return [{ type: 'plain', text: this.#text }];
    return collect(this.#first, null);
  }

  #step(): void {
    const address = this.#addressFrom(this.#at);
    if (address?.start === this.#at) {
      this.#bareAddress(address);
      return;
    }
    const sign = this.#text[this.#at]!;
    if (sign === '\n') this.#lineBreak();
    else if (sign === '`') this.#code();
    else if (sign === '*' || sign === '_' || sign === '~') this.#run(sign);
    else if (sign === '[' || (sign === '!' && this.#text[this.#at + 1] === '[')) this.#open(sign === '!');
    else if (sign === ']') this.#close();
    else if (sign === '<') this.#angle();
    else if (sign === '&') this.#entity();
    else if (sign === '\\') this.#escape();
    else if (sign === '!') this.#take(1);
    else {
      plain.lastIndex = this.#at;
      plain.test(this.#text);
      this.#take(Math.min(plain.lastIndex, address?.start ?? Infinity) - this.#at);
    }
  }

  /** Appends the next `length` characters as words. */
  #take(length: number): void {
    this.#append({ type: 'text', text: this.#text.slice(this.#at, this.#at + length) });
    this.#at += length;
  }

  #append(inline: Inline, height = inline.type === 'text' ? 0 : 1): Piece {
    const piece: Piece = { inline, height, previous: this.#last, next: null };
    if (this.#last) this.#last.next = piece;
    else this.#first = piece;
    this.#last = piece;
    if (height > 0) this.#elements++;
    return piece;
  }

  #lineBreak(): void {
    const last = this.#last?.inline;
    if (last?.type === 'text') last.text = withoutEnd(last.text, ' ');
    this.#append({ type: 'break' });
    this.#at++;
    while (this.#text[this.#at] === ' ' || this.#text[this.#at] === '\t') this.#at++;
  }

  #escape(): void {
    const next = this.#text[this.#at + 1];
    if (next === '\n') this.#at++;
    else if (next !== undefined && escapable.test(next)) {
      this.#at++;
      this.#take(1);
    } else this.#take(1);
  }

  #entity(): void {
    entity.lastIndex = this.#at;
    const written = entity.exec(this.#text)?.[0];
    if (written === undefined) return this.#take(1);
    this.#append({ type: 'text', text: decodeEntities(written) });
    this.#at += written.length;
  }

  #code(): void {
    const length = runLength(this.#text, this.#at);
    const start = this.#at + length;
    this.#lastTicks ??= lastTicks(this.#text);
    if ((this.#lastTicks.get(length) ?? -1) < start) return this.#take(length);
    let end = this.#text.indexOf('`', start);
    for (let run = runLength(this.#text, end); run !== length; run = runLength(this.#text, end)) end = this.#text.indexOf('`', end + run);
    const code = this.#text.slice(start, end).replaceAll('\n', ' ');
    const padded = code.startsWith(' ') && code.endsWith(' ') && code.trim() !== '';
    this.#append({ type: 'code', text: padded ? code.slice(1, -1) : code });
    this.#at = end + length;
  }

  #addressFrom(at: number): Address | undefined {
    while ((this.#addresses[this.#nextAddress]?.start ?? Infinity) < at) this.#nextAddress++;
    return this.#addresses[this.#nextAddress];
  }

  #bareAddress({ start, end, href }: Address): void {
    // Within brackets the closing one ends it.
    const closing = this.#brackets.length > 0 ? this.#text.slice(start, end).indexOf(']') : -1;
    const text = this.#text.slice(start, closing < 0 ? end : start + closing);
    this.#nextAddress++;
    if (text === '') return this.#take(1);
    const whole = closing < 0 ? href : href.slice(0, href.length - (end - start - closing));
    const link: Inline = { type: 'link', href: whole, label: text, raw: text, children: [{ type: 'text', text }] };
    this.#append(link, 2);
    this.#bare.push(link);
    this.#at += text.length;
  }

  /** An address in angle brackets, or a tag, which is shown as it is written. */
  #angle(): void {
    angleAddress.lastIndex = this.#at;
    const match = angleAddress.exec(this.#text);
    if (match) {
      const text = match[1]!;
      const href = text.includes(':') ? text : `mailto:${text}`;
      const link: Inline = { type: 'link', href, label: text, raw: match[0], children: [{ type: 'text', text }] };
      this.#append(link, 2);
      this.#bare.push(link);
      this.#at += match[0].length;
      return;
    }
    if (this.#text.startsWith('<!--', this.#at)) return this.#take(this.#commentLength());
    this.#take(tag.exec(this.#text.slice(this.#at, this.#at + longestTag))?.[0].length ?? 1);
  }

  #commentLength(): number {
    if (this.#at >= this.#noCommentAfter) return 1;
    const end = this.#text.indexOf('-->', this.#at + 2);
    if (end >= 0) return end + 3 - this.#at;
    this.#noCommentAfter = this.#at;
    return 1;
  }

  #run(sign: string): void {
    const start = this.#at;
    const length = runLength(this.#text, start);
    this.#take(length);
    const before = start === 0 ? '\n' : codePointBefore(this.#text, start);
    const after = start + length < this.#text.length ? String.fromCodePoint(this.#text.codePointAt(start + length)!) : '\n';
    const [spaceBefore, spaceAfter] = [/\s/.test(before), /\s/.test(after)];
    const [markBefore, markAfter] = [punctuation.test(before), punctuation.test(after)];
    const left = !spaceAfter && (!markAfter || spaceBefore || markBefore);
    const right = !spaceBefore && (!markBefore || spaceAfter || markAfter);
    // Underscores within a word are part of it; a strike is one or two signs long.
    const opens = sign === '_' ? left && (!right || markBefore) : sign === '~' ? left && length < 3 : left;
    const closes = sign === '_' ? right && (!left || markAfter) : sign === '~' ? right && length < 3 : right;
    if (!opens && !closes) return;
    const piece = this.#last as Delimiter['piece'];
    const delimiter: Delimiter = { sign, piece, place: start, length, left: length, opens, closes, previous: this.#delimiter, next: null };
    if (this.#delimiter) this.#delimiter.next = delimiter;
    this.#delimiter = delimiter;
  }

  #open(image: boolean): void {
    this.#take(image ? 2 : 1);
    const outer = this.#brackets.at(-1);
    if (outer) outer.holdsBracket = true;
    const [piece, delimiter, start] = [this.#last!, this.#delimiter, this.#at];
    this.#brackets.push({ image, piece, delimiter, start, addresses: this.#bare.length, holdsBracket: false });
  }

  #close(): void {
    const place = this.#brackets.length - 1;
    const bracket = this.#brackets.pop();
    const allowed = bracket?.image === true || place >= this.#noLinkBelow;
    this.#noLinkBelow = Math.min(this.#noLinkBelow, this.#brackets.length);
    const end = this.#at;
    const target = bracket && allowed ? (this.#destination(end + 1) ?? this.#reference(bracket, end)) : null;
    if (!bracket || !target) return this.#take(1);
    this.#at = target.end;
    this.#emphasize(bracket.delimiter);
    this.#wrapLink(bracket, target.href, this.#text.slice(bracket.start, end));
  }

  #wrapLink({ image, piece, addresses, start }: Bracket, href: string, label: string): void {
    // An address that stands in a link is not another one.
    for (const bare of this.#bare.splice(addresses)) Object.assign(bare, { type: 'text', text: (bare as { label: string }).label });
    const height = 1 + heightAfter(piece);
    const children = collect(piece.next, null);
    this.#last = piece;
    piece.next = null;
    const raw = this.#text.slice(start - (image ? 2 : 1), this.#at);
    piece.inline = image ? { type: 'image', href, text: wordsOf(children) } : { type: 'link', href, label, raw, children };
    piece.height = image ? 1 : height;
    this.#elements++;
    if (!image) this.#noLinkBelow = this.#brackets.length;
  }

  /** `(address "title")` */
  #destination(at: number): { href: string; end: number } | null {
    if (this.#text[at] !== '(') return null;
    let end = this.#skipSpaces(at + 1);
    let href: string;
    angleDestination.lastIndex = end;
    const angle = angleDestination.exec(this.#text);
    if (angle) {
      href = angle[1]!;
      end += angle[0].length;
    } else {
      const until = this.#endOfDestination(end);
      if (until === null) return null;
      href = this.#text.slice(end, until);
      end = until;
    }
    const behind = this.#skipSpaces(end);
    if (behind > end) {
      title.lastIndex = behind;
      end = title.test(this.#text) ? this.#skipSpaces(title.lastIndex) : behind;
    }
    return this.#text[end] === ')' ? { href: unescaped(href), end: end + 1 } : null;
  }

  #endOfDestination(from: number): number | null {
    if (this.#text[from] === '<') return null;
    let open = 0;
    let at = from;
    for (; at < this.#text.length; at++) {
      const sign = this.#text[at]!;
      if (sign === '\\' && escapable.test(this.#text[at + 1] ?? '')) at++;
      else if (sign === '(' && ++open > deepestParentheses) return null;
      else if (sign === ')' && open-- === 0) break;
      else if (sign <= ' ' || sign === '\u007f') break;
    }
    return at;
  }

  /** `[label]`, `[]` or nothing behind the words. */
  #reference({ start, holdsBracket }: Bracket, end: number): { href: string; end: number } | null {
    if (this.#definitions.size === 0) return null;
    explicitLabel.lastIndex = end + 1;
    const explicit = explicitLabel.exec(this.#text);
    const behind = explicit ? explicitLabel.lastIndex : end + 1;
    const own = holdsBracket || end - start > longestLabel ? null : this.#text.slice(start, end);
    const label = explicit?.[1] ? explicit[1] : own;
    const href = label === null ? undefined : this.#definitions.get(foldLabel(label));
    return href === undefined ? null : { href, end: behind };
  }

  #skipSpaces(at: number): number {
    spaces.lastIndex = at;
    spaces.test(this.#text);
    return spaces.lastIndex;
  }

  /** Pairs the delimiters above `bottom`, and forgets them. */
  #emphasize(bottom: Delimiter | null): void {
    const floor = bottom?.place ?? -1;
    /** For each kind of closing run, below where no run can open for it. */
    const floors = new Map<string, number>();
    let closer = this.#delimiter;
    while (closer && closer.previous !== bottom && closer !== bottom) closer = closer.previous;
    if (closer === bottom) closer = null;
    while (closer) {
      if (!closer.closes) {
        closer = closer.next;
        continue;
      }
      const kind = closer.sign === '~' ? `~${closer.length}` : `${closer.sign}${closer.opens ? 'o' : 'c'}${closer.length % 3}`;
      const lowest = Math.max(floor, floors.get(kind) ?? -1);
      let opener = closer.previous;
      while (opener && opener.place > lowest && !pairs(opener, closer)) opener = opener.previous;
      if (opener && opener.place > lowest) closer = this.#pair(opener, closer, floor);
      else {
        floors.set(kind, closer.previous?.place ?? -1);
        const next: Delimiter | null = closer.next;
        if (!closer.opens) this.#forget(closer);
        closer = next;
      }
    }
    while (this.#delimiter && this.#delimiter !== bottom) this.#forget(this.#delimiter);
  }

  /** Puts what stands between them into an element. Answers where to go on. */
  #pair(opener: Delimiter, closer: Delimiter, floor: number): Delimiter | null {
    while (closer.previous !== opener) this.#forget(closer.previous!);
    const height = 1 + heightBetween(opener.piece, closer.piece);
    if (height > deepestInline) {
      // Whatever opens before would be deeper still.
      for (let outer: Delimiter | null = opener; outer && outer.place > floor; outer = outer.previous) this.#forget(outer);
      return closer;
    }
    const used = opener.sign === '~' ? closer.left : Math.min(opener.left, closer.left) >= 2 ? 2 : 1;
    const inline: Inline = {
      type: opener.sign === '~' ? 'deleted' : used === 2 ? 'strong' : 'emphasis',
      children: collect(opener.piece.next, closer.piece),
    };
    const element: Piece = { inline, height, previous: opener.piece, next: closer.piece };
    opener.piece.next = element;
    closer.piece.previous = element;
    this.#elements++;
    for (const delimiter of [opener, closer]) {
      delimiter.left -= used;
      delimiter.piece.inline.text = delimiter.piece.inline.text.slice(used);
    }
    const next = closer.left === 0 ? closer.next : closer;
    if (opener.left === 0) this.#forget(opener);
    if (closer.left === 0) this.#forget(closer);
    return next;
  }

  #forget(delimiter: Delimiter): void {
    if (delimiter.previous) delimiter.previous.next = delimiter.next;
    if (delimiter.next) delimiter.next.previous = delimiter.previous;
    else this.#delimiter = delimiter.previous;
  }
}

/** The rule of three keeps `**a*b**` from becoming what nobody meant. */
function pairs(opener: Delimiter, closer: Delimiter): boolean {
  if (opener.sign !== closer.sign || !opener.opens) return false;
  if (opener.sign === '~') return opener.length === closer.length;
  const odd = (closer.opens || opener.closes) && closer.length % 3 !== 0 && (opener.length + closer.length) % 3 === 0;
  return !odd;
}

/** From `piece` to before `end`, words that follow each other as one. */
function collect(piece: Piece | null, end: Piece | null): Inline[] {
  const all: Inline[] = [];
  let words: string[] = [];
  const flush = () => {
    const text = words.join('');
    if (text !== '') all.push({ type: 'text', text });
    words = [];
  };
  for (let at = piece; at && at !== end; at = at.next) {
    if (at.inline.type === 'text') words.push(at.inline.text);
    else {
      flush();
      all.push(at.inline);
    }
  }
  flush();
  return all;
}

function heightAfter(piece: Piece): number {
  return heightBetween(piece, null);
}

function heightBetween(start: Piece, end: Piece | null): number {
  let height = 0;
  for (let at = start.next; at && at !== end; at = at.next) height = Math.max(height, at.height);
  return height;
}

export function wordsOf(inlines: readonly Inline[]): string {
  return inlines.map((inline) => ('text' in inline ? inline.text : inline.type === 'break' ? ' ' : wordsOf(inline.children))).join('');
}

export function unescaped(text: string): string {
  return decodeEntities(text.replace(/\\([!-/:-@[-`{-~])/g, '$1'));
}

/** How often the sign at `start` is repeated there. */
function runLength(text: string, start: number): number {
  let end = start + 1;
  while (text[end] === text[start]) end++;
  return end - start;
}

function lastTicks(text: string): Map<number, number> {
  const last = new Map<number, number>();
  for (let at = text.indexOf('`'); at >= 0; ) {
    const length = runLength(text, at);
    last.set(length, at);
    at = text.indexOf('`', at + length);
  }
  return last;
}

function codePointBefore(text: string, at: number): string {
  const low = text.charCodeAt(at - 1);
  return low >= 0xdc00 && low <= 0xdfff && at > 1 ? text.slice(at - 2, at) : text[at - 1]!;
}
