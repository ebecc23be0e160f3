import { expect, test, vi } from 'vitest';
import type { LibraryDocument } from '../../main/contract.ts';
import { RequestFailure } from '../api/transport.ts';
import { createFakeClient, type FakeClient } from './fake-client.ts';
import { Library } from './library.svelte.ts';
import { Toasts } from './toasts.svelte.ts';

function document(id: number, more: Partial<LibraryDocument> = {}): LibraryDocument {
  const states = { waiting: 0, text: 1, ocr: 0, picture: 0, blank: 0, failed: 0 };
  const facts = { kind: 'pdf', bytes: 1000, pageCount: 1, marks: 't', failure: null, addedAt: id, keepsText: true, reading: null } as const;
  return { id, name: `${id}.pdf`, states, ...facts, ...more };
}

function rig(answers: Parameters<typeof createFakeClient>[0] = {}): { client: FakeClient; library: Library; toasts: Toasts } {
  const client = createFakeClient({ 'documents.list': () => [document(2), document(1)], ...answers });
  const toasts = new Toasts();
  return { client, toasts, library: new Library(client, toasts) };
}

const ids = (library: Library): number[] | undefined => library.documents?.map(({ id }) => id);

test('is asked for when it is wanted, and follows what is added, read and removed', async () => {
  const { client, library } = rig();
  expect([library.documents, client.asked]).toEqual([null, []]);
  await library.refresh();
  expect(ids(library)).toEqual([2, 1]);
  client.send('document.changed', document(3, { reading: { left: 1, ocr: false } }));
  expect(ids(library)).toEqual([3, 2, 1]);
  client.send('document.changed', document(3));
  expect(library.find(3)?.reading).toBeNull();
  client.send('document.removed', { id: 2 });
  expect(ids(library)).toEqual([3, 1]);
});

test('after events were missed it is asked for again, once it was wanted', async () => {
  const { client, library } = rig();
  client.connect(true);
  expect(client.asked).toEqual([]);
  await library.refresh();
  client.connect(true);
  await vi.waitFor(() => expect(client.inputs('documents.list')).toHaveLength(2));
});

test('what is said while the list is on its way is newer than the list', async () => {
  const list = Promise.withResolvers<LibraryDocument[]>();
  const { client, library } = rig({ 'documents.list': () => list.promise });
  const refreshed = library.refresh();
  client.send('document.changed', document(1));
  client.send('document.changed', document(3));
  client.send('document.removed', { id: 2 });
  list.resolve([document(2), document(1, { reading: { left: 1, ocr: false } })]);
  await refreshed;
  expect(ids(library)).toEqual([3, 1]);
  expect(library.find(1)?.reading).toBeNull();
});

test('why it cannot be listed is kept until it can', async () => {
  let isOpen = false;
  const { library } = rig({
    'documents.list': () => {
      if (!isOpen) throw new RequestFailure({ code: 'store_locked', message: 'In use.', nextStep: 'Close it.' });
      return [];
    },
  });
  await library.refresh();
  expect([library.documents, library.failure?.message]).toEqual([null, 'In use.']);
  isOpen = true;
  await library.refresh();
  expect([library.documents, library.failure]).toEqual([[], null]);
});

test('the search shows the answer to the last question only', async () => {
  const { client, library } = rig({
    'documents.search': ({ query }) => [{ documentId: 1, name: query, number: 1, label: 'i', snippet: [] }],
  });
  library.query = 'ren';
  library.query = 'rent';
  await vi.waitFor(() => expect(library.hits?.map(({ name }) => name)).toEqual(['rent']));
  expect(client.inputs('documents.search')).toHaveLength(1);
  client.send('document.removed', { id: 1 });
  expect(library.hits).toEqual([]);
  library.query = ' ';
  expect(library.hits).toBeNull();
});

test('says what a folder had besides documents', () => {
  const { library, toasts } = rig();
  library.add({ files: [], leftOut: 2, cutOff: true, unread: ['scans', 'more'] });
  expect(toasts.shown.map(({ message }) => message)).toEqual([
    'scans and 1 more cannot be read.',
    '2 files were left out: they are neither PDFs nor pictures.',
    'A folder may have 2,000 files at most. The others were left out.',
  ]);
});

test('many that are there already are one notice', async () => {
  const { library, toasts } = rig({
    'documents.begin': ({ name }) => ({ upload: name }),
    'documents.piece': () => null,
    'documents.finish': ({ upload }) => ({ document: document(1, { name: upload === 'copy.pdf' ? 'a.pdf' : upload }), known: true }),
  });
  const shown = (): string[] => toasts.shown.map(({ message }) => message);
  library.add({ files: [new File(['a'], 'a.pdf')], leftOut: 0, cutOff: false, unread: [] });
  await vi.waitFor(() => expect(shown()).toEqual(['a.pdf is in the library already.']));
  toasts.dismiss(toasts.shown[0]!.id);
  library.add({ files: [new File(['a'], 'copy.pdf')], leftOut: 0, cutOff: false, unread: [] });
  await vi.waitFor(() => expect(shown()).toEqual(['copy.pdf is in the library already, as a.pdf.']));
  library.add({ files: [new File(['b'], 'b.pdf'), new File(['c'], 'c.pdf')], leftOut: 0, cutOff: false, unread: [] });
  await vi.waitFor(() => expect(shown()).toEqual(['3 documents are in the library already.']));
});
