import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createApp, type App } from './app.ts';
import { parseEvent, parseOutput, requests, textOf, type EventMessage, type Input, type Output, type RequestName } from './contract.ts';
import { dispatch } from './dispatch.ts';
import { publishedFiles, write } from './services/models/test/write-model.ts';
import { readLicences } from './host/licences.ts';
import { root } from './host/paths.ts';
import { storedPath } from './storage/test/stored-path.ts';
import { testPorts } from './test/test-ports.ts';

let directory: string;
let app: App;
let events: EventMessage[];

function begin(): void {
  app = createApp(
    testPorts(directory, {
      abilities: { introduction: 'Small.', prompts: [{ label: 'Read', text: 'Read it.' }] },
      host: { licences: () => readLicences(root) },
    }),
  );
  events = [];
  app.on((event) => {
    // What is told is in the contract.
    events.push(parseEvent(structuredClone(event)));
  });
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loupe-app-'));
  begin();
});
afterEach(async () => {
  await app.close();
  rmSync(directory, { recursive: true });
});

/** As a window asks; the answer must be in the contract. */
async function ask<Name extends RequestName>(name: Name, input: Input<Name>): Promise<Output<Name>> {
  const reply = await dispatch(app.handlers, name, input);
  if (!reply.ok) throw Object.assign(new Error(reply.message), reply);
  return parseOutput(name, reply.output);
}

const fixture = (name: string): URL => new URL(`../fixtures/pictures/${name}`, import.meta.url);
const png = (colour: string, width = 60, height = 40): Promise<Buffer> =>
  sharp({ create: { width, height, channels: 3, background: colour } })
    .png()
    .toBuffer();
const addPicture = async (colour: string): Promise<Output<'pictures.add'>> =>
  ask('pictures.add', { bytes: new Uint8Array(await png(colour)), name: `${colour}.png`, kind: 'paste' });

async function converse(
  text: string,
  pictures: string[] = [],
  conversationId: number | null = null,
  parentId: number | null = null,
): Promise<Output<'chat.send'>> {
  const sent = await ask('chat.send', { conversationId, parentId, text, pictures, scope: null });
  await vi.waitFor(() =>
    expect(events).toContainEqual(
      expect.objectContaining({
        event: 'message.changed',
        payload: expect.objectContaining({ id: sent.answer.id, state: 'complete' }) as unknown,
      }),
    ),
  );
  return sent;
}

test('there is a handler for every request', () => {
  expect(Object.keys(app.handlers).sort()).toEqual(Object.keys(requests).sort());
});

test('the app introduces itself', async () => {
  expect(await ask('app.info', {})).toMatchObject({
    version: '1.2.3',
    host: 'web',
    abilities: { introduction: 'Small.' },
    recentPrompts: [],
  });
  const licences = await ask('app.licences', {});
  expect(licences.map(({ name }) => name)).toEqual(expect.arrayContaining(['Llama 3.2', 'better-sqlite3', 'sharp']));
  for (const { name, text } of licences) expect(text.length, name).toBeGreaterThan(20);
  expect(await ask('capture.state', {})).toMatchObject({ by: 'browser' });
  expect(await ask('models.list', {})).toMatchObject([{ id: 'demo', present: true }]);
});

describe('a database that cannot be opened', () => {
  beforeEach(async () => {
    await converse('Kept?');
    await app.close();
    for (const name of readdirSync(directory)) if (/^loupe\.db/.test(name)) writeFileSync(join(directory, name), 'x'.repeat(9000));
    begin();
  });

  test('is told, and nothing else is; the app stands', async () => {
    expect(await ask('storage.state', {})).toMatchObject({ access: 'closed', problem: { code: 'store_damaged' } });
    await expect(ask('conversations.list', {})).rejects.toMatchObject({
      code: 'store_damaged',
      nextStep: expect.stringContaining('backup') as string,
    });
    await expect(converse('Now?')).rejects.toMatchObject({ code: 'store_damaged' });
    expect(await ask('settings.get', {})).toMatchObject({ theme: 'system' });
    expect(await ask('models.list', {})).toMatchObject([{ id: 'demo' }]);
    expect(await ask('models.downloads', {})).toEqual([]);
  });

  test('is replaced by the backup that was made when the app was closed', async () => {
    const [backup] = await ask('storage.backups', {});
    expect(backup).toMatchObject({ state: 'sound', conversations: 1 });
    const { keptAside } = await ask('storage.restore', { name: backup!.name });
    expect(readFileSync(join(directory, keptAside!), 'utf8')).toMatch(/^x+$/);
    expect(events.at(-1)).toMatchObject({ event: 'storage.changed', payload: { access: 'writable', generation: 1 } });
    expect(await ask('conversations.list', {})).toMatchObject([{ title: 'Kept?' }]);
    await converse('And now?');
  });
});

