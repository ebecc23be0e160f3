import { expect, test } from 'vitest';
import type { FoundWords } from '../../main/contract.ts';
import { RequestFailure } from '../api/transport.ts';
import { createFakeClient, picture } from './fake-client.ts';
import { FoundWordsOf } from './found-words.svelte.ts';
import { Toasts } from './toasts.svelte.ts';
import { Ui } from './ui.svelte.ts';
import { findWords } from './words-in-picture.ts';

const total: FoundWords = { words: 'Total', places: [[[1, 2, 3, 4]]] };
const invoice = picture('a');
const hash = invoice.hash;

function rig(answers: Parameters<typeof createFakeClient>[0]) {
  const loupe = { client: createFakeClient(answers), toasts: new Toasts(), ui: new Ui() };
  return { ...loupe, find: () => findWords(loupe, invoice, 'The Total'), messages: () => loupe.toasts.shown.map(({ message }) => message) };
}

test('where the text is known, the words are shown at once', async () => {
  const { client, ui, find, messages } = rig({ 'pictures.find': () => [total] });
  await find();
  expect([ui.dialog, ui.words]).toEqual(['words', { picture: invoice, found: [total], at: 0 }]);
  expect(client.asked).toEqual([{ name: 'pictures.find', input: { hash, answer: 'The Total' } }]);
  expect(messages()).toEqual([]);
});

test('where it is not known, it is read first', async () => {
  let isKnown = false;
  const { client, ui, find, messages } = rig({
    'pictures.find': () => (isKnown ? [total] : null),
    'pictures.text': () => ((isKnown = true), []),
  });
  await find();
  expect(ui.words?.found).toEqual([total]);
  expect(client.asked.map(({ name }) => name)).toEqual(['pictures.find', 'pictures.text', 'pictures.find']);
  expect(messages()).toEqual([]);
});

test('that no word is there, or nothing could be read, is said; what was stopped is not', async () => {
  const none = rig({ 'pictures.find': () => [] });
  await none.find();
  expect([none.ui.dialog, none.messages()]).toEqual([null, ['None of the answer’s words is in the text of the picture.']]);
  const fail = (code: 'cancelled' | 'ocr_failed') => () => {
    throw new RequestFailure({ code, message: 'It broke.', nextStep: 'Try again.' });
  };
  const broken = rig({ 'pictures.find': () => null, 'pictures.text': fail('ocr_failed') });
  await broken.find();
  expect([broken.ui.dialog, broken.messages()]).toEqual([null, ['It broke.']]);
  const stopped = rig({ 'pictures.find': () => null, 'pictures.text': fail('cancelled') });
  await stopped.find();
  expect([stopped.ui.dialog, stopped.messages()]).toEqual([null, []]);
});

test('words lead somewhere once the text is known, and those of another answer or picture do not', async () => {
  let known: FoundWords[] | null = null;
  const client = createFakeClient({ 'pictures.find': () => known });
  const found = new FoundWordsOf(client);
  await found.look(invoice, 'The Total');
  expect(found.of(invoice, 'The Total')).toEqual([]);
  known = [total];
  await Promise.all([found.look(invoice, 'The Total'), found.look(invoice, 'The Total')]);
  await found.look(invoice, 'The Total');
  expect(found.of(invoice, 'The Total')).toEqual([total]);
  expect(client.asked).toHaveLength(2);
  expect([found.of(invoice, 'The Total of'), found.of(picture('b'), 'The Total'), found.of(null, 'The Total')]).toEqual([[], [], []]);
});
