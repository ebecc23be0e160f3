/**
 * A document as a tree of elements and texts, and the tree as markup or as elements. Whatever a text says, it stays a text: nothing but
 * these functions writes a tag. The markup is well-formed XML that reads alike as HTML.
 */

export interface Element {
  name: string;
  attributes: Readonly<Record<string, string>>;
  children: readonly Tree[];
}

export type Tree = Element | string;

/** What may stand where children do; null and false are nothing. */
export type Child = Tree | readonly Child[] | null | false;

export const htmlNamespace = 'http://www.w3.org/1999/xhtml';
export const mathNamespace = 'http://www.w3.org/1998/Math/MathML';

const namePattern = /^[a-zA-Z][a-zA-Z0-9-]*$/;
/** Without an end, in HTML. */
const empty = new Set(['br', 'hr', 'img', 'input', 'meta']);

/** Attributes that are undefined are left out. */
export function h(name: string, attributes: Record<string, string | undefined> = {}, ...children: Child[]): Element {
  const given = Object.entries(attributes).filter((entry): entry is [string, string] => entry[1] !== undefined);
  if (![name, ...given.map(([attribute]) => attribute)].every((word) => namePattern.test(word))) throw new Error(`No markup: ${name}`);
  return { name, attributes: Object.fromEntries(given), children: flat(children) };
}

function flat(children: readonly Child[]): Tree[] {
  return children.flatMap((child): Tree[] => {
    if (child === null || child === false) return [];
    return isList(child) ? flat(child) : [child];
  });
}

function isList(child: Child): child is readonly Child[] {
  return Array.isArray(child);
}

export function toMarkup(tree: Tree): string {
  if (typeof tree === 'string') return escapeText(tree);
  const attributes = Object.entries(tree.attributes).map(([name, value]) => ` ${name}="${escapeText(value).replaceAll('"', '&quot;')}"`);
  const head = `<${tree.name}${attributes.join('')}`;
  return empty.has(tree.name) ? `${head} />` : `${head}>${tree.children.map(toMarkup).join('')}</${tree.name}>`;
}

function escapeText(text: string): string {
  return inXml(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** What no XML document may hold is replaced. */
function inXml(text: string): string {
  return text.toWellFormed().replace(/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, '\ufffd');
}

/** The same in the page, to be measured. */
export function toNode(tree: Tree, namespace = htmlNamespace): Node {
  if (typeof tree === 'string') return document.createTextNode(inXml(tree));
  const own = tree.name === 'math' ? mathNamespace : namespace;
  const element = document.createElementNS(own, tree.name);
  for (const [name, value] of Object.entries(tree.attributes)) element.setAttribute(name, value);
  element.append(...tree.children.map((child) => toNode(child, own)));
  return element;
}

/** Attributes that MathML is laid out by; none of them can name an address. */
const ofFormulas =
  /^(?:display|displaystyle|scriptlevel|mathvariant|stretchy|symmetric|fence|separator|lspace|rspace|minsize|maxsize|largeop|movablelimits|accent|accentunder|linethickness|width|height|depth|voffset|columnspan|rowspan|columnalign|form|class|style)$/;

/** What the formulas' library drew. */
export function treeOfFormula(element: globalThis.Element): Element {
  const attributes = [...element.attributes].filter(({ name, value }) => ofFormulas.test(name) && !/url|[\\@]/i.test(value));
  const children = [...element.childNodes].map((node): Child => {
    if (node.nodeType === Node.TEXT_NODE) return node.textContent ?? '';
    return node.nodeType === Node.ELEMENT_NODE ? treeOfFormula(node as globalThis.Element) : null;
  });
  return h(
    element.localName,
    {
      ...(element.localName === 'math' && { xmlns: mathNamespace }),
      ...Object.fromEntries(attributes.map(({ name, value }) => [name, value])),
    },
    children,
  );
}
