import { afterEach, expect, test } from 'vitest';
import { defaultSettings, type StorageState, type TextLine } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import { startPictureIndex, type PictureIndex, type PictureIndexOptions } from './picture-index.ts';

const line = (text: string): TextLine => ({
  before: '',
  text,
  confidence: 1,
  quad: [
    [0, 0],
    [1, 0],
    [1, 1],
    [0, 1],
  ],
  words: [],
});

const open: PictureIndex[] = [];
afterEach(() => {
  for (const index of open.splice(0)) index.close();
});

/** Reads the picture's name; `act` may say otherwise. */
function rig({ pictures = ['c', 'b', 'a'], act = async (name: string) => [line(name)] } = {}) {
  const known = new Map<string, string>();
  const asked: { name: string; background: boolean | undefined; signal: AbortSignal | undefined }[] = [];
  const faults: unknown[] = [];
  const state = { searchPictures: true, busy: false, access: 'writable' as StorageState['access'], forgotten: 0 };
  const options = {
    store: {
      pictures: {
        nextUnread: () => pictures.find((hash) => !known.has(hash)) ?? null,
        saveText: (hash: string, text: string) => void known.set(hash, text),
        forgetTexts: () => {
          state.forgotten++;
          known.clear();
        },
      },
      settings: () => ({ ...defaultSettings, searchPictures: state.searchPictures }),
      care: { state: () => ({ access: state.access }) },
    } as unknown as PictureIndexOptions['store'],
    recogniser: {
      recognise: async (picture, { background, signal } = {}) => {
        const name = 'source' in picture && 'path' in picture.source ? picture.source.path : '';
        asked.push({ name, background, signal });
        return act(name);
      },
    } satisfies PictureIndexOptions['recogniser'],
    original: (hash: string) => ({ path: hash }),
    isBusy: () => state.busy,
    onFault: (error: unknown) => void faults.push(error),
    restMs: 1,
  };
  const start = (): PictureIndex => {
    const index = startPictureIndex(options);
    open.push(index);
    return index;
  };
  return { start, known, asked, faults, state, pictures };
}

test('all pictures are read in the background, one after the other, and new ones when told to look', async () => {
  const { start, known, asked, pictures } = rig();
  const index = start();
  await expect.poll(() => known.size).toBe(3);
  expect(asked.map(({ name, background }) => [name, background])).toEqual([
    ['c', true],
    ['b', true],
    ['a', true],
  ]);
  pictures.unshift('d');
  index.look();
  await expect.poll(() => known.get('d')).toBe('d');
  expect(asked).toHaveLength(4);
});

test('another start goes on with what is left', async () => {
  const { start, known, asked } = rig({
    act: async (name) => {
      if (name === 'b' && asked.length === 2) throw new LoupeError('cancelled', 'stopped');
      if (name === 'b') return [line('second time')];
      return [line(name)];
    },
  });
  const first = start();
  await expect.poll(() => asked.length).toBe(2);
  first.close();
  const before = asked.length;
  start();
  await expect.poll(() => known.size).toBe(3);
  // What was read is not read again.
  expect(asked.slice(before).map(({ name }) => name)).not.toContain('c');
});

test('while somebody waits for words nothing is begun', async () => {
  const { start, known, asked, state } = rig();
  state.busy = true;
  start();
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(asked).toEqual([]);
  state.busy = false;
  await expect.poll(() => known.size).toBe(3);
});

test('a picture that cannot be read is not tried again; where nothing can be read it is left at that', async () => {
  const bad = rig({
    act: async (name) => {
      if (name === 'b') throw new LoupeError('image_unreadable', 'b is not a picture.');
      return [line(name)];
    },
  });
  bad.start();
  await expect.poll(() => Object.fromEntries(bad.known)).toEqual({ c: 'c', b: '', a: 'a' });
  expect(bad.faults).toHaveLength(1);
  const missing = rig({
    act: async () => {
      throw new LoupeError('ocr_missing', 'not installed');
    },
  });
  const index = missing.start();
  await expect.poll(() => missing.faults.length).toBe(1);
  index.look();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect([missing.asked.length, missing.known.size]).toEqual([1, 0]);
});

test('switched off, reading stops and what was read is forgotten, once; switched on, it is read again', async () => {
  const { start, known, asked, state } = rig();
  const index = start();
  await expect.poll(() => known.size).toBe(3);
  state.searchPictures = false;
  index.look();
  index.look();
  expect([known.size, state.forgotten]).toEqual([0, 1]);
  state.searchPictures = true;
  index.look();
  await expect.poll(() => known.size).toBe(3);
  expect(asked).toHaveLength(6);
});

test('what is read while it is switched off is not kept', async () => {
  const reading = Promise.withResolvers<TextLine[]>();
  const { start, known, asked, state } = rig({ act: () => reading.promise });
  const index = start();
  await expect.poll(() => asked.length).toBe(1);
  state.searchPictures = false;
  index.look();
  expect(asked[0]!.signal!.aborted).toBe(true);
  reading.resolve([line('late')]);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect([known.size, asked.length]).toEqual([0, 1]);
});

test('a store that cannot be written to is left alone', async () => {
  const { start, asked, state } = rig();
  state.access = 'full';
  start();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(asked).toEqual([]);
});
