import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openRegularFile, readRegularFile, textOf } from './regular-file.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-regular-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const mostBytes = 1000;

test('a file is read whole, and one that is too large not at all', async () => {
  const path = join(folder, 'plain.json');
  writeFileSync(path, '{}');
  expect(await textOf(path, { mostBytes })).toBe('{}');
  await expect(readRegularFile(path, { mostBytes: 1 })).rejects.toMatchObject({
    code: 'file_missing',
    message: expect.stringContaining('too large') as string,
  });
});

test('what is not there says so', async () => {
  const path = join(folder, 'nothing.json');
  await expect(openRegularFile(path)).rejects.toMatchObject({ code: 'file_missing', message: `${path} cannot be read (ENOENT).` });
  await expect(openRegularFile(folder)).rejects.toMatchObject({ message: `${folder} is not a regular file.` });
});

describe.skipIf(process.platform === 'win32')('on systems with special files', () => {
  test('more FIFOs than threads that read files keep no other file waiting', async () => {
    const pipes = Array.from({ length: 8 }, (_, index) => join(folder, `model-${index}.safetensors`));
    execFileSync('mkfifo', pipes);
    const opened = await Promise.allSettled(pipes.map((path) => openRegularFile(path)));
    expect(opened.map(({ status }) => status)).toEqual(pipes.map(() => 'rejected'));
    writeFileSync(join(folder, 'other.json'), '1');
    expect(await textOf(join(folder, 'other.json'), { mostBytes })).toBe('1');
  });

  test('a device is refused', async () => {
    await expect(openRegularFile('/dev/zero')).rejects.toMatchObject({ message: '/dev/zero is not a regular file.' });
  });

  test('a link may not lead out of the folder, except to a blob of a cache', async () => {
    const model = join(folder, 'model');
    const blobs = join(folder, 'models--meta--Llama', 'blobs');
    for (const made of [model, blobs]) mkdirSync(made, { recursive: true });
    const secret = join(folder, 'secret');
    const blob = join(blobs, 'a'.repeat(40));
    for (const path of [secret, blob, join(model, 'real.json')]) writeFileSync(path, 'contents');
    symlinkSync(secret, join(model, 'chat_template.jinja'));
    symlinkSync(blob, join(model, 'tokenizer.json'));
    symlinkSync('real.json', join(model, 'config.json'));
    const read = (name: string): Promise<string | null> => textOf(join(model, name), { within: model, mostBytes });
    expect(await read('chat_template.jinja')).toBeNull();
    expect(await read('tokenizer.json')).toBe('contents');
    expect(await read('config.json')).toBe('contents');
    await expect(openRegularFile(join(model, 'chat_template.jinja'), { within: model })).rejects.toMatchObject({
      message: expect.stringContaining('is a link out of its folder') as string,
    });
  });
});
