import { expect, test } from 'vitest';
import { wordVectorsDirectory } from '../../host/paths.ts';
import { wordVectorsOf } from '../../word-vectors/word-vectors.ts';
import { pageLikeness } from './page-likeness.ts';
import { wordsOf } from './question-words.ts';

const vectors = await wordVectorsOf(wordVectorsDirectory)();
const pagesOf = (...texts: string[]) => texts.map((text, index) => ({ number: index + 1, text }));
const likest = async (question: string, ...texts: string[]): Promise<number | undefined> => {
  const likeness = await pageLikeness(vectors, wordsOf(question), pagesOf(...texts));
  return [...(likeness ?? [])].sort(([, one], [, other]) => other - one)[0]?.[0];
};

const rent = 'The rent is due on the third working day of each month. Bicycles are parked in the yard.';
const pets = 'The stairway is cleaned in turn. Dogs and cats require the consent of the lessor.';
const noise = 'The chimney sweep is granted access once a year. Quiet hours are from 22:00 to 06:00.';

test('a page is found that says it in other words', async () => {
  expect(await likest('Am I allowed to own an animal?', rent, pets, noise)).toBe(2);
  expect(await likest('When does the landlord want his money?', rent, pets, noise)).toBe(1);
});

test('a table without full stops is compared in pieces', async () => {
  const list = Array.from({ length: 60 }, (_, index) => `window frame ${index}`).join('\n');
  expect(await likest('puppy', rent, `${list}\ndogs cats\n${list}`)).toBe(2);
});

test('nothing is said of a language that is not known, or of a question without a known word', async () => {
  const german = 'Der Mieter zahlt eine Kaution von zwei Monatsmieten. Haustiere bedürfen der Zustimmung des Vermieters.';
  expect(await pageLikeness(vectors, ['Haustiere'], pagesOf(german))).toBeNull();
  expect(await pageLikeness(vectors, ['解除'], pagesOf(rent))).toBeNull();
});

test('a page without words is like nothing', async () => {
  expect((await pageLikeness(vectors, ['rent'], pagesOf(rent, '', '§ ---')))!.get(3)).toBe(0);
});

test('it can be stopped', async () => {
  const stopped = pageLikeness(vectors, ['rent'], pagesOf(rent), { signal: AbortSignal.abort() });
  await expect(stopped).rejects.toMatchObject({ code: 'cancelled' });
});
