import { differenceInWords, type Difference } from '../../main/contract.ts';

/** Text that is read in pictures. */
export const text = {
  copy: 'Copy text',
  reading: 'Reading the text…',
  readSoFar: (lines: number) => (lines === 1 ? '1 line so far' : `${lines.toLocaleString('en')} lines so far`),
  differences: 'Compared with the text in the picture',
  difference: (difference: Difference) => differenceInWords(difference),
  find: 'Find its words in the picture',
  showInPicture: 'Show it in the picture',
  noWords: 'None of the answer’s words is in the text of the picture.',
  shown: (words: string, at: number, all: number) => (all === 1 ? `“${words}”` : `“${words}”, ${at} of ${all}`),
  nextWords: 'Next words of the answer',
  previousWords: 'Previous words of the answer',
  wholePicture: 'Fit the window',
  actualSize: 'Actual size',
  pictureWithWords: (name: string, words: string) => `${name}, with “${words}” marked`,
  stop: 'Stop',
  copied: (lines: number) => (lines === 1 ? '1 line copied' : `${lines.toLocaleString('en')} lines copied`),
  noPicture: 'There is no picture to copy text from.',
  none: 'No text was found in this picture.',
  noneNext: 'Loupe cannot read text that is very small, handwritten or upside down.',
  ready: (lines: number) => (lines === 1 ? '1 line was read.' : `${lines.toLocaleString('en')} lines were read.`),
  readyNext: 'The browser allows copying only after a click.',
};
