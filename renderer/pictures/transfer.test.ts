import { describe, expect, test } from 'vitest';
import { decideTransfer, fileOfAddress, type Carried, type Taken } from './transfer.ts';

interface Named {
  name: string;
  type: string;
}

const photo = { name: 'holiday 1.png', type: 'image/png' };
const scan = { name: 'scan.tif', type: 'image/tiff' };
const bitmap = { name: 'image.png', type: 'image/png' };
const letter = { name: 'letter.odt', type: 'application/vnd.oasis.opendocument.text' };
const unknown = { name: 'picture.avif', type: '' };
const address = 'https://example.org/a/b.png?size=2&x=1';
const inline = 'data:image/png;base64,iVBORw0KGgo=';

type Case = [who: string, how: 'paste' | 'drop', carried: Partial<Carried<Named>>, taken: Taken<Named>];

const cases: Case[] = [
  // Screenshot tools and picture editors
  ['a screenshot tool', 'paste', { files: [bitmap] }, { kind: 'pictures', files: [bitmap], others: [] }],
  [
    'a screenshot tool that keeps a file, too',
    'paste',
    { files: [bitmap], uris: 'file:///home/me/Pictures/Screenshot_1.png\r\n' },
    { kind: 'pictures', files: [bitmap], others: [] },
  ],

  // File managers
  [
    'Nautilus: path as text',
    'paste',
    { files: [photo], text: '/home/me/holiday 1.png', uris: 'file:///home/me/holiday%201.png\r\n' },
    { kind: 'pictures', files: [photo], others: [] },
  ],
  [
    'Nautilus of GNOME 3.30',
    'paste',
    { files: [photo], text: 'x-special/nautilus-clipboard\ncopy\nfile:///home/me/holiday%201.png\n' },
    { kind: 'pictures', files: [photo], others: [] },
  ],
  [
    'the same where the file is not handed over',
    'paste',
    { text: 'x-special/nautilus-clipboard\ncopy\nfile:///home/me/holiday%201.png\n' },
    { kind: 'named', name: 'holiday 1.png' },
  ],
  [
    'Dolphin: address as text',
    'paste',
    { files: [photo], text: 'file:///home/me/holiday%201.png', uris: 'file:///home/me/holiday%201.png' },
    { kind: 'pictures', files: [photo], others: [] },
  ],
  [
    'Thunar: two files, a path each',
    'paste',
    { files: [photo, scan], text: '/home/me/holiday 1.png\n/home/me/scan.tif' },
    { kind: 'pictures', files: [photo, scan], others: [] },
  ],
  ['Explorer: files alone', 'paste', { files: [photo] }, { kind: 'pictures', files: [photo], others: [] }],
  ['Finder: name as text', 'paste', { files: [photo], text: 'holiday 1.png' }, { kind: 'pictures', files: [photo], others: [] }],
  [
    'a path of Windows as text',
    'paste',
    { files: [photo], text: 'C:\\Users\\me\\holiday 1.png' },
    { kind: 'pictures', files: [photo], others: [] },
  ],
  [
    'a document among pictures',
    'paste',
    { files: [photo, letter], text: '/home/me/holiday 1.png\n/home/me/letter.odt' },
    { kind: 'pictures', files: [photo], others: ['letter.odt'] },
  ],
  [
    'files of a type that the system does not know',
    'drop',
    { files: [unknown], uris: 'file:///home/me/picture.avif' },
    { kind: 'pictures', files: [unknown], others: [] },
  ],
  ['a file list without the files', 'drop', { uris: 'file:///mnt/share/scan%202.tif\r\n' }, { kind: 'named', name: 'scan 2.tif' }],
  ['an address with a broken escape', 'drop', { uris: 'file:///home/me/100%.png' }, { kind: 'named', name: '100%.png' }],

  // Office programs
  [
    'Excel: cells as text, as a table and as a picture',
    'paste',
    { files: [bitmap], text: 'Name\tSum\nA\t12\n', html: '<html><body><table><tr><td>Name</td></tr></table></body></html>' },
    { kind: 'text' },
  ],
  [
    'LibreOffice Calc: one cell that is a number',
    'paste',
    { files: [bitmap], text: '12\n', html: '<table><td>12</td></table>' },
    { kind: 'text' },
  ],
  ['Excel: a chart alone', 'paste', { files: [bitmap] }, { kind: 'pictures', files: [bitmap], others: [] }],
  [
    'Word: words with a picture among them',
    'paste',
    { files: [bitmap], text: 'See below.', html: '<p>See below.<img src="file:///C:/Temp/msohtml/image001.png"></p>' },
    { kind: 'text' },
  ],
  [
    'Word: a picture alone',
    'paste',
    { files: [bitmap], html: '<!--StartFragment--><style>p {x: y}</style><p><img width=3 src="file:///C:/Temp/image001.png"></p>' },
    { kind: 'pictures', files: [bitmap], others: [] },
  ],

  // Browsers, "Copy image"
  [
    'Chrome',
    'paste',
    { files: [bitmap], html: `<meta charset="utf-8"><img src="${address.replaceAll('&', '&amp;')}" alt="A bird"/>` },
    { kind: 'pictures', files: [bitmap], others: [] },
  ],
  [
    'Firefox, which adds the address as text',
    'paste',
    { files: [bitmap], text: address, html: `<img src="${address}">` },
    { kind: 'pictures', files: [bitmap], others: [] },
  ],
  [
    'a browser that hands over no bytes',
    'paste',
    { html: `<img class="x" src='${address.replaceAll('&', '&amp;')}'>` },
    { kind: 'address', address },
  ],
  [
    'a page that keeps its pictures in itself',
    'paste',
    { html: `<meta charset='utf-8'><img src="${inline}">` },
    { kind: 'data', addresses: [inline] },
  ],
  [
    'words of a page with a picture among them',
    'paste',
    { text: 'A bird', html: `<p>A bird <img src="${address}"></p>` },
    { kind: 'text' },
  ],
  ['an address copied from the address bar', 'paste', { text: address }, { kind: 'text' }],
  [
    'a link copied',
    'paste',
    { text: 'https://example.org', html: '<a href="https://example.org">Example</a>', uris: 'https://example.org' },
    { kind: 'text' },
  ],
  ['a data address copied', 'paste', { text: ` ${inline}\n` }, { kind: 'data', addresses: [inline] }],

  // Browsers, dragging
  [
    'a picture dragged with its bytes',
    'drop',
    { files: [bitmap], text: address, html: `<img src="${address}">`, uris: address },
    { kind: 'pictures', files: [bitmap], others: [] },
  ],
  [
    'a picture dragged out of a page',
    'drop',
    { text: address, html: `<img src="${address}" alt="A bird">`, uris: address },
    { kind: 'address', address },
  ],
  [
    'a picture that links elsewhere',
    'drop',
    {
      text: 'https://example.org/page',
      html: `<a href="https://example.org/page"><img src="${address}"></a>`,
      uris: 'https://example.org/page',
    },
    { kind: 'address', address },
  ],
  [
    'an inline picture dragged out of a page',
    'drop',
    { uris: `# a comment\r\n${inline}\r\n`, html: `<img src=${inline}>` },
    { kind: 'data', addresses: [inline] },
  ],
  ['the address of a picture', 'drop', { text: address, uris: address }, { kind: 'address', address }],
  [
    'a link to a page',
    'drop',
    { text: 'https://example.org/', html: '<a href="https://example.org/">Example</a>', uris: 'https://example.org/' },
    { kind: 'text' },
  ],
  ['selected words', 'drop', { text: 'some words', html: '<b>some words</b>' }, { kind: 'text' }],
  ['nothing that is known', 'drop', {}, { kind: 'nothing' }],
];

