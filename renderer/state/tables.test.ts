import { expect, test, vi } from 'vitest';
import type { Extraction, ExtractionCell } from '../../main/contract.ts';
import { createFakeClient, type FakeClient } from './fake-client.ts';
import { nextToLookAt, rowOrder, Tables } from './tables.svelte.ts';
import { Toasts } from './toasts.svelte.ts';

const cell = (state: ExtractionCell['state'], value: string | null = 'x'): ExtractionCell => ({
  ...{ state, value, quote: null, page: null, doubts: [], reading: null, failure: null },
});
const states = { waiting: 0, sure: 1, unsure: 0, missing: 0, failed: 0, entered: 0 };

function table(id: number, rows: ExtractionCell[][] = [[cell('sure')]]): Extraction {
  return {
    ...{ id, name: `table ${id}`, fields: [{ name: 'Total', kind: 'number' }], by: 'document', createdAt: id, states },
    ...{ running: false, failure: null },
    rows: rows.map((cells, index) => ({ documentId: index + 1, name: `${index + 1}.pdf`, page: null, cells })),
  };
}
const summary = (id: number): Omit<Extraction, 'rows'> => {
  const { rows: _, ...rest } = table(id);
  return rest;
};

function rig(answers: Parameters<typeof createFakeClient>[0] = {}): { client: FakeClient; tables: Tables; toasts: Toasts } {
  const client = createFakeClient({
    'extractions.list': () => [summary(2), summary(1)],
    'extractions.open': ({ id }) => table(id),
    ...answers,
  });
  const toasts = new Toasts();
  return { client, toasts, tables: new Tables(client, toasts) };
}

test('the list follows what is begun, changed and removed', async () => {
  const { client, tables } = rig();
  expect(tables.all).toBeNull();
  await tables.refresh();
  client.send('extraction.changed', summary(3));
  client.send('extraction.changed', { ...summary(1), name: 'other' });
  expect(tables.all?.map(({ id, name }) => `${id} ${name}`)).toEqual(['3 table 3', '2 table 2', '1 other']);
  client.send('extraction.removed', { id: 2 });
  expect(tables.all?.map(({ id }) => id)).toEqual([3, 1]);
});

test('an open table gets its cells as they are filled, and closes when it is removed', async () => {
  const { client, tables } = rig({ 'extractions.open': ({ id }) => table(id, [[cell('waiting', null)], [cell('waiting', null)]]) });
  await tables.open(1);
  client.send('extraction.cell', { id: 1, row: 1, field: 0, cell: cell('sure', '5') });
  client.send('extraction.cell', { id: 7, row: 0, field: 0, cell: cell('sure', '7') });
  expect(tables.opened?.rows.map(({ cells }) => cells[0]!.value)).toEqual([null, '5']);
  client.send('extraction.changed', { ...summary(1), running: true });
  expect(tables.opened).toMatchObject({ running: true, rows: [{}, {}] });
  client.send('extraction.removed', { id: 1 });
  expect(tables.opened).toBeNull();
});

test('what is said while a table is on its way is newer', async () => {
  const reply = Promise.withResolvers<Extraction>();
  const { client, tables } = rig({ 'extractions.open': () => reply.promise });
  const opened = tables.open(1);
  client.send('extraction.cell', { id: 1, row: 0, field: 0, cell: cell('sure', 'new') });
  reply.resolve(table(1, [[cell('waiting', null)]]));
  await opened;
  expect(tables.opened?.rows[0]!.cells[0]!.value).toBe('new');
});

test('the one that was asked for last is shown', async () => {
  const first = Promise.withResolvers<Extraction>();
  const { tables } = rig({ 'extractions.open': ({ id }) => (id === 1 ? first.promise : table(id)) });
  const slow = tables.open(1);
  await tables.open(2);
  first.resolve(table(1));
  await slow;
  expect(tables.opened?.id).toBe(2);
});

test('after events were missed, list and table are asked for again; so is a table whose document was removed', async () => {
  const { client, tables } = rig();
  client.connect(true);
  expect(client.asked).toEqual([]);
  await tables.refresh();
  await tables.open(1);
  client.connect(true);
  await vi.waitFor(() => expect(client.inputs('extractions.open')).toHaveLength(2));
  expect(client.inputs('extractions.list')).toHaveLength(2);
  client.send('document.removed', { id: 1 });
  await vi.waitFor(() => expect(client.inputs('extractions.open')).toHaveLength(3));
});

test('a table that cannot be made says so, and opens nothing', async () => {
  const { tables, toasts } = rig({
    'extractions.create': () => {
      throw new Error('no room');
    },
  });
  expect(await tables.create({ name: 'a', fields: [{ name: 'Total', kind: 'number' }], by: 'document', documents: [1] })).toBe(false);
  expect([tables.opened, toasts.shown.length]).toEqual([null, 1]);
});

test('rows with most to look at come first, and the next doubt follows them', () => {
  const { rows } = table(1, [
    [cell('sure'), cell('missing')],
    [cell('sure'), cell('entered')],
    [cell('unsure'), cell('failed')],
  ]);
  expect(rowOrder(rows, false)).toEqual([0, 1, 2]);
  const order = rowOrder(rows, true);
  expect(order).toEqual([2, 0, 1]);
  expect(nextToLookAt(rows, order, null)).toEqual({ row: 2, field: 0 });
  expect(nextToLookAt(rows, order, { row: 2, field: 1 })).toEqual({ row: 0, field: 1 });
  expect(nextToLookAt(rows, order, { row: 0, field: 1 })).toEqual({ row: 2, field: 0 });
  expect(nextToLookAt(table(2).rows, [0], null)).toBeNull();
});
