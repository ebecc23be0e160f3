/** Pages of a document as the command line prints them. */
import type { PageFlag, StoredPage } from '../services/ports.ts';

export type PrintedPage = Pick<StoredPage, 'number' | 'label' | 'state' | 'flags' | 'text' | 'hiddenWords' | 'failure'>;

/** For `--json`. */
export function pageAsJson({ number, label, state, flags, text, failure }: PrintedPage): object {
  return { number, label, state, flags, text, ...(failure ? { failure } : {}) };
}

export function pageHeading({ number, label, state, flags }: PrintedPage): string {
  const printedNumber = label === String(number) ? '' : ` (${label})`;
  return `==> page ${number}${printedNumber}: ${[state, ...flags].join(', ')} <==`;
}

/** With its heading; an empty line before it unless it is the first. */
export function pageAsText(page: PrintedPage, isFirst: boolean): string {
  return `${isFirst ? '' : '\n'}${pageHeading(page)}\n${page.text && `${page.text}\n`}`;
}

/** What there is to say of it, a sentence each. */
export function pageNotes({ number, flags, hiddenWords, failure }: PrintedPage): string[] {
  return [
    ...(failure ? [`${failure.message} ${failure.nextStep}`] : []),
    ...flags.flatMap((flag) => flagNote(flag, number, hiddenWords) ?? []),
  ];
}

function flagNote(flag: PageFlag, number: number, hiddenWords: number): string | null {
  switch (flag) {
    case 'garbled':
      return `The text of page ${number} is scrambled in the file; it can only be read from its picture.`;
    case 'damaged':
      return `Page ${number} is damaged: part of it may be missing.`;
    case 'hidden-text':
      return `Page ${number} has ${hiddenWords} ${hiddenWords === 1 ? 'word' : 'words'} that nobody can see. They are left out.`;
    case 'font-missing':
      return `A font is missing from page ${number}: some of its words are in the text, but cannot be drawn.`;
    case 'picture-not-drawn':
      return `A picture on page ${number} is too large or damaged: it may be missing from what is drawn.`;
    case 'too-large':
      return `Page ${number} is so large that its picture has less than one pixel per point.`;
    case 'form':
      return null;
    default:
      return flag satisfies never;
  }
}
