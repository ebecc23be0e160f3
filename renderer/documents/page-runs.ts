import type { DocumentPage } from '../../main/contract.ts';

/** Pages that follow one another and have nothing to say but their common state, or that all are scrambled; or one page that has more. */
export interface PageRun {
  from: DocumentPage;
  to: DocumentPage;
}

export function runsOf(pages: readonly DocumentPage[]): PageRun[] {
  const runs: PageRun[] = [];
  for (const page of pages) {
    const last = runs.at(-1);
    if (last && last.to.state === page.state && ((isPlain(last.to) && isPlain(page)) || (isScrambled(last.to) && isScrambled(page))))
      last.to = page;
    else runs.push({ from: page, to: page });
  }
  return runs;
}

/** And nothing else. */
export function isScrambled({ flags, failure }: DocumentPage): boolean {
  return failure === null && flags.length === 1 && flags[0] === 'garbled';
}

function isPlain({ flags, failure }: DocumentPage): boolean {
  return failure === null && flags.length === 0;
}
