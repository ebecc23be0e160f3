import { aboutTime } from '../format.ts';
import {
  citationInWords,
  coverageInWords,
  scopeInWords,
  type AskedScope,
  type Citation,
  type Coverage,
  type Finding,
} from '../../main/contract.ts';

export const asking = {
  pagesGo: (host: string) => `The pages that it needs go to ${host}.`,
  pagesStay: (name: string) => `Pages stay on this computer: ${name} may not get them, so it will not be asked.`,
  about: (scope: AskedScope) => `About ${scopeInWords(scope)}`,
  clear: (scope: AskedScope) => `Stop asking about ${scopeInWords(scope)}`,
  every: 'Every page',
  everyHint: 'The model looks at each page by itself and answers from what it notes. That takes a few seconds a page.',
  /** Where a question seems to ask for all that there is. */
  everyAdvice: 'Look at every page?',
  /** `ms`: how long it is likely to take; null where nobody knows. */
  lookAtEvery: (pages: number | null, ms: number | null) =>
    `Look at every page${pages === null ? '' : ` (${pages.toLocaleString('en')}${ms === null ? '' : `, ${aboutTime(ms / 1000)}`})`}`,
  pageOf: (done: number, total: number, seconds: number | null) =>
    `page ${Math.min(done + 1, total).toLocaleString('en')} of ${total.toLocaleString('en')}${seconds === null ? '' : `, ${aboutTime(seconds)} left`}`,
  placeholder: 'Ask about what the pages say',
  placeholderLibrary: 'Ask about your documents',
  choosing: 'Looking for the pages that answer this',
  coverage: (coverage: Coverage) => coverageInWords(coverage),
  searchedFor: (words: readonly string[]) => `Searched for: ${words.join(', ')}.`,
  changeWords: 'Search for other words',
  words: 'Words to search for, with commas between them',
  searchAgain: 'Search again',
  citations: 'Citations, checked against the pages',
  noCitations: 'The answer quotes no page, so nothing in it was checked.',
  findings: {
    verified: 'Verified',
    close: 'Close',
    'numbers-differ': 'Numbers differ',
    'other-page': 'On another page',
    'not-found': 'Not found',
    unchecked: 'Not checked',
  } satisfies Record<Finding, string>,
  /** The finding stands before it. */
  citation: (citation: Citation, ofSeveral: boolean) => citationInWords(citation, ofSeveral).replace(/^[^:]+: /, ''),
  /** In the answer itself. */
  mark: ({ label, page, name }: Citation, ofSeveral: boolean) =>
    `${ofSeveral && name !== null ? `${name.length > 24 ? `${name.slice(0, 24)}…` : name} ` : ''}p. ${label ?? page}`,
  finding: (citation: Citation, ofSeveral: boolean) => citationInWords(citation, ofSeveral),
  open: (citation: Citation, ofSeveral: boolean) => `${citationInWords(citation, ofSeveral)} Open the page.`,
  ask: 'Ask about it',
  askAll: 'Ask about all documents',
};
