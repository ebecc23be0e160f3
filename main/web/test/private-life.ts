/** Private conversations through the whole app, in a process with folders of its own: what of them is in any of these. For tests. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, vi } from 'vitest';
import type { EventMessage } from '../../contract.ts';
import { randomNumbers } from '../../test/random.ts';
import { connectWindow, type WebClient } from './web-client.ts';

export interface PrivateLife {
  window: WebClient;
  /** Every file of the process's folders that holds one of these, or is called so. */
  filesWith(wanted: readonly Buffer[]): string[];
  ended(messageId: number): Promise<unknown>;
  /** Asks in every way there is, with pictures made in every way there is. Returns all that must be found nowhere. */
  converse(conversationId: number, word: string): Promise<Buffer[]>;
  /** Without warning. */
  kill(): Promise<void>;
  end(): Promise<void>;
}

/** `command`: of a web host, for Node. `longest`: words of the longest question. */
export async function startPrivateLife(command: readonly string[], longest: number): Promise<PrivateLife> {
  const root = mkdtempSync(join(tmpdir(), 'loupe-private-'));
  // All that a process may write to without being told where.
  const folders = Object.fromEntries(
    ['HOME', 'TMPDIR', 'XDG_CACHE_HOME', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'XDG_STATE_HOME'].map((name) => [name, join(root, name)]),
  );
  for (const folder of Object.values(folders)) mkdirSync(folder);
  const app = spawn(process.execPath, [...command, '--data', join(root, 'data')], {
    env: { ...process.env, ...folders },
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(app.stdout.setEncoding('utf8'), 'data')) as [string];
  const window = await connectWindow(line.trim());
  const events: EventMessage[] = [];
  window.onEvent((event) => events.push(event));

  async function kill(): Promise<void> {
    if (app.exitCode !== null || app.signalCode !== null) return;
    const exited = once(app, 'exit');
    app.kill('SIGKILL');
    await exited;
  }

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
      { timeout: 120_000, interval: 20 },
    );
  }

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
    const long = await send(Array.from({ length: longest }, (_, index) => `${word}${index}`).join(' '), again.id);
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

  return {
    window,
    filesWith,
    ended,
    converse,
    kill,
    async end() {
      window.close();
      await kill();
      rmSync(root, { recursive: true, force: true });
    },
  };
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
export function traces(...found: (string | Uint8Array)[]): Buffer[] {
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
