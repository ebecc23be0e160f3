import { mostOccurrences, occurrences } from './occurrences.ts';

/** Where `words` stands in the elements, in their order; a piece of text may go through several nodes, as over bold words. */
export function rangesOf(elements: Iterable<Element>, words: string): Range[] {
  const ranges: Range[] = [];
  for (const element of elements) {
    const nodes: { node: Text; from: number }[] = [];
    let text = '';
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const node = walker.currentNode as Text;
      nodes.push({ node, from: text.length });
      text += node.data;
    }
    let at = 0;
    for (const { from, to } of occurrences(text, words, mostOccurrences - ranges.length)) {
      const range = document.createRange();
      while (at + 1 < nodes.length && nodes[at + 1]!.from <= from) at++;
      range.setStart(nodes[at]!.node, from - nodes[at]!.from);
      let end = at;
      while (end + 1 < nodes.length && nodes[end + 1]!.from < to) end++;
      range.setEnd(nodes[end]!.node, to - nodes[end]!.from);
      ranges.push(range);
    }
  }
  return ranges;
}

/** Marks the ranges, one of them as the one that is looked at; none takes the marks away. */
export function markRanges(ranges: readonly Range[], current: Range | undefined): void {
  if (!('highlights' in CSS)) return;
  CSS.highlights.set('found', new Highlight(...ranges));
  CSS.highlights.set('found-current', current ? new Highlight(current) : new Highlight());
}