describe('conversations', () => {
  test('from the first question to the search that finds it again', async () => {
    const red = await addPicture('red');
    const { conversation, answer } = await converse('Which colour is the fox?', [red.hash]);
    await converse('And the dog?', [], conversation.id, answer.id);
    expect(await ask('conversations.list', {})).toMatchObject([{ id: conversation.id, messageCount: 4, picture: red.hash, busy: false }]);
    expect(await ask('conversations.search', { query: 'fox', limit: 10 })).toEqual(
      expect.arrayContaining([expect.objectContaining({ conversationId: conversation.id })]),
    );
    expect((await ask('app.info', {})).recentPrompts).toEqual(['And the dog?', 'Which colour is the fox?']);
    const { text, fileName } = await ask('conversations.export', { id: conversation.id, format: 'markdown' });
    expect(text).toContain('And the dog?');
    expect(fileName).toMatch(/\.md$/);
  });

  test('are renamed, pinned, deleted and brought back; every window hears of it', async () => {
    const { conversation } = await converse('One');
    await ask('conversations.rename', { id: conversation.id, title: '  Renamed ' });
    await ask('conversations.pin', { id: conversation.id, pinned: true });
    expect(events.at(-1)).toMatchObject({ event: 'conversation.changed', payload: { title: 'Renamed', pinned: true } });
    await ask('conversations.delete', { id: conversation.id });
    expect(events.at(-1)).toEqual({ event: 'conversation.deleted', payload: { id: conversation.id } });
    expect(await ask('conversations.list', {})).toEqual([]);
    await ask('conversations.restore', { id: conversation.id });
    expect(await ask('conversations.list', {})).toHaveLength(1);
  });

  test('are there after a restart, drafts and settings too', async () => {
    const { conversation } = await converse('Kept?');
    const picture = await addPicture('blue');
    await ask('conversations.saveDraft', { id: conversation.id, text: 'half a thou', pictures: [picture.hash] });
    await ask('conversations.saveDraft', { id: null, text: 'new one', pictures: [] });
    await ask('settings.set', { theme: 'dark', maxTokens: 99 });
    await app.close();
    begin();
    expect(await ask('conversations.open', { id: conversation.id })).toMatchObject({
      title: 'Kept?',
      draft: { text: 'half a thou', pictures: [{ hash: picture.hash }] },
    });
    expect(await ask('conversations.draft', {})).toMatchObject({ text: 'new one' });
    expect(await ask('settings.get', {})).toMatchObject({ theme: 'dark', maxTokens: 99, sendWith: 'enter' });
  });
});

