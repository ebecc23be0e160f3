import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { ModelPlace } from '../../ports.ts';
import { findModel } from './find-model.ts';
import { joinPaths } from './model-path.ts';
import { modelsOf, openManifest } from './ollama-store.ts';
import { oddNames } from '../test/odd-names.ts';

const fixtures = fileURLToPath(new URL('../../../../fixtures/reference/gguf/', import.meta.url));
const store = join(fixtures, 'store');
const blob = (start: string): RegExp => new RegExp(`blobs.sha256-${start}`);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'loupe-find-'));
});
afterAll(() => rm(folder, { recursive: true }));
afterEach(() => vi.unstubAllEnvs());

async function folderWith(name: string, files: Record<string, string>): Promise<string> {
  const path = join(folder, name);
  for (const [file, text] of Object.entries(files)) {
    await mkdir(join(path, file, '..'), { recursive: true });
    await writeFile(join(path, file), text);
  }
  return path;
}

describe('folders and files', () => {
  test('a published checkpoint', async () => {
    const path = await folderWith('published', { 'config.json': '{}', 'model.safetensors': '', 'notes.gguf': 'GGUF' });
    expect(await findModel(path)).toEqual({ directory: path });
    await rm(join(path, 'model.safetensors'));
    expect(await findModel(path)).toEqual({ gguf: [join(path, 'notes.gguf')] });
  });

  test('GGUF files: alone, in parts, several', async () => {
    const one = await folderWith('one', { 'model.gguf': 'GGUF' });
    expect(await findModel(one)).toEqual({ gguf: [join(one, 'model.gguf')] });
    const parts = await folderWith('parts', { 'm-00001-of-00002.gguf': 'GGUF', 'm-00002-of-00002.gguf': 'GGUF', 'other.gguf': 'GGUF' });
    const both = { gguf: [join(parts, 'm-00001-of-00002.gguf'), join(parts, 'm-00002-of-00002.gguf')] };
    expect(await findModel(join(parts, 'm-00002-of-00002.gguf'))).toEqual(both);
    await expect(findModel(parts)).rejects.toMatchObject({ code: 'model_missing', message: expect.stringContaining('other.gguf') });
    await rm(join(parts, 'other.gguf'));
    expect(await findModel(parts)).toEqual(both);
  });

  test('two files with a comma', async () => {
    const pair = await folderWith('pair', { 'text.gguf': 'GGUF', 'projector.gguf': 'GGUF', 'readme.txt': 'words' });
    expect(await findModel(`${join(pair, 'text.gguf')}, ${join(pair, 'projector.gguf')}`)).toEqual({
      gguf: [join(pair, 'text.gguf'), join(pair, 'projector.gguf')],
    });
    await expect(findModel(`${join(pair, 'text.gguf')},${join(pair, 'readme.txt')}`)).rejects.toMatchObject({
      code: 'model_missing',
      message: expect.stringContaining('readme.txt'),
    });
    await expect(findModel(`${join(pair, 'text.gguf')},${join(pair, 'none')}`)).rejects.toMatchObject({
      code: 'model_missing',
      message: expect.stringContaining('none'),
    });
    await expect(findModel(join(pair, 'readme.txt'))).rejects.toMatchObject({ code: 'model_missing' });
  });

  test.each(oddNames)('folders and files below %j', async (name) => {
    const odd = await folderWith(join('odd', name), {
      'published/config.json': '{}',
      'one/model.gguf': 'GGUF',
      'pair/text.gguf': 'GGUF',
      'pair/projector.gguf': 'GGUF',
    });
    expect(await findModel(join(odd, 'published'))).toEqual({ directory: join(odd, 'published') });
    const one = { gguf: [join(odd, 'one', 'model.gguf')] };
    expect(await findModel(join(odd, 'one'))).toEqual(one);
    expect(await findModel(join(odd, 'one', 'model.gguf'))).toEqual(one);
    const pair = [join(odd, 'pair', 'text.gguf'), join(odd, 'pair', 'projector.gguf')];
    for (const named of [pair, pair.join(','), joinPaths(pair)]) expect(await findModel(named)).toEqual({ gguf: pair });
  });

  test('all parts of a text file beside its projector', async () => {
    const path = await folderWith('cut', { 't-00001-of-00002.gguf': 'GGUF', 't-00002-of-00002.gguf': 'GGUF', 'mmproj.gguf': 'GGUF' });
    const all = ['t-00001-of-00002.gguf', 't-00002-of-00002.gguf', 'mmproj.gguf'].map((file) => join(path, file));
    expect(await findModel([all[0]!, all[2]!])).toEqual({ gguf: all });
    expect(await findModel([all[0]!, all[1]!, all[2]!])).toEqual({ gguf: all });
  });

  test('what is not there', async () => {
    await expect(findModel(join(folder, 'nothing'))).rejects.toMatchObject({ code: 'model_missing' });
    vi.stubEnv('OLLAMA_MODELS', join(folder, 'no-store'));
    await expect(findModel('llama3.2-vision')).rejects.toMatchObject({
      code: 'model_missing',
      message: expect.stringContaining('llama3.2-vision'),
    });
  });
});

