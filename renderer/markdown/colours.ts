/** What the words of code are. A module of its own: it is loaded with the first block of code. */
import { createLowlight } from 'lowlight';
import bash from 'highlight.js/lib/languages/bash';
import c from 'highlight.js/lib/languages/c';
import cpp from 'highlight.js/lib/languages/cpp';
import csharp from 'highlight.js/lib/languages/csharp';
import css from 'highlight.js/lib/languages/css';
import diff from 'highlight.js/lib/languages/diff';
import dockerfile from 'highlight.js/lib/languages/dockerfile';
import go from 'highlight.js/lib/languages/go';
import ini from 'highlight.js/lib/languages/ini';
import java from 'highlight.js/lib/languages/java';
import javascript from 'highlight.js/lib/languages/javascript';
import json from 'highlight.js/lib/languages/json';
import kotlin from 'highlight.js/lib/languages/kotlin';
import lua from 'highlight.js/lib/languages/lua';
import php from 'highlight.js/lib/languages/php';
import powershell from 'highlight.js/lib/languages/powershell';
import python from 'highlight.js/lib/languages/python';
import r from 'highlight.js/lib/languages/r';
import ruby from 'highlight.js/lib/languages/ruby';
import rust from 'highlight.js/lib/languages/rust';
import shell from 'highlight.js/lib/languages/shell';
import sql from 'highlight.js/lib/languages/sql';
import swift from 'highlight.js/lib/languages/swift';
import typescript from 'highlight.js/lib/languages/typescript';
import xml from 'highlight.js/lib/languages/xml';
import yaml from 'highlight.js/lib/languages/yaml';

export const kinds = ['keyword', 'string', 'number', 'comment', 'name'] as const;
export type Kind = (typeof kinds)[number];

/** From `from` to `to`, in UTF-16 units. */
export interface Coloured {
  kind: Kind;
  from: number;
  to: number;
}

/** Longer code stays as it is: its colours would cost more than they tell. */
export const mostCoded = 20_000;

/**
 * The library's patterns take time by the square of a long word or list, and cannot be stopped: of 20,000 letters without a break a second,
 * in which the window stands still. So it gets no more than this at a time.
 */
export const mostAtOnce = 4_000;

const known = createLowlight({
  ...{ bash, c, cpp, csharp, css, diff, dockerfile, go, ini, java, javascript, json, kotlin, lua, php, powershell, python, r },
  ...{ ruby, rust, shell, sql, swift, typescript, xml, yaml },
});

/** The library's classes, as far as the window tells them apart. */
const kindOf: Record<string, Kind> = {
  'hljs-keyword': 'keyword',
  'hljs-literal': 'keyword',
  'hljs-tag': 'keyword',
  'hljs-selector-tag': 'keyword',
  'hljs-meta': 'comment',
  'hljs-comment': 'comment',
  'hljs-quote': 'comment',
  'hljs-string': 'string',
  'hljs-regexp': 'string',
  'hljs-addition': 'string',
  'hljs-number': 'number',
  'hljs-symbol': 'number',
  'hljs-title': 'name',
  'hljs-type': 'name',
  'hljs-built_in': 'name',
  'hljs-attr': 'name',
  'hljs-attribute': 'name',
  'hljs-section': 'name',
  'hljs-selector-class': 'name',
  'hljs-selector-id': 'name',
  'hljs-deletion': 'comment',
};

interface Node {
  type: string;
  value?: string;
  properties?: { className?: unknown };
  children?: Node[];
}

/** Cut where a person would: at an empty line, else at the end of a line, else anywhere. */
export function piecesOf(text: string): string[] {
  const pieces: string[] = [];
  let rest = text;
  while (rest.length > mostAtOnce) {
    const end = ['\n\n', '\n'].map((mark) => rest.lastIndexOf(mark, mostAtOnce - mark.length) + mark.length).find((place) => place > 2);
    pieces.push(rest.slice(0, end ?? mostAtOnce));
    rest = rest.slice(end ?? mostAtOnce);
  }
  return [...pieces, rest];
}

/** Nothing for a language that is not known, and for code that is too long. Parts within parts have the colour of the innermost. */
export function coloursOf(text: string, language: string): Coloured[] {
  const name = language.split(/[\s{,]/, 1)[0]!.toLowerCase();
  if (text.length > mostCoded || !known.registered(name)) return [];
  const all: Coloured[] = [];
  let at = 0;
  const walk = (node: Node, around: Kind | null): void => {
    const classes = Array.isArray(node.properties?.className) ? node.properties.className.map(String) : [];
    const kind = classes.map((one) => kindOf[one]).find((one) => one !== undefined) ?? around;
    if (node.value !== undefined) {
      const to = at + node.value.length;
      if (kind) all.push({ kind, from: at, to });
      at = to;
    }
    for (const child of node.children ?? []) walk(child, kind);
  };
  for (const piece of piecesOf(text)) walk(known.highlight(name, piece) as Node, null);
  return all;
}
