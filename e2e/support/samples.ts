/** Pictures that the demo model reads right, with what it says of them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Sample {
  path: string;
  question: string;
  answer: string;
}

const folder = fileURLToPath(new URL('../../resources/demo-model/', import.meta.url));
const all = JSON.parse(readFileSync(join(folder, 'samples.json'), 'utf8')) as {
  image: string;
  question: string;
  answer: string;
  expected: string;
}[];

/** Edits from one text to another, a share of the longer. */
export function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) next.push(Math.min(next[j]! + 1, row[j + 1]! + 1, row[j]! + Number(letter !== b[j])));
    row = next;
  }
  return row[b.length]! / Math.max(a.length, b.length, 1);
}

/** Those whose answer is right, and a word or more: nothing that another picture would also give. */
export const samples: Sample[] = all
  .filter(({ answer, expected }) => answer === expected && answer.length >= 4)
  .map(({ image, question, answer }) => ({ path: join(folder, image), question, answer }));
