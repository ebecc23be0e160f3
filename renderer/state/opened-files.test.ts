import { expect, test } from 'vitest';
import { limits, mostDocumentBytes, type OpenedFile } from '../../main/contract.ts';
import { createFakeClient, type FakeClient } from './fake-client.ts';
import { takeOpened } from './opened-files.ts';
import { Toasts } from './toasts.svelte.ts';

const file = (id: number, name: string, bytes: number): OpenedFile => ({ id, name, bytes, failure: null });

function clientWith(
  files: OpenedFile[],
  leftOut = 0,
  piece: (from: number) => Uint8Array<ArrayBuffer> = () => new Uint8Array(),
): FakeClient {
  return createFakeClient({ 'windows.opened': () => ({ files, leftOut }), 'windows.openedPiece': ({ from }) => piece(from) });
}

const text = new TextEncoder().encode('abcde');

test('a file is put together from its pieces, in their order', async () => {
  const toasts = new Toasts();
  const client = clientWith([file(1, 'a.png', 5), file(2, 'b.pdf', 5)], 0, (from) => text.slice(from, from + 2));
  const files = await takeOpened(client, toasts);
  expect(await Promise.all(files.map(async (taken) => [taken.name, await taken.text()]))).toEqual([
    ['a.png', 'abcde'],
    ['b.pdf', 'abcde'],
  ]);
  expect(client.inputs('windows.openedPiece').map(({ id, from }) => [id, from])).toEqual([
    [1, 0],
    [1, 2],
    [1, 4],
    [2, 0],
    [2, 2],
    [2, 4],
  ]);
  expect(toasts.shown).toEqual([]);
});

test('one that is cut off while it is read ends', async () => {
  const [taken] = await takeOpened(
    clientWith([file(1, 'a.png', 9)], 0, (from) => text.slice(from)),
    new Toasts(),
  );
  expect(await taken!.text()).toBe('abcde');
});

test('what cannot be read is told by name, costs none of the others, and is not fetched', async () => {
  const toasts = new Toasts();
  const gone = { ok: false as const, code: 'file_missing', message: '/scans/gone.png cannot be read.', nextStep: 'Check it.' };
  const client = clientWith(
    [
      { id: null, name: 'gone.png', bytes: 0, failure: gone },
      file(2, 'letter.docx', 10),
      file(3, 'huge.png', limits.pictureBytes + 1),
      file(4, 'huge.pdf', mostDocumentBytes + 1),
      file(5, 'a.png', 5),
    ],
    3,
    (from) => text.slice(from),
  );
  expect((await takeOpened(client, toasts)).map(({ name }) => name)).toEqual(['a.png']);
  expect(client.inputs('windows.openedPiece')).toEqual([{ id: 5, from: 0 }]);
  expect(toasts.shown.map(({ tone, message }) => [tone, message])).toEqual([
    ['danger', '/scans/gone.png cannot be read.'],
    ['danger', 'letter.docx is neither a PDF nor a picture that Loupe reads.'],
    ['danger', expect.stringMatching(/^huge\.png is larger than /)],
    ['danger', expect.stringMatching(/^huge\.pdf has .*; at most /)],
    ['danger', '3 more files were not opened.'],
  ]);
  expect(toasts.shown.every(({ nextStep }) => nextStep)).toBe(true);
});
