import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { TextLine } from '../../main/contract.ts';
import { RequestFailure } from '../api/transport.ts';
import { createFakeClient, picture } from './fake-client.ts';
import { Toasts } from './toasts.svelte.ts';
import { copyText, countLines } from './copy-text.ts';

const line = (before: string, text: string): TextLine => ({
  before,
  text,
  confidence: 1,
  quad: [
    [0, 0],
    [1, 0],
    [1, 1],
    [0, 1],
  ],
  words: [],
});

let copied: string[];
let allowed: boolean;
beforeEach(() => {
  copied = [];
  allowed = true;
  vi.stubGlobal('navigator', {
    clipboard: {
      writeText: async (text: string) => {
        if (!allowed) throw new DOMException('no', 'NotAllowedError');
        copied.push(text);
      },
    },
  });
});
afterEach(() => void vi.unstubAllGlobals());

test('rows of a table count once, and empty lines not at all', () => {
  expect(countLines('a\tb\n\nc\n')).toBe(2);
  expect(countLines('')).toBe(0);
});

test('says how far it is, then how much was copied', async () => {
  const reading = Promise.withResolvers<TextLine[]>();
  const client = createFakeClient({ 'pictures.text': () => reading.promise });
  const toasts = new Toasts();
  const one = picture('a');
  const done = copyText(client, toasts, one);
  expect(toasts.shown.map(({ message }) => message)).toEqual(['Reading the text…']);
  client.send('text.line', { of: one.hash, line: line('', 'a') });
  client.send('text.line', { of: one.hash, line: line('\t', 'b') });
  client.send('text.line', { of: 'f'.repeat(64), line: line('\n', 'of another picture') });
  expect(toasts.shown[0]!.nextStep).toBe('1 line so far');
  client.send('text.line', { of: one.hash, line: line('\n', 'c') });
  expect(toasts.shown[0]!.nextStep).toBe('2 lines so far');
  reading.resolve([line('', 'a'), line('\t', 'b'), line('\n', 'c')]);
  await done;
  expect(copied).toEqual(['a\tb\nc']);
  expect(toasts.shown.map(({ message }) => message)).toEqual(['2 lines copied']);
});

test('a picture without text leaves the clipboard alone', async () => {
  const toasts = new Toasts();
  await copyText(createFakeClient({ 'pictures.text': () => [] }), toasts, picture('a'));
  expect(copied).toEqual([]);
  expect(toasts.shown[0]).toMatchObject({ tone: 'calm', message: 'No text was found in this picture.' });
});

test('stopping it says nothing more; a failure says why', async () => {
  const client = createFakeClient({
    'pictures.stopText': () => null,
    'pictures.text': ({ hash }) => {
      throw new RequestFailure(
        hash.startsWith('a')
          ? { code: 'cancelled', message: 'Stopped.', nextStep: '' }
          : { code: 'ocr_failed', message: 'It took too long.', nextStep: 'Try a part.' },
      );
    },
  });
  const toasts = new Toasts();
  const stopped = copyText(client, toasts, picture('a'));
  toasts.shown[0]!.action!.run();
  await stopped;
  expect(client.inputs('pictures.stopText')).toEqual([{ hash: picture('a').hash }]);
  expect(toasts.shown).toEqual([]);
  await copyText(client, toasts, picture('b'));
  expect(toasts.shown).toMatchObject([{ tone: 'danger', message: 'It took too long.', nextStep: 'Try a part.' }]);
});

test('a browser that has forgotten the click is given another', async () => {
  allowed = false;
  const toasts = new Toasts();
  await copyText(createFakeClient({ 'pictures.text': () => [line('', 'words')] }), toasts, picture('a'));
  expect(toasts.shown).toMatchObject([{ message: '1 line was read.', action: { label: 'Copy' } }]);
  allowed = true;
  toasts.shown[0]!.action!.run();
  await vi.waitFor(() => expect(copied).toEqual(['words']));
});
