import { differenceInWords, type Difference } from '../../main/contract.ts';

/** Text that is read in pictures. */
export const text = {
  copy: 'Copy text',
  reading: 'Reading the text…',
  readSoFar: (lines: number) => (lines === 1 ? '1 line so far' : `${lines.toLocaleString('en')} lines so far`),
  differences: 'Compared with the text in the picture',
  difference: (difference: Difference) => differenceInWords(difference),
  stop: 'Stop',
  copied: (lines: number) => (lines === 1 ? '1 line copied' : `${lines.toLocaleString('en')} lines copied`),
  noPicture: 'There is no picture to copy text from.',
  none: 'No text was found in this picture.',
  noneNext: 'Loupe cannot read text that is very small, handwritten or upside down.',
  ready: (lines: number) => (lines === 1 ? '1 line was read.' : `${lines.toLocaleString('en')} lines were read.`),
  readyNext: 'The browser allows copying only after a click.',
};
