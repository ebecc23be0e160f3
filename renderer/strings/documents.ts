import type { DocumentPage, LibraryDocument } from '../../main/contract.ts';
import { isScrambled } from '../documents/page-runs.ts';
import { aboutTime, bytes } from '../format.ts';
import { viewer } from './viewer.ts';

const numbers = new Intl.NumberFormat('en');

/** A full page from its picture, on two cores (docs/benchmarks.md). */
const secondsAPage = 3;

/** "1 page", "2,000 pages". */
function pages(count: number): string {
  return `${numbers.format(count)} ${count === 1 ? 'page' : 'pages'}`;
}

const states = {
  text: { one: 'has text', many: 'have text' },
  ocr: { one: 'was read from its picture', many: 'were read from their pictures' },
  picture: { one: 'has no text yet', many: 'have no text yet' },
  blank: { one: 'is blank', many: 'are blank' },
  failed: { one: 'could not be read', many: 'could not be read' },
  waiting: { one: 'is still to be read', many: 'are still to be read' },
} satisfies Record<DocumentPage['state'], { one: string; many: string }>;

export const documents = {
  title: 'Documents',
  open: 'Documents',
  hint:
    'PDFs, scans and pictures that you can search, read and ask about. ' +
    'Loupe keeps a copy of each on this computer, and nothing leaves it.',
  add: 'Add documents',
  addFolder: 'Add a folder',
  dropHere: 'Drop documents here to add them',
  empty: 'There are no documents yet.',
  emptyStep: 'Drop PDFs, scans or a folder here, or choose them.',
  list: 'Documents in the library',
  search: 'Search all documents',
  clearSearch: 'Clear the search',
  results: 'Pages that were found',
  hits: (count: number, limit: number) =>
    count === 0 ? 'No page has any of these words.' : count === limit ? `The ${count} best pages` : pages(count),
  hitName: (name: string, label: string) => `${name}, page ${label}`,
  about: ({ kind, bytes: size, pageCount }: LibraryDocument) =>
    [kind === 'pdf' ? 'PDF' : 'Picture', bytes(size), pages(pageCount)].join(' · '),
  /** "36 pages have text, 4 have no text yet." */
  states: ({ states: counts }: LibraryDocument) => {
    const parts = (Object.keys(states) as (keyof typeof states)[])
      .filter((state) => counts[state] > 0)
      .map((state, index) => {
        const count = counts[state];
        return `${index === 0 ? pages(count) : numbers.format(count)} ${count === 1 ? states[state].one : states[state].many}`;
      });
    return parts.length > 0 ? `${parts.join(', ')}.` : '';
  },
  inPart: (count: number) => (count === 1 ? 'Part of 1 page is missing or left out.' : `Parts of ${pages(count)} are missing or left out.`),
  reading: (left: number, ocr: boolean) =>
    left === 0 ? 'Finishing' : ocr ? `Reading the text in pictures: ${pages(left)} left` : `Reading: ${pages(left)} left`,
  sending: (name: string) => `Adding ${name}`,
  uploadStates: {
    waiting: 'Waiting',
    sending: 'Copying it into the library',
    checking: 'Checking the file',
    locked: 'Needs a password',
    tooLong: 'Which pages to read?',
    failed: 'Not added',
  },
  known: (name: string, as: string, count: number) =>
    count === 1
      ? `${name} is in the library already${name === as ? '' : `, as ${as}`}.`
      : `${numbers.format(count)} documents are in the library already.`,
  unread: (name: string, count: number) =>
    count === 1 ? `${name} cannot be read.` : `${name} and ${numbers.format(count - 1)} more cannot be read.`,
  wait: (count: number) => `${numbers.format(count)} files are waiting.`,
  cancelAll: 'Do not add them',
  /** Of a full disk, say, which has no name of a file in it. */
  notAdded: (name: string, why: string) => (why.includes(name) ? why : `${name} was not added. ${why}`),
  /** After the window was reloaded. A folder may have had thousands: some are named. */
  unsent: (names: readonly string[]) => {
    const most = 8;
    const more = names.length - most;
    const named = names.slice(0, most).join(', ') + (more > 0 ? ` and ${numbers.format(more)} more` : '');
    return names.length === 1
      ? `${named} was not added: the window was reloaded before all of it had been sent.`
      : `${numbers.format(names.length)} files were not added, because the window was reloaded before they had been sent: ${named}.`;
  },
  unsentStep: 'Add them again. What is in the library already stays as it is.',
  moreFailed: (count: number) => (count === 1 ? '1 more file was not added.' : `${numbers.format(count)} more files were not added.`),
  dismissAll: 'Dismiss all',
  notADocument: (name: string) => `${name} is neither a PDF nor a picture that Loupe reads.`,
  notADocumentStep: 'Export it as PDF and add that.',
  tooLarge: (name: string, size: number, most: number) => `${name} has ${bytes(size)}; at most ${bytes(most)} is read.`,
  tooLargeStep: 'Split the document, and add its parts.',
  leftOut: (count: number) =>
    count === 1
      ? '1 file was left out: it is neither a PDF nor a picture.'
      : `${numbers.format(count)} files were left out: they are neither PDFs nor pictures.`,
  tooMany: (most: number) => `A folder may have ${numbers.format(most)} files at most. The others were left out.`,
  gone: (name: string) => `${name} cannot be read any more.`,
  goneStep: 'Check that its drive is still connected, then add it again.',

  whatWasRead: 'What was read',
  whatWasReadTitle: (name: string) => `What was read of ${name}`,
  /** "Page iii (3)", "Pages 4 to 9". */
  runName: (from: DocumentPage, to: DocumentPage) =>
    from === to ? viewer.pageName(from.label, from.number) : `Pages ${numbers.format(from.number)} to ${numbers.format(to.number)}`,
  why: (from: DocumentPage, to: DocumentPage) => {
    const notes = from === to ? viewer.notes(from).join(' ') : '';
    if (notes !== '') return notes;
    if (isScrambled(from)) return viewer.scrambled(to.number - from.number + 1, from.state);
    const words = from === to ? states[from.state].one : states[from.state].many;
    return `${words[0]!.toUpperCase()}${words.slice(1)}.`;
  },
  actions: (name: string) => `Actions for ${name}`,
  /** Says how long it takes where somebody would wait for it. */
  readPictures: (count: number) =>
    (count === 1 ? 'Read the text in its picture' : `Read the text in ${numbers.format(count)} pictures`) +
    (count * secondsAPage < 10 ? '' : ` (${aboutTime(count * secondsAPage)})`),
  resume: 'Read the rest',
  again: 'Try the failed pages again',
  stop: 'Stop reading',
  view: 'Open',
  remove: 'Remove',
  removeTitle: (name: string) => `Remove ${name}?`,
  removeMessage:
    'Its text, its place in the search and Loupe’s copy of the file will be deleted. ' +
    'Answers and tables keep what they have of it. This cannot be undone. Your own file stays where it is.',
  removeConfirm: 'Remove the document',
  removed: (name: string) => `${name} was removed.`,
  cancel: 'Do not add it',
  dismiss: 'Dismiss',

  needsPassword: (name: string) => `${name} needs a password`,
  password: 'Password',
  passwordHint: (hasOthers: boolean) =>
    'Loupe does not keep it.' + (hasOthers ? ' It is also tried on the other files that are being added.' : ''),
  itsText: 'The text that Loupe reads',
  kept: 'Keep it for the search',
  untilClose: 'Only until Loupe closes',
  keptHint: 'The search finds its words after a restart as well. To see its pages then, enter the password again.',
  untilCloseHint:
    'You can read, search and ask until Loupe closes. Then all that it has read is deleted; answers and tables keep what they have of it.',
  goesOnClose: 'What was read of it is deleted when Loupe closes.',
  passwordWrong: 'This is not the password of this document.',
  unlock: 'Open',
  tooLong: (name: string) => `${name} is very long`,
  range: 'Pages to read',
  rangeHint: 'A range such as 1-5000. At most 5,000 pages are read.',
  rangeWrong: 'Enter a page or a range, as in 3 or 3-12.',
  readRange: 'Read these pages',

  marks: 'State of each page',
};
