import type { Attachment } from 'svelte/attachments';
import type { Kind } from '../../markdown/colours.ts';

/** Code that is being written is coloured once it has been the same for so long, ms. */
const settled = 200;

/**
 * Colours the words of code by what they are, without an element for each: the text stays one piece of text, and the
 * browser paints its ranges (`::highlight` in base.css).
 */
export function coloured(text: () => string, language: () => string): Attachment<HTMLElement> {
  return (element) => {
    const ranges: { highlight: Highlight; range: Range }[] = [];
    const clear = (): void => {
      for (const { highlight, range } of ranges.splice(0)) highlight.delete(range);
    };
    const [code, name] = [text(), language()];
    if (name === '' || !('highlights' in CSS)) return clear;
    let isWanted = true;
    const colour = async (): Promise<void> => {
      const { coloursOf } = await import('../../markdown/colours.ts');
      const node = element.firstChild;
      if (!isWanted || !(node instanceof Text) || node.data !== code) return;
      for (const { kind, from, to } of coloursOf(code, name)) {
        const range = document.createRange();
        range.setStart(node, from);
        range.setEnd(node, to);
        const highlight = highlightOf(kind);
        highlight.add(range);
        ranges.push({ highlight, range });
      }
    };
    // Without its module code stays in one colour.
    const timer = setTimeout(() => void colour().catch(() => {}), settled);
    return () => {
      isWanted = false;
      clearTimeout(timer);
      clear();
    };
  };
}

function highlightOf(kind: Kind): Highlight {
  const name = `code-${kind}`;
  const found = CSS.highlights.get(name);
  if (found) return found;
  const made = new Highlight();
  CSS.highlights.set(name, made);
  return made;
}
