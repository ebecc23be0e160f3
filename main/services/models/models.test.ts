import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { modelPaths } from '../../contract.ts';
import { LoupeError } from '../../errors.ts';
import type { ModelRecord, ModelStore } from '../ports.ts';
import { createModels, usableModel } from './models.ts';
import { ggufBytes, publishedFiles, write } from './test/write-model.ts';

const demoModel = fileURLToPath(new URL('../../../resources/demo-model', import.meta.url));
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'loupe-models-'));
});
afterAll(() => rm(folder, { recursive: true }));

function memoryStore(): { models: ModelStore } {
  const records = new Map<string, ModelRecord>();
  return {
    models: {
      list: () => [...records.values()],
      add: (record) => void records.set(record.path, record),
      remove: (path) => void records.delete(path),
      saveCheck: () => {},
      checks: () => [],
      saveSanityCheck: () => {},
      sanityChecks: () => [],
    },
  };
}

test('the demo model is there from the start', async () => {
  const models = createModels({ store: memoryStore(), demoModel });
  expect(models.list()).toEqual([{ id: 'demo', name: 'Demo model', kind: 'demo', bytes: null, present: true }]);
  expect(await models.chosen('demo').place()).toEqual({ directory: demoModel });
});

test('a folder is added, chosen and forgotten', async () => {
  const models = createModels({ store: memoryStore(), demoModel });
  const choice = models.add(await usableModel(demoModel));
  expect(choice).toMatchObject({ id: demoModel, name: 'demo-model', kind: 'vision', present: true });
  expect(choice.bytes).toBeGreaterThan(1_000_000);
  expect(models.chosen(demoModel).choice).toEqual(choice);
  expect(await models.chosen(demoModel).place()).toEqual({ directory: demoModel });
  models.remove(demoModel);
  expect(() => models.chosen(demoModel)).toThrow('no longer in the list');
});

test('a drive that is not connected: the model stays in the list, and it is said what to do', async () => {
  const drive = join(folder, 'drive');
  const path = write(join(drive, 'Llama-3.2-11B-Vision-Instruct'), publishedFiles());
  const store = join(drive, 'ollama');
  const manifest = join(
    write(store, { 'manifests/registry.ollama.ai/library/llama3.2-vision/latest': '{}', 'blobs/x': '' }),
    'manifests',
    'registry.ollama.ai',
    'library',
    'llama3.2-vision',
    'latest',
  );
  const models = createModels({ store: memoryStore(), demoModel });
  models.add(await usableModel(path));
  models.add({ path: manifest, name: 'llama3.2-vision:latest', kind: 'vision', bytes: 1 });
  await rename(drive, join(folder, 'pulled out'));
  expect(models.list().map(({ present }) => present)).toEqual([true, false, false]);
  for (const id of [path, manifest]) {
    expect(() => models.chosen(id)).toThrow(
      expect.objectContaining({
        code: 'model_missing',
        message: expect.stringMatching(/^The files of .* are gone \(.*\)\.$/) as string,
        nextStep: expect.stringMatching(/^Connect the drive/) as string,
      }),
    );
  }
  await rename(join(folder, 'pulled out'), drive);
  expect(await models.chosen(path).place()).toEqual({ directory: path });
});

test('a folder with a comma in its name, a GGUF file, two of them', async () => {
  const models = createModels({ store: memoryStore(), demoModel });
  const odd = write(join(folder, 'vision, tiny'), publishedFiles());
  const vision = { 'general.architecture': 'mllama' };
  write(folder, {
    'one.gguf': ggufBytes({ 'general.architecture': 'llama' }),
    'text.gguf': ggufBytes(vision),
    'projector.gguf': ggufBytes({ ...vision, 'general.type': 'projector' }),
  });
  const place = async (path: string) => models.chosen(models.add(await usableModel(path)).id).place();
  expect(await place(odd)).toEqual({ directory: odd });
  expect(await place(join(folder, 'one.gguf'))).toEqual({ gguf: [join(folder, 'one.gguf')] });
  expect(await place(`${join(folder, 'text.gguf')},${join(folder, 'projector.gguf')}`)).toEqual({
    gguf: [join(folder, 'text.gguf'), join(folder, 'projector.gguf')],
  });
  expect(models.list().every(({ present }) => present)).toBe(true);
  await rm(join(folder, 'projector.gguf'));
  expect(models.list().map(({ present }) => present)).toEqual([true, true, true, false]);
});

test('two files below a folder with commas: a list in the record, and what older versions recorded is still read', async () => {
  const models = createModels({ store: memoryStore(), demoModel });
  const vision = { 'general.architecture': 'mllama' };
  const files = { 'text.gguf': ggufBytes(vision), 'projector.gguf': ggufBytes({ ...vision, 'general.type': 'projector' }) };
  const pairIn = (place: string): string[] => Object.keys(files).map((name) => join(write(place, files), name));
  const commas = pairIn(join(folder, 'Company, Inc', 'a,b'));
  const choice = models.add(await usableModel(commas.join(',')));
  expect(modelPaths(choice.id)).toEqual(commas);
  expect(choice.present).toBe(true);
  expect(await models.chosen(choice.id).place()).toEqual({ gguf: commas });

  const plain = pairIn(join(folder, 'plain'));
  const old = models.add({ path: plain.join(','), name: 'old', kind: 'vision', bytes: 1 });
  expect(old).toMatchObject({ id: plain.join(','), present: true });
  expect(await models.chosen(old.id).place()).toEqual({ gguf: plain });
  for (const gone of [commas[1]!, plain[0]!]) await rm(gone);
  expect(models.list().map(({ present }) => present)).toEqual([true, false, false]);
});

test('what is not a model is refused by name', async () => {
  const empty = await mkdtemp(join(folder, 'empty-'));
  await expect(usableModel(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'model_missing' });
  await expect(usableModel(empty)).rejects.toMatchObject({ code: 'model_missing', message: expect.stringContaining(empty) as string });
  await writeFile(join(empty, 'tokenizer.json'), await readFile(join(demoModel, 'tokenizer.json')));
  await writeFile(join(empty, 'config.json'), '{"model_type": "gpt2"}');
  await expect(usableModel(empty)).rejects.toMatchObject({
    code: 'checkpoint_unsupported',
    message: expect.stringContaining('gpt2') as string,
  });
  await writeFile(join(empty, 'config.json'), '{"model_type": "llama"}');
  const refusal = new LoupeError('file_missing', 'It has no weights.', 'Finish the download.');
  await expect(usableModel(empty, () => Promise.reject(refusal))).rejects.toMatchObject({
    code: 'file_missing',
    message: 'It has no weights.',
    nextStep: 'Finish the download.',
  });
  await expect(usableModel(folder)).rejects.toMatchObject({
    message: expect.stringMatching(/holds \d models: /) as string,
    nextStep: 'Name one of them.',
  });
});

test('files that have gone are missed when they are needed', () => {
  const store = memoryStore();
  store.models.add({ path: join(folder, 'gone'), name: 'Gone', kind: 'vision', bytes: 1 });
  const models = createModels({ store, demoModel });
  expect(models.list()[1]).toMatchObject({ present: false });
  expect(() => models.chosen(join(folder, 'gone'))).toThrow('The files of Gone are gone');
});
