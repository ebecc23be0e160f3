import { expect, test } from 'vitest';
import { Ui } from './ui.svelte.ts';

test('leaving a document leads back to where it was opened from', () => {
  const ui = new Ui();
  const place = { documentId: 1, page: 3, find: null };
  ui.view(place);
  expect([ui.dialog, ui.place]).toEqual(['document', place]);
  ui.closeViewer();
  expect(ui.dialog).toBeNull();

  ui.open('library');
  ui.view(place);
  // Another page of it: still from the library.
  ui.view({ ...place, page: 4 });
  ui.closeViewer();
  expect(ui.dialog).toBe('library');
});

test('the citations of an answer are stepped through, round and round', () => {
  const ui = new Ui();
  const places = [
    { documentId: 1, page: 3, find: 'rent' },
    { documentId: 2, page: 1, find: null },
  ];
  ui.view({ ...places[1]!, cited: { places, at: 1 } });
  ui.stepCitation(1);
  expect(ui.place).toMatchObject({ ...places[0], cited: { at: 0 } });
  ui.stepCitation(-1);
  expect(ui.place).toMatchObject(places[1]!);
  ui.view(places[0]!);
  ui.stepCitation(1);
  expect(ui.place).toEqual(places[0]);
});