describe('pictures', () => {
  test('the same picture is kept once', async () => {
    const first = await addPicture('red');
    expect(await addPicture('red')).toEqual(first);
    expect(first).toMatchObject({ width: 60, height: 40, origin: { kind: 'paste' } });
    expect(readFileSync(storedPath(app.pictureFile(first.hash, 'full')))).toEqual(await png('red'));
  });

  test('one whose file is gone is whole again when it is added again', async () => {
    const { hash } = await addPicture('red');
    rmSync(storedPath(app.pictureFile(hash, 'full')));
    await addPicture('red');
    expect(readFileSync(storedPath(app.pictureFile(hash, 'full')))).toEqual(await png('red'));
  });

  test('are cropped and composed, and know what they were made of', async () => {
    const red = await addPicture('red');
    const blue = await addPicture('blue');
    const region = { x: 10, y: 10, width: 20, height: 5 };
    expect(await ask('pictures.crop', { hash: red.hash, region })).toMatchObject({
      width: 20,
      height: 5,
      origin: { kind: 'crop', of: red.hash, region },
    });
    const composed = await ask('pictures.compose', { hashes: [red.hash, blue.hash], layout: 'row', labels: true });
    expect(composed).toMatchObject({ name: 'red.png, blue.png', origin: { kind: 'compose', of: [red.hash, blue.hash] } });
    expect(composed.width).toBeGreaterThan(120);
  });

  test('the text of a picture is read line by line, without a model', async () => {
    const bytes = new Uint8Array(readFileSync(join(root, 'fixtures', 'ocr', 'pictures', '36.png')));
    const { hash } = await ask('pictures.add', { bytes, name: 'list.png', kind: 'paste' });
    const lines = await ask('pictures.text', { hash });
    expect(textOf(lines)).toMatch(/^Forward station copy ticket\nIt report after who\n/);
    const told = events.flatMap((event) => (event.event === 'text.line' && event.payload.of === hash ? [event.payload.line] : []));
    expect(told).toEqual(lines);
    expect((await addPicture('red')).hash).not.toBe(hash);
    await expect(ask('pictures.text', { hash: 'f'.repeat(64) })).rejects.toMatchObject({ code: 'not_found' });
  });

  test('of a file with several pages one is attached, as a picture of its own, and can be changed', async () => {
    const bytes = new Uint8Array(readFileSync(fixture('pages.tif')));
    const first = await ask('pictures.add', { bytes, name: 'scan.tif', kind: 'file' });
    expect(first).toMatchObject({ name: 'scan.tif, page 1 of 3', width: 78, origin: { kind: 'page', unit: 'page', number: 1, count: 3 } });
    expect(await ask('pictures.add', { bytes, name: 'scan.tif', kind: 'drop' })).toEqual(first);
    const found = await ask('pictures.pages', { hash: first.hash, from: 2 });
    expect(found).toMatchObject({
      unit: 'page',
      count: 3,
      offered: 3,
      previews: [
        { number: 2, width: 73 },
        { number: 3, width: 111 },
      ],
    });
    const third = await ask('pictures.page', { hash: first.hash, number: 3 });
    expect(third).toMatchObject({ name: 'scan.tif, page 3 of 3', width: 111 });
    expect((await ask('pictures.page', { hash: third.hash, number: 1 })).hash).toBe(first.hash);
    expect((await ask('pictures.crop', { hash: third.hash, region: { x: 0, y: 0, width: 5, height: 5 } })).name).toBe(
      'scan.tif, page 3 of 3',
    );
    await expect(ask('pictures.page', { hash: first.hash, number: 4 })).rejects.toMatchObject({ code: 'usage' });
    const { conversation } = await converse('Which page?', [third.hash]);
    expect((await ask('conversations.export', { id: conversation.id, format: 'markdown' })).text).toContain(
      '*Picture: scan.tif, page 3 of 3, 111 x',
    );
    expect((await ask('conversations.export', { id: conversation.id, format: 'json' })).text).toContain('"number": 3');
    await expect(ask('pictures.pages', { hash: (await addPicture('red')).hash, from: 1 })).rejects.toMatchObject({
      message: 'red.png holds one picture.',
    });
  });

  test('how a picture was read stays with it, and with its parts', async () => {
    const add = (name: string, share = 1): Promise<Output<'pictures.add'>> => {
      const whole = readFileSync(fixture(name));
      return ask('pictures.add', { bytes: new Uint8Array(whole.subarray(0, whole.length * share)), name, kind: 'file' });
    };
    const light = await add('base-white-on-transparent.png');
    expect(light.origin).toEqual({ kind: 'file', ground: 'black' });
    // What the window shows is what the model gets.
    expect(
      (
        await sharp(readFileSync(storedPath(app.pictureFile(light.hash, 'full'))))
          .removeAlpha()
          .raw()
          .toBuffer()
      )[0],
    ).toBe(0);
    expect((await ask('pictures.crop', { hash: light.hash, region: { x: 0, y: 0, width: 5, height: 5 } })).origin).toMatchObject({
      ground: 'black',
    });
    expect((await add('base-noeoi.jpg')).origin).toEqual({ kind: 'file' });
    expect((await add('base-noeoi.jpg', 0.8)).origin).toEqual({ kind: 'file', cutOff: true });
  });

  test('fail by name', async () => {
    await expect(ask('pictures.add', { bytes: new Uint8Array([1, 2, 3]), name: 'notes.txt', kind: 'file' })).rejects.toMatchObject({
      code: 'image_unreadable',
      message: expect.stringContaining('notes.txt') as string,
    });
    await expect(
      ask('chat.send', { conversationId: null, parentId: null, text: 'Hi', pictures: ['0'.repeat(64)], scope: null }),
    ).rejects.toMatchObject({
      code: 'not_found',
    });
    // A question about a picture that is not there begins no conversation.
    expect(await ask('conversations.list', {})).toEqual([]);
  });

  test('the view is of the model that is loaded', async () => {
    expect((await ask('pictures.view', { width: 560, height: 560 })).tileSize).toBe(560);
    await converse('Load, please');
    expect((await ask('pictures.view', { width: 560, height: 560 })).tileSize).toBe(56);
  });
});

test('a window adds and measures only models that were found for it', async () => {
  const path = write(join(directory, 'Llama-3.2-11B-Vision-Instruct'), publishedFiles());
  await expect(ask('models.add', { path })).rejects.toMatchObject({ code: 'not_found' });
  await expect(ask('models.fit', { id: path })).rejects.toMatchObject({ code: 'not_found' });
  expect(await ask('models.find', { path })).toMatchObject([{ path }]);
  // Now it is known, and its licence is what is missing.
  await expect(ask('models.add', { path })).rejects.toMatchObject({ code: 'licence_needed' });
  await expect(ask('models.fit', { id: path })).rejects.toMatchObject({ code: 'not_found' });
  expect(await ask('models.fit', { id: 'demo' })).toBeNull();
});
