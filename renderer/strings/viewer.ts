import type { DocumentPage } from '../../main/contract.ts';

const numbers = new Intl.NumberFormat('en');

export const viewer = {
  pages: 'Pages',
  thumbnails: 'Small pages at the side',
  thumbnail: ({ label, number, state }: DocumentPage) => `${pageName(label, number)}${stateNames[state]}`,
  previous: 'Previous page',
  next: 'Next page',
  page: 'Page',
  /** Where the printed number is not the place, both are said. */
  of: (page: DocumentPage | null, count: number) =>
    page && page.label !== String(page.number)
      ? `${numbers.format(page.number)} of ${numbers.format(count)}`
      : `of ${numbers.format(count)}`,
  noPage: (name: string) => `There is no page ${name}.`,
  zoomIn: 'Zoom in',
  zoomOut: 'Zoom out',
  zoom: (zoom: number) => `${Math.round(zoom * 100)} %`,
  fit: (zoom: number) => `Zoom ${Math.round(zoom * 100)} %: fit the width`,
  rotate: 'Rotate the pages',
  search: 'Search this document',
  nextHit: 'Next hit',
  previousHit: 'Previous hit',
  hits: (count: number, limit: number) =>
    count === 0 ? 'Nothing found' : count === 1 ? 'On 1 page' : `On ${count} pages${count >= limit ? ' or more' : ''}`,
  copy: 'Copy the text of this page',
  copied: 'The text of the page was copied.',
  noText: 'This page has no text to copy yet.',
  ask: 'Ask about this page',
  drawing: (number: number) => `Drawing page ${number}…`,
  notDrawn: (number: number) => `Page ${number} cannot be shown.`,
  lockedStep: 'Its pages cannot be shown without its password.',
  enterPassword: 'Enter the password',
  pageName,
  scrambled,
  /** What became of it, where there is something to say. */
  notes: ({ number, state, flags, hiddenWords, failure }: DocumentPage): string[] => [
    ...(failure ? [`${failure.message} ${failure.nextStep}`] : []),
    ...(state === 'waiting' ? [`Page ${number} is still to be read.`] : []),
    ...(state === 'picture' && !failure ? [`Page ${number} has no text yet.`] : []),
    ...(state === 'ocr' ? [`The text of page ${number} was read from its picture.`] : []),
    ...flags.flatMap((flag) => flagNotes[flag]?.(number, hiddenWords) ?? []),
  ],
};

function scrambled(count: number, state: DocumentPage['state']): string {
  const read = state === 'ocr' ? 'it was read from their pictures' : 'it can only be read from their pictures';
  return `The text of these ${numbers.format(count)} pages is scrambled in the file; ${read}.`;
}

function pageName(label: string, number: number): string {
  return label === String(number) ? `Page ${number}` : `Page ${label} (${number})`;
}

const stateNames: Record<DocumentPage['state'], string> = {
  text: '',
  ocr: ', read from its picture',
  picture: ', no text yet',
  blank: ', blank',
  failed: ', could not be read',
  waiting: ', still to be read',
};

const flagNotes: { [Flag in DocumentPage['flags'][number]]?: (number: number, hiddenWords: number) => string } = {
  garbled: (number) => `The text of page ${number} is scrambled in the file; only its picture can be read.`,
  damaged: (number) => `Page ${number} is damaged: part of it may be missing.`,
  'hidden-text': (number, words) =>
    `Page ${number} has ${words} ${words === 1 ? 'word' : 'words'} that nobody can see. The model does not get them.`,
  'font-missing': (number) => `A font is missing from page ${number}: some of its words are in the text, but cannot be drawn.`,
  'picture-not-drawn': (number) => `A picture on page ${number} is too large or damaged: it may be missing from what you see.`,
  'too-large': (number) => `Page ${number} is so large that small print on it cannot be seen here.`,
};
