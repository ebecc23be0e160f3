import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MenuItemConstructorOptions } from 'electron';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LoupeError } from '../errors.ts';
import { contextMenuTemplate, fileNameOf, offerContextMenus, type ContextMenuActions } from './context-menu.ts';
import { createElectronDouble, type ElectronDouble, type WindowDouble } from './test/electron-double.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loupe-context-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const hash = 'ab'.repeat(32);
const can = {
  canUndo: true,
  canRedo: false,
  canCut: true,
  canCopy: true,
  canPaste: true,
  canDelete: true,
  canSelectAll: true,
  canEditRichly: false,
};
const nothing = {
  isEditable: false,
  editFlags: can,
  selectionText: '',
  linkURL: '',
  mediaType: 'none' as const,
  srcURL: '',
  misspelledWord: '',
  dictionarySuggestions: [],
  x: 3,
  y: 4,
};

function actions(): ContextMenuActions {
  return { correct: vi.fn(), learn: vi.fn(), lookUp: vi.fn(), copyLink: vi.fn(), copyPicture: vi.fn(), savePicture: vi.fn() };
}

const said = (template: MenuItemConstructorOptions[]): unknown[] => template.map(({ label, role, type }) => label ?? role ?? type);

const menu = (
  params: Partial<typeof nothing> | object,
  platform: NodeJS.Platform = 'linux',
  given = actions(),
): MenuItemConstructorOptions[] => contextMenuTemplate({ ...nothing, ...params }, platform, given);

test('where nothing can be done there is no menu', () => {
  expect(menu({})).toEqual([]);
  expect(menu({ linkURL: 'loupe://app/' })).toEqual([]);
  expect(menu({ mediaType: 'image', srcURL: 'https://example.org/a.png' })).toEqual([]);
});

test('a field can be edited, with what is not possible greyed out', () => {
  const items = menu({ isEditable: true, editFlags: { ...can, canPaste: false } });
  expect(said(items)).toEqual(['undo', 'redo', 'separator', 'cut', 'copy', 'paste', 'selectAll']);
  expect(items.filter(({ enabled }) => enabled === false).map(({ role }) => role)).toEqual(['redo', 'paste']);
});

test('selected words are copied, and looked up where the system can', () => {
  expect(said(menu({ selectionText: ' bittern ' }))).toEqual(['copy']);
  expect(said(menu({ selectionText: ' bittern ' }, 'darwin'))).toEqual(['Look Up “bittern”', 'separator', 'copy']);
  expect(said(menu({ selectionText: 'x'.repeat(100) }, 'darwin'))[0]).toBe(`Look Up “${'x'.repeat(24)}…”`);
});

test('a word that is not known is corrected or learnt', () => {
  const given = actions();
  const items = menu({ isEditable: true, misspelledWord: 'bitern', dictionarySuggestions: ['bittern', 'bitten'] }, 'darwin', given);
  expect(said(items).slice(0, 4)).toEqual(['bittern', 'bitten', 'Learn Spelling', 'separator']);
  (items[1]!.click as () => void)();
  (items[2]!.click as () => void)();
  expect([vi.mocked(given.correct).mock.calls, vi.mocked(given.learn).mock.calls]).toEqual([[['bitten']], [['bitern']]]);
  expect(said(menu({ isEditable: true, misspelledWord: 'xqz' }, 'darwin')).slice(0, 2)).toEqual([
    'No Spelling Suggestions',
    'Learn Spelling',
  ]);
});

test('a picture is copied and saved; what is no kept picture is only copied', () => {
  const given = actions();
  const kept = menu({ mediaType: 'image', srcURL: `loupe://app/pictures/${hash}/thumb` }, 'linux', given);
  expect(said(kept)).toEqual(['Copy Picture', 'Save Picture As…']);
  (kept[1]!.click as () => void)();
  expect(given.savePicture).toHaveBeenCalledWith(hash);
  expect(said(menu({ mediaType: 'image', srcURL: 'loupe://app/icon.svg' }))).toEqual(['Copy Picture']);
});

test('a link is copied as it would be opened', () => {
  const given = actions();
  const items = menu({ linkURL: 'https://EXAMPLE.org/a' }, 'linux', given);
  expect(said(items)).toEqual(['Copy Link Address']);
  (items[0]!.click as () => void)();
  expect(given.copyLink).toHaveBeenCalledWith('https://example.org/a');
});

test.each([
  ['heron.png', 'image/png', 'heron.png'],
  ['Screen capture', 'image/png', 'Screen capture.png'],
  ['photo', 'image/jpeg', 'photo.jpg'],
  ['a/b\\c: "d"?', 'image/webp', 'a b c   d.webp'],
  ['..', 'image/png', 'Loupe.png'],
  ['thing', 'application/octet-stream', 'thing'],
])('%s, %s is saved as %s', (name, mediaType, expected) => {
  expect(fileNameOf({ name, mediaType })).toBe(expected);
});

function withPicture(options: Parameters<typeof createElectronDouble>[0]): { double: ElectronDouble; save: () => void } {
  const path = join(directory, 'kept');
  writeFileSync(path, 'the picture');
  const double = createElectronDouble(options);
  offerContextMenus({
    electron: double.electron,
    picture: (wanted) => {
      if (wanted !== hash) throw new LoupeError('not_found', `There is no picture ${wanted}.`);
      return { name: 'heron', path, mediaType: 'image/png' };
    },
    onFault: () => {},
  });
  const window = new double.electron.BrowserWindow({}) as unknown as WindowDouble;
  const save = (of = hash): void => {
    window.webContents.emit('context-menu', {}, { ...nothing, mediaType: 'image', srcURL: `loupe://app/pictures/${of}` });
    const [, item] = double.popups.at(-1) as MenuItemConstructorOptions[];
    (item!.click as () => void)();
  };
  return { double, save };
}

test('a picture is saved where the person says', async () => {
  const path = join(directory, 'saved.png');
  const { double, save } = withPicture({ chosen: path });
  save();
  await vi.waitFor(() => expect(readFileSync(path, 'utf8')).toBe('the picture'));
  expect(double.saveDialogs).toMatchObject([{ defaultPath: 'heron.png' }]);
});

test('a picture that cannot be saved says why and what to do', async () => {
  const { double, save } = withPicture({ chosen: join(directory, 'no', 'such', 'folder.png') });
  save();
  await vi.waitFor(() => expect(double.messages).toHaveLength(1));
  expect(double.messages[0]).toMatchObject({ message: 'The picture could not be saved' });
  expect(double.messages[0]!.detail).toMatch(/ENOENT.*\n\nChoose another place to write to\.$/s);
});
