import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ModelRecord, ModelStore } from '../ports.ts';
import { createModels } from './models.ts';

const demoModel = fileURLToPath(new URL('../../../resources/demo-model', import.meta.url));
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'loupe-models-'));
});
afterAll(() => rm(folder, { recursive: true }));

function memoryStore(): { models: ModelStore } {
  const records = new Map<string, ModelRecord>();
  return { models: { list: () => [...records.values()], add: (record) => void records.set(record.path, record), remove: (path) => void records.delete(path), saveCheck: () => {}, checks: () => [] } };
}

test('the demo model is there from the start', () => {
  const models = createModels({ store: memoryStore(), demoModel });
  expect(models.list()).toEqual([{ id: 'demo', name: 'Demo model', kind: 'demo', bytes: null, present: true }]);
  expect(models.chosen('demo').directory).toBe(demoModel);
});

test('a folder is added, chosen and forgotten', async () => {
  const models = createModels({ store: memoryStore(), demoModel });
  const choice = await models.add(demoModel);
  expect(choice).toMatchObject({ id: demoModel, name: 'demo-model', kind: 'vision', present: true });
  expect(choice.bytes).toBeGreaterThan(1_000_000);
  expect(models.chosen(demoModel)).toEqual({ choice, directory: demoModel });
  models.remove(demoModel);
  expect(() => models.chosen(demoModel)).toThrow('not in the list');
});

test('what is no model is refused by name', async () => {
  const models = createModels({ store: memoryStore(), demoModel });
  await expect(models.add(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'model_missing' });
  await expect(models.add(folder)).rejects.toMatchObject({ code: 'model_missing', message: expect.stringContaining('config.json') as string });
  await writeFile(join(folder, 'tokenizer.json'), await readFile(join(demoModel, 'tokenizer.json')));
  await writeFile(join(folder, 'config.json'), '{"model_type": "gpt2"}');
  await expect(models.add(folder)).rejects.toMatchObject({ code: 'checkpoint_unsupported', message: expect.stringContaining('gpt2') as string });
  await writeFile(join(folder, 'config.json'), '{"model_type": "llama"}');
  await expect(models.add(folder)).rejects.toMatchObject({ message: expect.stringContaining('.safetensors') as string });
});

test('files that have gone are missed when they are needed', async () => {
  const store = memoryStore();
  store.models.add({ path: join(folder, 'gone'), name: 'Gone', kind: 'vision', bytes: 1 });
  const models = createModels({ store, demoModel });
  expect(models.list()[1]).toMatchObject({ present: false });
  expect(() => models.chosen(join(folder, 'gone'))).toThrow('The files of Gone are gone');
});
