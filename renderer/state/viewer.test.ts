import { expect, test, vi } from 'vitest';
import type { DocumentPage } from '../../main/contract.ts';
import { createFakeClient, type FakeClient } from './fake-client.ts';
import type { PagePlace } from './ui.svelte.ts';
import { Viewer } from './viewer.svelte.ts';

const labels = ['i', 'ii', '1', '2', '3'];
const pages = labels.map((label, index): DocumentPage => {
  const facts = { width: 100, height: 200, rotation: 0, state: 'text', flags: [], hiddenWords: 0, failure: null } as const;
  return { number: index + 1, label, ...facts, flags: [] };
});
const box: [number, number, number, number] = [1, 2, 3, 4];

async function open(place: Partial<PagePlace> = {}): Promise<{ client: FakeClient; viewer: Viewer }> {
  const client = createFakeClient({
    'documents.pages': () => pages,
    'documents.page': ({ number }) => ({
      text: `Notice ${number}`,
      words: [
        { text: 'Notice', box },
        { text: String(number), box },
      ],
    }),
    'documents.search': () => [4, 2].map((number) => ({ documentId: 7, name: 'a.pdf', number, label: labels[number - 1]!, snippet: [] })),
  });
  const viewer = new Viewer(client, { documentId: 7, page: 1, find: null, ...place });
  await vi.waitFor(() => expect(viewer.pages).toHaveLength(5));
  return { client, viewer };
}

test('begins where it is asked to, and at the last page of a shorter document', async () => {
  expect((await open({ page: 4 })).viewer.page?.label).toBe('2');
  expect((await open({ page: 40 })).viewer.page?.label).toBe('3');
});

test('a page is found by the number that is printed on it, then by its place', async () => {
  const { viewer } = await open();
  expect(['ii', '1', ' 3 ', '5', '9', ''].map((name) => viewer.indexOf(name))).toEqual([1, 2, 4, 4, null, null]);
});

test('steps through the pages with hits, around the end', async () => {
  const { viewer } = await open({ find: 'notice' });
  await vi.waitFor(() => expect(viewer.hits).toEqual([2, 4]));
  const steps: (number | null)[] = [];
  for (const back of [false, false, false, true, true]) {
    const next = viewer.nextHit(back);
    steps.push(next);
    viewer.current = next!;
  }
  expect(steps).toEqual([1, 3, 1, 3, 1]);
});

test('marks what is looked for, once the page is known, and asks for a page once', async () => {
  const { client, viewer } = await open({ find: 'notices' });
  expect(viewer.marksOf(3)).toEqual([]);
  await Promise.all([viewer.want(3), viewer.want(3)]);
  expect(viewer.marksOf(3)).toEqual([box]);
  expect(client.inputs('documents.page')).toEqual([{ id: 7, number: 3 }]);
  viewer.query = '';
  expect([viewer.marksOf(3), viewer.hits]).toEqual([[], null]);
});

test('zooms in steps between its ends, and turns around', async () => {
  const { viewer } = await open();
  for (let step = 0; step < 20; step++) viewer.zoomBy(1);
  expect(viewer.zoom).toBe(4);
  for (let step = 0; step < 20; step++) viewer.zoomBy(-1);
  expect(viewer.zoom).toBe(0.5);
  viewer.fit();
  expect(viewer.zoom).toBe(1);
  for (let step = 0; step < 5; step++) viewer.rotate();
  expect(viewer.quarters).toBe(1);
});
