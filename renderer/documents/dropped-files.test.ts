import { expect, test } from 'vitest';
import { filesOfDrop, filesOfFolder, mayBeDocument, mostFiles } from './dropped-files.ts';

interface Entry {
  isDirectory: boolean;
  name: string;
}

const file = (name: string): Entry =>
  ({ isDirectory: false, name, file: (found: (it: File) => void) => found(new File(['x'], name)) }) as Entry;
const gone = (name: string): Entry =>
  ({
    isDirectory: false,
    name,
    file: (_: unknown, failed: (why: Error) => void) => failed(new DOMException('gone', 'NotFoundError')),
  }) as Entry;

/** Hands over two at a time, as a browser does a hundred. */
function folder(name: string, ...children: Entry[]): Entry {
  const left = [...children];
  const createReader = () => ({ readEntries: (found: (some: Entry[]) => void) => found(left.splice(0, 2)) });
  return { isDirectory: true, name, createReader } as Entry;
}

function drop(...entries: Entry[]): DataTransfer {
  return { items: entries.map((entry) => ({ webkitGetAsEntry: () => entry })), files: [] } as unknown as DataTransfer;
}

const names = ({ files }: { files: File[] }): string[] => files.map(({ name }) => name);

test('folders are looked through, in the order of their names, without what no person put there', async () => {
  const inner = folder('inner', file('3.tiff'));
  const brought = await filesOfDrop(drop(folder('scans', file('10.pdf'), file('2.pdf'), file('.DS_Store'), file('notes.txt'), inner)));
  expect(names(brought)).toEqual(['2.pdf', '10.pdf', '3.tiff']);
  expect([brought.leftOut, brought.cutOff, brought.unread]).toEqual([1, false, []]);
});

test('what was dropped by itself is brought whatever it is: it is answered by name', async () => {
  expect(names(await filesOfDrop(drop(file('letter.docx'), file('a.pdf'))))).toEqual(['letter.docx', 'a.pdf']);
});

test('what cannot be read costs none of the others', async () => {
  const brought = await filesOfDrop(drop(gone('gone.pdf'), folder('scans', gone('2.pdf'), file('1.pdf')), file('a.pdf')));
  expect(names(brought)).toEqual(['1.pdf', 'a.pdf']);
  expect(brought.unread).toEqual(['gone.pdf', '2.pdf']);
});

test('a folder is cut off where it is too large', async () => {
  const many = Array.from({ length: mostFiles + 1 }, (_, index) => file(`${index}.pdf`));
  const brought = await filesOfDrop(drop(folder('scans', ...many)));
  expect([brought.files.length, brought.cutOff]).toEqual([mostFiles, true]);
  const picked = filesOfFolder(many.map(({ name }) => new File(['x'], name)));
  expect([picked.files.length, picked.cutOff]).toEqual([mostFiles, true]);
});

test.each([
  ['scan.PDF', '', true],
  ['photo', 'image/heic', true],
  ['page', '', true],
  ['letter.docx', '', false],
  ['notes.txt', 'text/plain', false],
])('%s of the type "%s" may be a document: %s', (name, type, expected) => {
  expect(mayBeDocument({ name, type })).toBe(expected);
});