describe('what a paste or a drop brings', () => {
  test.each(cases)('%s (%s)', (_who, how, carried, taken) => {
    expect(decideTransfer({ files: [], text: '', html: '', uris: '', ...carried }, how)).toEqual(taken);
  });

  test('a very long text is a text, whatever its lines look like, unless it is a picture', () => {
    const long = `${'file:///home/me/picture.png\n'.repeat(100_000)}`;
    const html = `<img src="${inline}">`;
    expect(decideTransfer({ files: [], text: long, html, uris: '' }, 'paste')).toEqual({ kind: 'text' });
    expect(decideTransfer({ files: [], text: long, html: '', uris: '' }, 'drop')).toEqual({ kind: 'text' });
    const picture = `data:image/png;base64,${'A'.repeat(2_000_000)}`;
    expect(decideTransfer({ files: [], text: picture, html: '', uris: '' }, 'paste')).toEqual({ kind: 'data', addresses: [picture] });
  });

  test('markup made to be slow is read once', () => {
    for (const html of [
      '<img '.repeat(200_000),
      '<'.repeat(500_000),
      `<img src="${'x'.repeat(500_000)}`,
      `<img src=x>${'<!--'.repeat(200_000)}`,
      `<img src=x>${'<style '.repeat(200_000)}`,
      `<img${' src'.repeat(100_000)}>`,
    ]) {
      expect(['text', 'nothing']).toContain(decideTransfer({ files: [], text: '', html, uris: '' }, 'paste').kind);
    }
  });
});

test('data addresses become files', async () => {
  const file = fileOfAddress(inline, 'Pasted picture')!;
  expect([file.name, file.type]).toEqual(['Pasted picture', 'image/png']);
  expect([...new Uint8Array(await file.arrayBuffer())]).toEqual([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  expect(fileOfAddress('data:image/svg+xml,%3Csvg/%3E', 'x')!.size).toBe(6);
  expect(fileOfAddress('data:text/html,x', 'x')).toBeNull();
  expect(fileOfAddress('data:image/png;base64,%%%', 'x')).toBeNull();
});
