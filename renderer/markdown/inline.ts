/** The words of one paragraph, heading or cell, from the library's tokens. */
import type { Token } from 'markdown-it';
import { formulaMeta } from './formula-rules.ts';

export type Inline =
  | { type: 'text'; text: string }
  /** Too much of everything to be formatted: as it was written, line breaks too. */
  | { type: 'plain'; text: string }
  | { type: 'break' }
  | { type: 'code'; text: string }
  /** TeX; `raw`: with its signs. `display`: by itself. */
  | { type: 'formula'; text: string; raw: string; display: boolean }
  | { type: 'strong' | 'emphasis' | 'deleted'; children: Inline[] }
  /** `raw`: all of it, as it was written. */
  | { type: 'link'; href: string; raw: string; children: Inline[] }
  | { type: 'image'; href: string; text: string };

/** Emphasis within emphasis goes this deep; what would be deeper keeps its signs. */
export const deepestInline = 20;
/** A paragraph of more formatted pieces than this is shown as it was written. */
export const mostInline = 2_000;

/** Of one that is drawn: each of its letters is an element. */
export const piecesOfFormula = 20;

type Element = Extract<Inline, { type: 'strong' | 'emphasis' | 'deleted' }>;
const elements: Record<string, Element['type']> = { strong_open: 'strong', em_open: 'emphasis', s_open: 'deleted' };

/** `content` as it was written, `tokens` what the library makes of it. */
export function inlineOf(content: string, tokens: readonly Token[]): Inline[] {
  if (piecesOf(tokens) > mostInline) return [{ type: 'plain', text: content }];
  const all: Inline[] = [];
  const open: Inline[][] = [all];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]!;
    const place = open.at(-1)!;
    // What is too deep adds its words to what it stands in.
    const deep = open.length > deepestInline;
    if (token.type === 'link_open') {
      const raw = token.content || bareAddress(token, tokens[at + 1]!);
      const link: Inline = { type: 'link', href: String(token.attrGet('href')), raw, children: [] };
      place.push(deep ? { type: 'text', text: raw } : link);
      if (deep) while (tokens[at]!.type !== 'link_close') at++;
      else open.push(link.children);
    } else if (token.nesting > 0) {
      const element: Element = { type: elements[token.type] ?? 'emphasis', children: [] };
      if (deep) addText(place, token.markup);
      else place.push(element);
      open.push(deep ? place : element.children);
    } else if (token.nesting < 0) {
      open.pop();
      if (open.at(-1) === place) addText(place, token.markup);
    } else add(place, token);
  }
  return all;
}

function bareAddress({ markup }: Token, { content }: Token): string {
  return markup === 'autolink' ? `<${content}>` : content;
}

/** How many elements the window would make of them; a link shows where it leads, too. */
export function piecesOf(tokens: readonly Token[]): number {
  return tokens.reduce(
    (sum, { type, nesting }) =>
      sum + (type === 'link_open' ? 2 : type === 'formula' ? piecesOfFormula : type !== 'text' && nesting >= 0 ? 1 : 0),
    0,
  );
}

function add(place: Inline[], token: Token): void {
  switch (token.type) {
    case 'softbreak':
    case 'hardbreak':
      place.push({ type: 'break' });
      break;
    case 'code_inline':
      place.push({ type: 'code', text: token.content });
      break;
    case 'formula':
      place.push(formulaOf(token));
      break;
    case 'image':
      place.push({ type: 'image', href: String(token.attrGet('src')), text: wordsOf(inlineOf(token.content, token.children ?? [])) });
      break;
    // Words, and markup, which is shown and not used.
    default:
      addText(place, token.content);
  }
}

function formulaOf(token: Token): Inline {
  const { raw, display } = formulaMeta(token);
  return { type: 'formula', text: token.content, raw, display };
}

function addText(place: Inline[], text: string): void {
  const last = place.at(-1);
  if (last?.type === 'text') last.text += text;
  else if (text !== '') place.push({ type: 'text', text });
}

export function wordsOf(inlines: readonly Inline[]): string {
  return inlines.map((inline) => ('text' in inline ? inline.text : inline.type === 'break' ? ' ' : wordsOf(inline.children))).join('');
}
