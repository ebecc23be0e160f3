import { expect, test, vi } from 'vitest';
import type { DocumentPage } from '../../main/contract.ts';
import { RequestFailure } from '../api/transport.ts';
import { createFakeClient, type FakeClient } from './fake-client.ts';
import type { PagePlace } from '../documents/page-place.ts';
import { Viewer } from './viewer.svelte.ts';

const labels = ['i', 'ii', '1', '2', '3'];
const pages = labels.map((label, index): DocumentPage => {
  const facts = { width: 100, height: 200, rotation: 0, state: 'text', flags: [], hiddenWords: 0, failure: null } as const;
  return { number: index + 1, label, ...facts, flags: [] };
});
type Box = [number, number, number, number];
/** Of the word at this place of any page. */
const box = (at: number): Box => [10 * at, 20, 10 * at + 8, 30];
const words = (text: string) => text.split(' ').map((word, at) => ({ text: word, box: box(at) }));
const usual = 'Notice of one day and notice of two';

async function open(
  place: Partial<PagePlace> = {},
  answers: Parameters<typeof createFakeClient>[0] = {},
): Promise<{ client: FakeClient; viewer: Viewer }> {
  const client = createFakeClient({
    'documents.pages': () => pages,
    'documents.page': () => ({ text: usual, words: words(usual) }),
    'documents.search': () => [4, 2].map((number) => ({ documentId: 7, name: 'a.pdf', number, label: labels[number - 1]!, snippet: [] })),
    ...answers,
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

test('goes to a page, and no further than there are any', async () => {
  const { viewer } = await open();
  viewer.go(3);
  expect(viewer.goal).toEqual({ index: 3, box: null });
  const { goal } = viewer;
  viewer.current = 1;
  expect(viewer.goal).toBe(goal);
  viewer.go(3);
  expect(viewer.goal).not.toBe(goal);
  viewer.go(99);
  expect([viewer.current, viewer.goal.index]).toEqual([4, 4]);
});

test('begins with what is looked for in sight', async () => {
  const { viewer } = await open({ page: 2, find: 'two' });
  await vi.waitFor(() => expect(viewer.goal).toEqual({ index: 1, box: box(7) }));
  expect(viewer.marksOf(2)).toEqual([{ box: box(7), isSought: true }]);
});

test('steps through the hits of a page, then those of the other pages, around the end', async () => {
  const { viewer } = await open({ page: 2, find: 'notice' });
  await vi.waitFor(() => expect(viewer.goal.box).not.toBeNull());
  const steps: unknown[] = [];
  for (const back of [false, false, false, false, true, true]) {
    await viewer.step(back);
    steps.push([viewer.current, viewer.goal.box]);
  }
  expect(steps).toEqual([
    [1, box(5)],
    [3, box(0)],
    [3, box(5)],
    [1, box(0)],
    [3, box(5)],
    [3, box(0)],
  ]);
});

test('goes on from the page that somebody has scrolled to', async () => {
  const { viewer } = await open({ page: 2, find: 'notice' });
  await vi.waitFor(() => expect(viewer.goal.box).not.toBeNull());
  viewer.current = 2;
  await viewer.step(false);
  expect([viewer.current, viewer.goal.box]).toEqual([3, box(0)]);
  viewer.current = 2;
  await viewer.step(true);
  expect([viewer.current, viewer.goal.box]).toEqual([1, box(5)]);
});

test('a hit without known words is shown as a page', async () => {
  const { viewer } = await open({ find: 'notice' }, { 'documents.page': () => ({ text: '', words: [] }) });
  await vi.waitFor(() => expect(viewer.hits).toEqual([2, 4]));
  await viewer.step(false);
  expect(viewer.goal).toEqual({ index: 1, box: null });
  await viewer.step(false);
  expect(viewer.goal).toEqual({ index: 3, box: null });
});

test('what is typed is searched for, and the first hit from here on is shown', async () => {
  const { viewer } = await open({ page: 3 });
  viewer.query = 'one day';
  await vi.waitFor(() => expect(viewer.goal).toEqual({ index: 3, box: box(2) }));
  // Both words belong together.
  expect(viewer.marksOf(4)).toEqual([
    { box: box(2), isSought: true },
    { box: box(3), isSought: true },
  ]);
  viewer.query = '';
  expect([viewer.marksOf(4), viewer.hits]).toEqual([[], null]);
});

test('Enter does not wait until typing has ended', async () => {
  const { client, viewer } = await open();
  viewer.query = 'two';
  await viewer.step(false);
  expect(viewer.current).toBe(1);
  expect(client.inputs('documents.search')).toHaveLength(1);
});

test('says why it cannot search, and that is not that nothing was found', async () => {
  let isOpen = false;
  const { viewer } = await open(
    {},
    {
      'documents.search': () => {
        if (!isOpen) throw new RequestFailure({ code: 'store_locked', message: 'In use.', nextStep: 'Close it.' });
        return [];
      },
    },
  );
  viewer.query = 'two';
  await viewer.step(false);
  expect([viewer.hits, viewer.searchFailure?.message]).toEqual([null, 'In use.']);
  isOpen = true;
  viewer.query = 'twos';
  await viewer.step(false);
  expect([viewer.hits, viewer.searchFailure]).toEqual([[], null]);
});

test('asks for a page once, and again after it failed', async () => {
  let isThere = false;
  const { client, viewer } = await open(
    {},
    {
      'documents.page': () => {
        if (!isThere) throw new RequestFailure({ code: 'document_missing', message: 'Gone.', nextStep: 'Wait.' });
        return { text: 'Here', words: [] };
      },
    },
  );
  await expect(viewer.read(3)).rejects.toThrow('Gone.');
  isThere = true;
  expect(await Promise.all([viewer.read(3), viewer.read(3)])).toEqual([
    { text: 'Here', words: [] },
    { text: 'Here', words: [] },
  ]);
  expect(client.inputs('documents.page')).toHaveLength(2);
});

test('a page that is read while it is looked at gets its words, and the reader stays', async () => {
  vi.useFakeTimers();
  let state: DocumentPage['state'] = 'waiting';
  const { client, viewer } = await open(
    { page: 3, find: 'two' },
    {
      'documents.pages': () => pages.map((page) => ({ ...page, state })),
      'documents.page': () => (state === 'waiting' ? { text: '', words: [] } : { text: usual, words: words(usual) }),
    },
  );
  await vi.waitFor(() => expect(viewer.goal.box).toBeNull());
  await viewer.want(3);
  viewer.go(2);
  const { goal } = viewer;
  state = 'text';
  client.send('document.changed', { id: 7 } as never);
  client.send('document.changed', { id: 7 } as never);
  await vi.advanceTimersByTimeAsync(1000);
  expect(client.inputs('documents.pages')).toHaveLength(2);
  await viewer.want(3);
  expect(viewer.marksOf(3).map((mark) => mark.box)).toEqual([box(7)]);
  expect([viewer.goal, client.inputs('documents.search')]).toEqual([goal, expect.objectContaining({ length: 2 })]);
  vi.useRealTimers();
});

test('after a password everything is asked for again', async () => {
  const { client, viewer } = await open();
  await viewer.want(1);
  const { drawing } = viewer;
  viewer.refresh();
  await viewer.want(1);
  expect(viewer.drawing).not.toBe(drawing);
  expect(client.inputs('documents.page')).toHaveLength(2);
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
