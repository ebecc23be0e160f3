/** Markdown's blocks as a document outside of Loupe shows them: as components/markdown/ draws them, without what needs the app. */
import type { Block, Cell } from '../markdown/blocks.ts';
import type { Chunks } from '../markdown/chunks.ts';
import { parseMarkdown } from '../markdown/document.ts';
import { wordsOf, type Inline } from '../markdown/inline.ts';
import { safeLink, saysTarget, targetOf, withoutUnseen } from '../markdown/links.ts';
import type { Coloured } from '../markdown/colours.ts';
import { strings } from '../strings.ts';
import { h, type Child, type Element } from './tree.ts';

/** What needs more than words, loaded where it is wanted. */
export interface Drawing {
  /** Null for what is no TeX. */
  formula: (tex: string, display: boolean) => Element | null;
  colours: (code: string, language: string) => readonly Coloured[];
}

export function markdown(text: string, drawing: Drawing): Element {
  const all = parseMarkdown(text);
  const depths = all.flat().flatMap((block) => (block.type === 'heading' ? [block.depth] : []));
  return h('div', { class: 'markdown' }, blocks(all, [...new Set(depths)].toSorted(), drawing));
}

/** `depths`: of the headings that the text uses, highest first. */
function blocks(all: Chunks<Block>, depths: readonly number[], drawing: Drawing): Child {
  const one = (block: Block): Child => {
    const words = (inlines: readonly Inline[]): Child => inline(inlines, drawing);
    switch (block.type) {
      case 'paragraph':
        return block.bare ? words(block.inline) : h('p', {}, words(block.inline));
      case 'heading':
        // The document has the first two levels, and no level is left out.
        return h(`h${Math.min(6, Math.max(0, depths.indexOf(block.depth)) + 3)}`, {}, words(block.inline));
      case 'list':
        return h(
          block.ordered ? 'ol' : 'ul',
          { dir: 'auto', ...(block.ordered && { start: String(block.start) }) },
          block.items.flat().map(({ task, blocks: inside }) => {
            const box = task === null ? null : `${task ? '☑' : '☐'} `;
            return h('li', { ...(task !== null && { class: 'task' }) }, box, blocks(inside, depths, drawing));
          }),
        );
      case 'code':
        return code(block.text, block.language, drawing);
      case 'formula':
        return formula({ text: block.text, raw: block.raw, display: true }, drawing);
      case 'quote':
        return h('blockquote', { dir: 'auto' }, blocks(block.blocks, depths, drawing));
      case 'table': {
        const cell = (name: 'th' | 'td', { align, inline: inside }: Cell): Element =>
          h(name, { ...(name === 'th' && { scope: 'col' }), ...(align && { style: `text-align:${align}` }) }, words(inside));
        return h(
          'div',
          { class: 'table', dir: 'auto', role: 'group', 'aria-label': strings.chat.table, tabindex: '0' },
          h(
            'table',
            {},
            h('thead', {}, h('tr', {}, ...block.header.map((of) => cell('th', of)))),
            h(
              'tbody',
              {},
              block.rows.flat().map(({ cells, missing }) =>
                h(
                  'tr',
                  {},
                  cells.map((of) => cell('td', of)),
                  missing > 0 && h('td', { colspan: String(missing) }),
                ),
              ),
            ),
          ),
        );
      }
      case 'rule':
        return h('hr');
      case 'html':
        return h('p', {}, block.text);
      case 'plain':
        return h('p', { class: 'plain' }, block.text);
    }
  };
  return all.flat().map(one);
}

function inline(inlines: readonly Inline[], drawing: Drawing, linked = false): Child {
  return inlines.map((piece): Child => {
    switch (piece.type) {
      case 'text':
        return withoutUnseen(piece.text);
      case 'strong':
        return h('strong', {}, inline(piece.children, drawing, linked));
      case 'emphasis':
        return h('em', {}, inline(piece.children, drawing, linked));
      case 'deleted':
        return h('del', {}, inline(piece.children, drawing, linked));
      case 'code':
        return h('code', { dir: 'ltr' }, withoutUnseen(piece.text));
      case 'formula':
        return formula(piece, drawing);
      case 'break':
        return h('br');
      case 'link': {
        const url = linked ? null : safeLink(piece.href);
        if (!url) return linked ? inline(piece.children, drawing, true) : withoutUnseen(piece.raw);
        const target = saysTarget(wordsOf(piece.children), url)
          ? null
          : h('span', { class: 'host', dir: 'ltr' }, `\u00a0(${targetOf(url)})`);
        return [h('a', { href: url.href, rel: 'noopener noreferrer', dir: 'auto' }, inline(piece.children, drawing, true)), target];
      }
      case 'image':
        return strings.chat.pictureInText(withoutUnseen(piece.text || piece.href));
      case 'plain':
        return h('span', { class: 'plain' }, withoutUnseen(piece.text));
    }
  });
}

function formula({ text, raw, display }: { text: string; raw: string; display: boolean }, drawing: Drawing): Element {
  const drawn = drawing.formula(text, display) ?? h('code', {}, withoutUnseen(raw));
  return h('span', { class: display ? 'formula display' : 'formula', dir: 'ltr' }, drawn);
}

function code(text: string, language: string, drawing: Drawing): Element {
  const shown = withoutUnseen(text);
  let from = 0;
  const parts = drawing.colours(shown, language).flatMap(({ kind, from: start, to }): Child[] => {
    const before = shown.slice(from, start);
    from = to;
    return [before, h('span', { class: `is-${kind}` }, shown.slice(start, to))];
  });
  return h('pre', { dir: 'ltr' }, h('code', {}, parts, shown.slice(from)));
}
