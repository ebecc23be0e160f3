/** TeX as MathML, which the browser draws. A module of its own: it is loaded with the first formula. */
import temml from 'temml';

/** Elements of one formula: no answer has more, and drawing them takes time. */
const mostElements = 2_000;
/** No space or rule is wider or higher: em, points. */
const mostSize: [number, number] = [20, 240];
/** A macro that calls itself ends here. */
const mostExpansions = 200;

/**
 * The `<math>` element of a formula; null for what is no TeX, or too much of it. It holds MathML and nothing else: no address, no
 * script and no markup of the author's, whatever the author writes.
 */
export function formulaOf(tex: string, display: boolean): Element | null {
  const place = document.createElement('span');
  try {
    temml.render(tex, place, { displayMode: display, throwOnError: true, trust: false, maxExpand: mostExpansions, maxSize: mostSize });
  } catch {
    // Also a stack that is too deep, for braces within braces.
    return null;
  }
  const math = place.firstElementChild;
  const all = math?.querySelectorAll('*') ?? [];
  if (math?.localName !== 'math' || all.length > mostElements || place.childElementCount !== 1) return null;
  return [math, ...all].every(isMath) ? math : null;
}

function isMath(element: Element): boolean {
  const foreign = element.namespaceURI !== 'http://www.w3.org/1998/Math/MathML';
  return !foreign && !element.hasAttribute('href') && !element.hasAttribute('src');
}
