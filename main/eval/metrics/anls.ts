import { editDistance } from './edit-distance.ts';

/** At this normalised distance and beyond an answer is another answer, not a misread one. */
const threshold = 0.5;

/**
 * Normalised Levenshtein similarity to the nearest of `answers`, 0 .. 1; its mean over a set is ANLS (Biten et al. 2019, "Scene Text
 * Visual Question Answering", and Mathew et al. 2021, "DocVQA"). Case does not count, nor how wide spaces are.
 */
export function anls(reply: string, answers: readonly string[]): number {
  return Math.max(0, ...answers.map((answer) => similarity(tidy(reply), tidy(answer))));
}

function similarity(reply: string, answer: string): number {
  const longest = Math.max(Array.from(reply).length, Array.from(answer).length);
  const distance = longest === 0 ? 0 : editDistance(reply, answer) / longest;
  return distance < threshold ? 1 - distance : 0;
}

function tidy(text: string): string {
  return text.trim().toLowerCase().replace(/\s+/g, ' ');
}
