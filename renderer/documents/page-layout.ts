/** Where the pages of a document are in one long column, and which of them are in sight. Lengths in CSS pixels. */

export interface PageSize {
  width: number;
  height: number;
}

export interface PlacedPage {
  top: number;
  width: number;
  height: number;
}

export interface Layout {
  pages: PlacedPage[];
  /** Of the whole column. */
  height: number;
}

/** A page that is not read yet has no size: it is taken for A4. */
const usual: PageSize = { width: 595, height: 842 };
export const gap = 16;

/** `width`: of the widest a page gets; `quarters`: how often each is turned clockwise by 90 degrees. */
export function layOut(sizes: readonly PageSize[], width: number, quarters: number): Layout {
  const isTurned = quarters % 2 === 1;
  let top = gap;
  const pages = sizes.map((size) => {
    const known = size.width > 0 && size.height > 0 ? size : usual;
    const [wide, high] = isTurned ? [known.height, known.width] : [known.width, known.height];
    const page = { top, width, height: Math.max(1, Math.round((width * high) / wide)) };
    top += page.height + gap;
    return page;
  });
  return { pages, height: top };
}

/** Indices of the pages in sight and one more on either side; `to` is not one of them. */
export function inSight({ pages }: Layout, scrolled: number, height: number): { from: number; to: number } {
  const first = lastAtOrAbove(pages, scrolled);
  let to = first;
  while (to < pages.length && pages[to]!.top < scrolled + height) to++;
  return { from: Math.max(0, first - 1), to: Math.min(pages.length, to + 1) };
}

/** Index of the page that takes the upper third of what is seen. */
export function pageAt({ pages }: Layout, scrolled: number, height: number): number {
  return lastAtOrAbove(pages, scrolled + height / 3);
}

/** A place in the column that means the same after its pages have changed their sizes. */
export interface Anchor {
  index: number;
  /** How far into the page, of its height. */
  share: number;
}

export function anchorAt({ pages }: Layout, scrolled: number): Anchor {
  const index = lastAtOrAbove(pages, scrolled);
  const page = pages[index];
  return { index, share: page ? (scrolled - page.top) / page.height : 0 };
}

export function scrolledTo({ pages }: Layout, { index, share }: Anchor): number {
  const page = pages[index];
  return page ? page.top + share * page.height : 0;
}

type Box = readonly [left: number, top: number, right: number, bottom: number];

/** Where a box of a page is once the page is turned by `quarters`, as shares of the width and the height that it then has. */
export function turnedBox([left, top, right, bottom]: Box, { width, height }: PageSize, quarters: number): Box {
  let [x1, y1, x2, y2] = [left / width, top / height, right / width, bottom / height];
  for (let turn = 0; turn < quarters; turn++) [x1, y1, x2, y2] = [1 - y2, x1, 1 - y1, x2];
  return [x1, y1, x2, y2];
}

function lastAtOrAbove(pages: readonly PlacedPage[], at: number): number {
  let low = 0;
  let high = pages.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (pages[middle]!.top <= at) low = middle;
    else high = middle - 1;
  }
  return Math.max(0, low);
}
