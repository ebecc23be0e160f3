/**
 * markdown-it as the window uses it: only its tokens are taken, nothing is rendered by it.
 *
 * A model, or a picture that it reads out, decides what comes in here. So quotes and lists end at a depth, and what is
 * deeper is text. (markdown-it has a limit too, but drops what lies beyond it; ours comes long before.)
 */
import MarkdownIt, { type StateBlock } from 'markdown-it';
import { addFormulas } from './formula-rules.ts';

/** Lists and quotes stand within each other this deep; what would be deeper is text. */
export const deepestBlock = 20;
/** What has more columns is not a table. */
export const mostColumns = 100;
/** So many cells may be left out at the ends of a text's rows: the library makes up each of them. The table ends at the next one. */
export const mostMissing = 8_000;

/**
 * Markup is recognised so that it can be shown as it was written. Links are judged when they are drawn (`safeLink`), and
 * their addresses stay as they were written until then.
 */
export const parser = new MarkdownIt({ html: true, breaks: true, linkify: true });
/** A list counts twice there. Brackets within brackets cost as much as this allows. */
parser.options.maxNesting = 2 * deepestBlock + 1;
parser.validateLink = () => true;
parser.normalizeLink = (address) => address;
parser.normalizeLinkText = (text) => text;

/** Gives the library's own rules, to put others around them. */
const library = new MarkdownIt();

function ruleOf<Args extends unknown[], Result>(
  chain: { enableOnly(name: string): void; getRules(chain: string): ((...args: Args) => Result)[] },
  name: string,
): (...args: Args) => Result {
  chain.enableOnly(name);
  return chain.getRules('')[0]!;
}

type BlockRule = (state: StateBlock, start: number, end: number, silent: boolean) => boolean;

/** What each of them may interrupt: as in the library. */
const interrupts = {
  table: ['paragraph', 'reference'],
  blockquote: ['paragraph', 'reference', 'blockquote', 'list'],
  list: ['paragraph', 'reference', 'blockquote'],
};

function limit(name: keyof typeof interrupts, limited: (rule: BlockRule) => BlockRule): void {
  parser.block.ruler.at(name, limited(ruleOf(library.block.ruler, name)), { alt: interrupts[name] });
}

/** How many quotes and lists are open. */
const depths = new WeakMap<StateBlock, number>();

function inDepth(rule: BlockRule): BlockRule {
  return (state, start, end, silent) => {
    const depth = depths.get(state) ?? 0;
    if (depth >= deepestBlock) return false;
    depths.set(state, depth + 1);
    const found = rule(state, start, end, silent);
    depths.set(state, depth);
    return found;
  };
}

/** What the tables of a text have: kept beside its definitions, so that a text read in parts is counted as a whole. */
interface TableCounts {
  /** Of the table that is being read. */
  columns: number;
  /** Of all up to here. */
  missing: number;
}

function countsOf({ env }: StateBlock): TableCounts {
  return ((env as { tables?: TableCounts }).tables ??= { columns: 0, missing: 0 });
}

/** In a row: between its bars, of which those at its ends and those after a backslash part nothing. */
function cellsIn(state: StateBlock, line: number): number {
  const row = state.src.slice(state.bMarks[line], state.eMarks[line]).trim();
  const bars = row.match(/(?<!\\)\|/g)?.length ?? 0;
  return bars + 1 - Number(row.startsWith('|')) - Number(/(?<!\\)\|$/.test(row));
}

function inWidth(rule: BlockRule): BlockRule {
  return (state, start, end, silent) => {
    const head = state.src.slice(state.bMarks[start], state.eMarks[start]);
    if (head.split('|', mostColumns + 3).length > mostColumns + 2) return false;
    if (!silent) countsOf(state).columns = cellsIn(state, start);
    return rule(state, start, end, silent);
  };
}

/** The library asks this before each row of a table. */
function hasTooFew(state: StateBlock, line: number, _end: number, silent: boolean): boolean {
  if (!silent || state.parentType !== 'table' || state.isEmpty(line)) return false;
  const counts = countsOf(state);
  counts.missing += Math.max(0, counts.columns - cellsIn(state, line));
  return counts.missing > mostMissing;
}

addFormulas(parser);
limit('blockquote', inDepth);
limit('list', inDepth);
limit('table', inWidth);
parser.block.ruler.before('paragraph', 'too_few_cells', hasTooFew, { alt: ['blockquote'] });

const link = ruleOf(library.inline.ruler, 'link');
/** A link that leads nowhere safe is shown as it was written. */
parser.inline.ruler.at('link', (state, silent) => {
  const { pos, tokens } = state;
  const first = tokens.length;
  if (!link(state, silent)) return false;
  if (silent) return true;
  // The words before it may have become a token too.
  const open = tokens[first]!.type === 'link_open' ? tokens[first]! : tokens[first + 1]!;
  open.content = state.src.slice(pos, state.pos);
  return true;
});

/** Bare addresses as GitHub finds them: with a scheme, with www., or a mailbox. `readme.md` and `e.g` are none. */
const longestAddress = 2_000;
parser.linkify.set({ fuzzyLink: false, fuzzyEmail: true });
parser.linkify.add('//', null).add('www.', {
  validate: (text, at, self) => {
    const page = `http://www.${text.slice(at, at + longestAddress)}`;
    return Math.max(0, self.testSchemaAt(page, 'http:', 'http:'.length) - '//www.'.length);
  },
  normalize: (match) => {
    match.url = `http://${match.url}`;
  },
});
