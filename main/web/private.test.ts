/** A private conversation through the whole app, in a process with folders of its own: what of it is in any of them. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { EventMessage } from '../contract.ts';
import { randomNumbers } from '../test/random.ts';
import { connectWindow, type WebClient } from './test/web-client.ts';

const host = fileURLToPath(new URL('../../e2e/fake-host.ts', import.meta.url));

let root: string;
let app: ChildProcess;
let window: WebClient;
let events: EventMessage[];

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'loupe-private-'));
  // All that a process may write to without being told where.
  const folders = Object.fromEntries(
    ['HOME', 'TMPDIR', 'XDG_CACHE_HOME', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'XDG_STATE_HOME'].map((name) => [name, join(root, name)]),
  );
  for (const folder of Object.values(folders)) mkdirSync(folder);
  app = spawn(process.execPath, [host, '--data', join(root, 'data'), '--word-ms', '1'], {
    env: { ...process.env, ...folders },
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(app.stdout!.setEncoding('utf8'), 'data')) as [string];
  window = await connectWindow(line.trim());
  events = [];
  window.onEvent((event) => events.push(event));
});
afterEach(async () => {
  window.close();
  await kill();
  rmSync(root, { recursive: true, force: true });
});

async function kill(): Promise<void> {
  if (app.exitCode !== null || app.signalCode !== null) return;
  const exited = once(app, 'exit');
  app.kill('SIGKILL');
  await exited;
}

/** Noise, with words that can be read: of a byte sequence of its file there is no other in the world. */
async function picture(): Promise<Buffer> {
  const random = randomNumbers(4711);
  const [width, height] = [320, 240];
  const noise = Buffer.from(Array.from({ length: width * height * 3 }, () => Math.floor(random() * 60) + 195));
  const words = Buffer.from(
    `<svg width="${width}" height="${height}"><text x="20" y="120" font-size="40" font-family="sans-serif">Quokka 4711</text></svg>`,
  );
  return sharp(noise, { raw: { width, height, channels: 3 } })
    .composite([{ input: words }])
    .png()
    .toBuffer();
}

/** As files may hold it. */
function traces(...found: (string | Uint8Array)[]): Buffer[] {
  return found.flatMap((one) =>
    typeof one === 'string'
      ? [
          Buffer.from(one),
          Buffer.from(one.toLowerCase()),
          Buffer.from(one, 'utf16le'),
          Buffer.from(Buffer.from(one).toString('base64').slice(0, -4)),
        ]
      : // Pieces from all over it: a part would be enough.
        [0.1, 0.4, 0.7].map((at) => Buffer.from(one.subarray(Math.floor(one.length * at), Math.floor(one.length * at) + 24))),
  );
}

/** Every file of the process's folders that holds one of these, or is called so. */
function filesWith(wanted: readonly Buffer[]): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => {
    if (wanted.some((one) => name.includes(one.toString('latin1')))) return true;
    const path = join(root, name);
    if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return false;
    const bytes = readFileSync(path);
    return wanted.some((one) => bytes.includes(one));
  });
}

function ended(id: number): Promise<unknown> {
  return vi.waitFor(
    () => {
      const last = events.flatMap(({ event, payload }) => (event === 'message.changed' && payload.id === id ? [payload] : [])).at(-1);
      expect(last?.state).toMatch(/complete|stopped/);
    },
    { timeout: 30_000, interval: 20 },
  );
}

/** Asks in every way there is, with pictures made in every way there is. Returns all that must be found nowhere. */
async function converse(conversationId: number, word: string): Promise<Buffer[]> {
  const bytes = new Uint8Array(await picture());
  const whole = await window.ask('pictures.add', { bytes, name: `${word}.png`, kind: 'paste', conversationId });
  const part = await window.ask('pictures.crop', { hash: whole.hash, region: { x: 10, y: 10, width: 200, height: 150 }, conversationId });
  const sheet = await window.ask('pictures.compose', { hashes: [whole.hash, part.hash], layout: 'row', labels: true, conversationId });
  const send = (text: string, parentId: number | null, pictures: string[] = []) =>
    window.ask('chat.send', { conversationId, parentId, text: `${word} ${text}`, pictures, scope: null });

  await window.ask('conversations.saveDraft', { id: conversationId, text: `${word} draft`, pictures: [whole.hash] });
  const first = await send('first question', null, [whole.hash, sheet.hash]);
  await ended(first.answer.id);
  const again = await window.ask('chat.regenerate', { messageId: first.answer.id });
  await ended(again.id);
  const long = await send(Array.from({ length: 400 }, (_, index) => `${word}${index}`).join(' '), again.id);
  await window.ask('chat.stop', { messageId: long.answer.id });
  const continued = await window.ask('chat.continue', { messageId: long.answer.id });
  await ended(continued.id);
  await window.ask('conversations.selectBranch', { messageId: first.answer.id });
  await window.ask('conversations.pinPicture', { id: conversationId, hash: part.hash });
  await window.ask('conversations.rename', { id: conversationId, title: `${word} title` });
  const read = await window.ask('pictures.text', { hash: whole.hash });
  expect(read.map(({ text }) => text).join(' ')).toContain('4711');
  const { text } = await window.ask('conversations.export', { id: conversationId, format: 'markdown' });
  expect(text).toContain(`${word} first question`);
  await window.ask('conversations.search', { query: word, limit: 5 });
  await window.ask('storage.retry', {});
  const shown = await window.thumbnail(whole.hash);
  return traces(word, 'Quokka', bytes, shown, ...[whole, part, sheet].map(({ hash }) => hash));
}

test('no word and no byte of its pictures is in any file, while it runs, after it is closed and after kill -9', async () => {
  const kept = await window.ask('chat.send', { conversationId: null, parentId: null, text: 'Kept umbrella', pictures: [], scope: null });
  await ended(kept.answer.id);
  const { id, title, private: isPrivate } = await window.ask('conversations.openPrivate', {});
  expect([title, isPrivate]).toEqual(['Private conversation', true]);
  const closed = await converse(id, 'Xylophone');
  expect(filesWith(closed)).toEqual([]);
  await window.ask('conversations.closePrivate', { id });
  expect(filesWith(closed)).toEqual([]);
  await expect(window.ask('conversations.open', { id })).rejects.toMatchObject({ code: 'not_found' });

  const { id: running } = await window.ask('conversations.openPrivate', {});
  const killed = await converse(running, 'Zeppelin');
  expect((await window.ask('conversations.list', {})).map((summary) => summary.id)).toEqual([running, kept.conversation.id]);
  expect(filesWith(killed)).toEqual([]);
  await kill();
  expect(filesWith([...closed, ...killed])).toEqual([]);
  // The same search finds what is kept.
  expect(filesWith(traces('umbrella'))).not.toEqual([]);
});

test('kept after all, all of it is found', async () => {
  const { id } = await window.ask('conversations.openPrivate', {});
  await converse(id, 'Xylophone');
  const kept = await window.ask('conversations.keep', { id });
  expect(kept).toMatchObject({ title: 'Xylophone title' });
  expect(kept).not.toHaveProperty('private');
  expect(await window.ask('conversations.open', { id: kept.id })).toMatchObject({ pinnedPicture: { name: 'Xylophone.png' } });
  expect((await window.ask('conversations.list', {})).map((summary) => summary.id)).toEqual([kept.id]);
  expect(filesWith(traces('Xylophone')).some((name) => name.startsWith(join('data', 'loupe.db')))).toBe(true);
});