describe("Ollama's store", () => {
  test('lists what it has', async () => {
    expect((await modelsOf(store)).map(({ name }) => name)).toEqual(['llama3.2-vision:latest', 'llama3.2-vision:legacy']);
  });

  test.each([
    [`${store}:llama3.2-vision:latest`, ['288efb0e']],
    [`${store}:llama3.2-vision`, ['288efb0e']],
    [`${store}:latest`, ['288efb0e']],
    [`${store}:legacy`, ['034e3b21', '28218f60']],
    [`${store}:llama3.2-vision:legacy`, ['034e3b21', '28218f60']],
    [join(store, 'manifests/registry.ollama.ai/library/llama3.2-vision/legacy'), ['034e3b21', '28218f60']],
  ])('%s', async (named, blobs) => {
    const place = await findModel(named);
    const files = 'gguf' in place ? place.gguf : [];
    expect(files).toHaveLength(blobs.length);
    expect([...files].sort()).toEqual(blobs.map((start) => expect.stringMatching(blob(start)) as unknown));
  });

  test('the one that OLLAMA_MODELS names', async () => {
    vi.stubEnv('OLLAMA_MODELS', store);
    expect(await findModel('llama3.2-vision:legacy')).toMatchObject({
      gguf: expect.arrayContaining([expect.stringMatching(blob('28218f60'))]) as unknown,
    });
    await expect(findModel('llama3.2-vision:90b')).rejects.toMatchObject({ code: 'model_missing' });
  });

  test('a store without a tag says what it has', async () => {
    await expect(findModel(store)).rejects.toMatchObject({
      code: 'model_missing',
      message: expect.stringContaining('llama3.2-vision:legacy'),
    });
    await expect(findModel(`${store}:llava`)).rejects.toMatchObject({
      code: 'model_missing',
      message: expect.stringContaining('llama3.2-vision:latest'),
    });
  });

  test('licences come with the model', async () => {
    const [latest] = await modelsOf(store);
    const { licences, bytes, files } = await openManifest(store, latest!);
    expect(licences).toHaveLength(2);
    expect(files).toHaveLength(1);
    expect(bytes).toBe(4_579_392);
  });

  /** A store with one model that has these parameters. */
  async function placeWith(name: string, text: string): Promise<Extract<ModelPlace, { gguf: string[] }>> {
    const contents = { model: 'GGUF', params: text };
    const layers = Object.entries(contents).map(([kind, content]) => {
      const hex = createHash('sha256').update(content).digest('hex');
      const mediaType = `application/vnd.ollama.image.${kind}`;
      return { mediaType, digest: `sha256:${hex}`, size: content.length, blob: `blobs/sha256-${hex}`, content };
    });
    const blobs = Object.fromEntries(layers.map(({ blob, content }) => [blob, content]));
    const place = await findModel(`${await folderWith(name, { ...blobs, [manifest]: JSON.stringify({ layers }) })}:m`);
    if (!('gguf' in place)) throw new Error('no GGUF file');
    return place;
  }

  test('of its parameters those that say how to sample; what is not a parameter is passed over', async () => {
    const [latest] = await modelsOf(store);
    expect((await openManifest(store, latest!)).advice).toEqual({ temperature: 0.6, topP: 0.9 });
    expect(await findModel(`${store}:latest`)).toMatchObject({ advice: { temperature: 0.6, topP: 0.9 } });

    const adviceOf = async (name: string, text: string): Promise<unknown> => (await placeWith(name, text)).advice;
    expect(
      await adviceOf(
        'params',
        JSON.stringify({ temperature: 0, top_k: 40, min_p: 0.1, repeat_penalty: 1.1, stop: ['<|eot_id|>'], num_ctx: 4096 }),
      ),
    ).toEqual({ temperature: 0, topK: 40, minP: 0.1, repetitionPenalty: 1.1 });
    expect(await adviceOf('odd', JSON.stringify({ temperature: 'warm', top_p: 7, top_k: -1, repeat_penalty: 0 }))).toEqual({});
    expect(await adviceOf('broken', '{')).toEqual({});
  });

  test('its stop parameters, of which nothing else is believed', async () => {
    const stopsOf = async (name: string, stop: unknown): Promise<unknown> => {
      const { stops, advice } = await placeWith(name, JSON.stringify({ stop, temperature: 0.6 }));
      return { stops, advice };
    };
    const advice = { temperature: 0.6 };
    expect(await stopsOf('stop-list', ['<|eot_id|>', '\n\nUser:'])).toEqual({ stops: ['<|eot_id|>', '\n\nUser:'], advice });
    expect(await stopsOf('stop-text', '<|im_end|>')).toEqual({ stops: ['<|im_end|>'], advice });
    for (const [index, odd] of [undefined, 7, [7], [''], ['x'.repeat(1_000)], Array(1_000).fill('x'), {}].entries())
      expect(await stopsOf(`stop-odd-${index}`, odd)).toEqual({ stops: [], advice });
  });

  const layers = (digest: string): string =>
    JSON.stringify({ layers: [{ mediaType: 'application/vnd.ollama.image.model', digest, size: 4 }] });
  const manifest = 'manifests/registry.ollama.ai/library/m/latest';
  test.each([
    ['a blob that is gone', layers(`sha256:${'0'.repeat(64)}`), 'file_missing'],
    ['a digest that leaves the store', layers('sha256:../../../../etc/passwd'), 'checkpoint_header'],
    ['no JSON', '{', 'checkpoint_header'],
    ['no model', JSON.stringify({ layers: [] }), 'checkpoint_unsupported'],
  ])('%s', async (name, text, code) => {
    const path = await folderWith(name, { [manifest]: text, 'blobs/other': '' });
    await expect(findModel(`${path}:m`)).rejects.toMatchObject({ code });
  });
});
