import type { DocumentPage } from '../../main/contract.ts';

export const viewer = {
  pages: 'Pages',
  previous: 'Previous page',
  next: 'Next page',
  page: 'Page',
  of: (count: number) => `of ${new Intl.NumberFormat('en').format(count)}`,
  noPage: (name: string) => `There is no page ${name}.`,
  zoomIn: 'Zoom in',
  zoomOut: 'Zoom out',
  fit: 'Fit the width',
  rotate: 'Turn the pages',
  search: 'Search this document',
  nextHit: 'Next page with a hit',
  previousHit: 'Previous page with a hit',
  hits: (count: number) => (count === 0 ? 'Nothing found' : count === 1 ? 'On 1 page' : `On ${count} pages`),
  copy: 'Copy the text of this page',
  copied: 'The text of the page was copied.',
  noText: 'This page has no text to copy yet.',
  notDrawn: (number: number) => `Page ${number} cannot be shown. If the document has a password, enter it in the list of documents.`,
  pageName: (label: string, number: number) => (label === String(number) ? `Page ${number}` : `Page ${label} (${number})`),
  /** What became of it, where there is something to say. */
  notes: ({ number, state, flags, hiddenWords, failure }: DocumentPage): string[] => [
    ...(failure ? [`${failure.message} ${failure.nextStep}`] : []),
    ...(state === 'waiting' ? [`Page ${number} is still to be read.`] : []),
    ...(state === 'picture' && !failure ? [`Page ${number} has no text yet.`] : []),
    ...(state === 'ocr' ? [`The text of page ${number} was read from its picture.`] : []),
    ...flags.flatMap((flag) => flagNotes[flag]?.(number, hiddenWords) ?? []),
  ],
};

const flagNotes: { [Flag in DocumentPage['flags'][number]]?: (number: number, hiddenWords: number) => string } = {
  garbled: (number) => `The text of page ${number} is scrambled in the file; it can only be read from its picture.`,
  damaged: (number) => `Page ${number} is damaged: part of it may be missing.`,
  'hidden-text': (number, words) =>
    `Page ${number} has ${words} ${words === 1 ? 'word' : 'words'} that nobody can see. The model does not get them.`,
  'font-missing': (number) => `A font is missing from page ${number}: some of its words are in the text, but cannot be drawn.`,
  'picture-not-drawn': (number) => `A picture on page ${number} is too large or damaged: it may be missing from what you see.`,
  'too-large': (number) => `Page ${number} is so large that small print on it cannot be seen here.`,
};
