/** Where formulas stand in Markdown: `$…$` and `\(…\)` in a line, `$$…$$` and `\[…\]` by themselves. TeX between them is not read here. */
import type MarkdownIt from 'markdown-it';
import type { StateBlock, StateInline, Token } from 'markdown-it';

/** What is longer is text: no formula is, and each search for an end stops here. */
export const longestFormula = 2_000;

const inLine = [
  { open: '$$', close: '$$', display: true },
  { open: '\\[', close: '\\]', display: true },
  { open: '\\(', close: '\\)', display: false },
];

/** Of a formula by itself, on lines of its own. */
const alone: Record<string, string> = { $$: '$$', '\\[': '\\]' };

/** Of a token: all of it as it was written, with its signs. */
export interface FormulaMeta {
  raw: string;
  /** By itself, not in a line. */
  display: boolean;
  /** Its end is there; in a line it always is. */
  isClosed: boolean;
}

/** Of a token that `addFormulas` makes. */
export function formulaMeta({ meta }: Token): FormulaMeta {
  return meta as unknown as FormulaMeta;
}

/** Adds tokens `formula` (in a line) and `formula_block`: TeX as `content`, and a `FormulaMeta`. */
export function addFormulas(parser: InstanceType<typeof MarkdownIt>): void {
  // Before a backslash makes a bracket of it.
  parser.inline.ruler.before('escape', 'formula', formula);
  parser.block.ruler.before('fence', 'formula_block', formulaBlock, { alt: ['paragraph', 'reference', 'blockquote', 'list'] });
}

function formula(state: StateInline, silent: boolean): boolean {
  const { src, pos } = state;
  const sign = src[pos];
  if (sign !== '$' && sign !== '\\') return false;
  for (const { open, close, display } of inLine) {
    if (!src.startsWith(open, pos)) continue;
    const from = pos + open.length;
    const end = endOf(src, close, from);
    return end !== null && take(state, { from, end, after: end + close.length, display }, silent);
  }
  if (sign !== '$' || !mayOpen(src, pos)) return false;
  const end = endOfDollars(src, pos + 1);
  return end !== null && take(state, { from: pos + 1, end, after: end + 1, display: false }, silent);
}

interface Found {
  from: number;
  end: number;
  /** The formula and its signs end here. */
  after: number;
  display: boolean;
}

function take(state: StateInline, { from, end, after, display }: Found, silent: boolean): boolean {
  const content = state.src.slice(from, end);
  if (content.trim() === '' || after > state.posMax) return false;
  if (!silent) {
    const token = state.push('formula', 'math', 0);
    token.content = content;
    token.meta = { raw: state.src.slice(state.pos, after), display, isClosed: true } satisfies FormulaMeta;
  }
  state.pos = after;
  return true;
}

function endOf(text: string, close: string, from: number): number | null {
  const at = text.slice(from, from + longestFormula + close.length).indexOf(close);
  return at < 0 ? null : from + at;
}

const space = /\s/;
const wordSign = /[\p{L}\p{N}]/u;

/** An amount of money may stand there: "US$5" and "$ 5" open nothing. */
function mayOpen(text: string, at: number): boolean {
  const before = text[at - 1] ?? ' ';
  const next = text[at + 1] ?? ' ';
  return !wordSign.test(before) && before !== '$' && !space.test(next) && next !== '$';
}

/** And none closes: of "$5 to $10" and "$5-$10" the second has a space before it, or a digit behind it. */
function endOfDollars(text: string, from: number): number | null {
  const most = Math.min(text.length, from + longestFormula);
  for (let at = text.indexOf('$', from); at >= 0 && at < most; at = text.indexOf('$', at + 1)) {
    const before = text[at - 1]!;
    if (before === '\\' || space.test(before)) continue;
    if (wordSign.test(text[at + 1] ?? ' ') || text[at + 1] === '$') continue;
    return at;
  }
  return null;
}

/** In a paragraph that has begun: "It is: $$", whose formula ends on this line. */
function isOpenBefore(state: StateBlock, line: number, open: string): boolean {
  const before = state.src.slice(Math.max(state.bMarks[state.line]!, state.bMarks[line]! - longestFormula), state.bMarks[line]!);
  return before.split(open).length % 2 === 0;
}

/** One line of its own for each of the signs, or one line with all of it. What does not end goes to the end, as code does. */
function formulaBlock(state: StateBlock, start: number, end: number, silent: boolean): boolean {
  if (state.sCount[start]! - state.blkIndent >= 4) return false;
  const lineAt = (line: number): string => state.src.slice(state.bMarks[line]! + state.tShift[line]!, state.eMarks[line]).trim();
  const first = lineAt(start);
  const open = first.slice(0, 2);
  const close = alone[open];
  if (close === undefined) return false;
  const isWhole = first.length > open.length + close.length && first.endsWith(close) && !first.slice(2, -2).includes(close);
  if (first !== open && !isWhole) return false;
  if (silent) return !isOpenBefore(state, start, open);
  let next = start + 1;
  let isClosed = isWhole;
  const indent = state.sCount[start]!;
  while (!isClosed && next < end && !(state.sCount[next]! < state.blkIndent && !state.isEmpty(next))) {
    isClosed = lineAt(next) === close;
    next++;
  }
  const content = isWhole ? first.slice(2, -2) : state.getLines(start + 1, isClosed ? next - 1 : next, indent, true);
  const token = state.push('formula_block', 'math', 0);
  token.content = content.trim();
  const raw = `${open}\n${token.content}${isClosed ? `\n${close}` : ''}`;
  token.meta = { raw, display: true, isClosed } satisfies FormulaMeta;
  token.map = [start, next];
  state.line = next;
  return true;
}
