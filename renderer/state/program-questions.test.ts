import { expect, test, vi } from 'vitest';
import type { ProgramQuestion } from '../../main/contract.ts';
import { RequestFailure } from '../api/transport.ts';
import { createFakeClient } from './fake-client.ts';
import { ProgramQuestions } from './program-questions.svelte.ts';
import { Toasts } from './toasts.svelte.ts';

const question = (id: number): ProgramQuestion => ({
  id,
  program: 'notes',
  tool: 'ask_about_file',
  words: 'Why?',
  path: '/a.png',
  found: null,
});

test('shows the first of those that wait, and those that waited before the window opened', async () => {
  const client = createFakeClient({ 'programs.questions': () => [question(3)], 'programs.answer': () => null });
  const questions = new ProgramQuestions(client, new Toasts());
  expect(questions.first).toBeNull();
  await vi.waitFor(() => expect(questions.first?.id).toBe(3));
  client.send('programs.asked', [question(3), question(4)]);
  expect(questions.first?.id).toBe(3);
  await questions.answer(3, true, false);
  expect(client.inputs('programs.answer')).toEqual([{ id: 3, allowed: true, remembered: false }]);
  // It stays until the app says that it is answered.
  expect(questions.first?.id).toBe(3);
  client.send('programs.asked', [question(4)]);
  expect(questions.first?.id).toBe(4);
  client.send('programs.asked', []);
  expect(questions.first).toBeNull();
});

test('without the app there is nobody to answer; when it is back, it says what waits', async () => {
  let waiting = [question(1)];
  const client = createFakeClient({ 'programs.questions': () => waiting });
  const questions = new ProgramQuestions(client, new Toasts());
  await vi.waitFor(() => expect(questions.first?.id).toBe(1));
  client.connect(false);
  expect(questions.first).toBeNull();
  waiting = [question(2)];
  client.connect(true);
  await vi.waitFor(() => expect(questions.first?.id).toBe(2));
});

test('an answer that the app cannot keep is told', async () => {
  const failure = { ok: false as const, code: 'store_full', message: 'The disk is full.', nextStep: 'Make room.' };
  const client = createFakeClient({
    'programs.questions': () => [],
    'programs.answer': () => Promise.reject(new RequestFailure(failure)),
  });
  const toasts = new Toasts();
  await new ProgramQuestions(client, toasts).answer(1, true, true);
  expect(toasts.shown).toMatchObject([{ message: 'The disk is full.' }]);
});
