import { LoupeError } from '../../errors.ts';

export const mostPages = 5000;

export interface PageRange {
  from: number;
  to: number;
}

/** "3" or "3-12"; null is all of them. Throws `usage`, and `document_too_large` for more than 5,000. */
export function pageRange(asked: string | null, pageCount: number, name: string): PageRange {
  const [, first, last] = /^(\d{1,7})(?:-(\d{1,7}))?$/.exec(asked ?? `1-${pageCount}`) ?? [];
  const from = Number(first);
  const to = Number(last ?? first);
  if (!(from >= 1 && from <= to)) throw new LoupeError('usage', `Pages are named as in 3 or 3-12, not "${asked}".`);
  if (to > pageCount) {
    throw new LoupeError(
      'usage',
      `${name} has ${pageCount} ${pageCount === 1 ? 'page' : 'pages'}; there is no page ${to}.`,
      'Name pages that it has.',
    );
  }
  if (to - from >= mostPages) {
    throw new LoupeError(
      'document_too_large',
      `${name} has ${pageCount.toLocaleString('en')} pages; at most 5,000 are read at once.`,
      `Name some of them, as in 1-${mostPages} (on the command line: --pages 1-${mostPages}).`,
    );
  }
  return { from, to };
}
