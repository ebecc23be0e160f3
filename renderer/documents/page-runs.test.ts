import { expect, test } from 'vitest';
import type { DocumentPage } from '../../main/contract.ts';
import { runsOf } from './page-runs.ts';

const failure = { ok: false, code: 'document_failed', message: 'It failed.', nextStep: 'Try again.' } as const;

function page(number: number, state: DocumentPage['state'], more: Partial<DocumentPage> = {}): DocumentPage {
  return { number, label: String(number), width: 1, height: 1, rotation: 0, state, flags: [], hiddenWords: 0, failure: null, ...more };
}

test('pages of the same state are one run; one with something to say stands by itself', () => {
  const pages = [
    page(1, 'text'),
    page(2, 'text'),
    page(3, 'text', { flags: ['damaged'] }),
    page(4, 'text'),
    page(5, 'picture'),
    page(6, 'failed', { failure }),
    page(7, 'failed', { failure }),
  ];
  expect(runsOf(pages).map(({ from, to }) => [from.number, to.number])).toEqual([
    [1, 2],
    [3, 3],
    [4, 4],
    [5, 5],
    [6, 6],
    [7, 7],
  ]);
  const scrambled = (number: number): DocumentPage => page(number, 'picture', { flags: ['garbled'] });
  expect(runsOf([scrambled(1), scrambled(2), page(3, 'picture'), scrambled(4)]).map(({ from, to }) => [from.number, to.number])).toEqual([
    [1, 2],
    [3, 3],
    [4, 4],
  ]);
  expect(runsOf([])).toEqual([]);
});
