import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { catalogue, catalogueModel, parseCatalogue } from './catalogue.ts';
import { parameterCount, weightBytes } from './fit/sizes.ts';

const source = JSON.parse(readFileSync(new URL('../../../resources/models/catalogue.json', import.meta.url), 'utf8')) as {
  models: object[];
};

/** Without what a library has ready in another form. */
const published = () => catalogue().filter(({ library }) => !library);

test('every system that Loupe is for is there, once', () => {
  const repositories = published().map(({ repository }) => repository.replace('meta-llama/', ''));
  expect(repositories.toSorted()).toEqual([
    'Llama-3.1-70B-Instruct',
    'Llama-3.1-8B-Instruct',
    'Llama-3.2-11B-Vision',
    'Llama-3.2-11B-Vision-Instruct',
    'Llama-3.2-1B',
    'Llama-3.2-1B-Instruct',
    'Llama-3.2-3B',
    'Llama-3.2-3B-Instruct',
    'Llama-3.2-90B-Vision',
    'Llama-3.2-90B-Vision-Instruct',
    'Llama-3.3-70B-Instruct',
    'Llama-Guard-3-11B-Vision',
  ]);
  expect(new Set(catalogue().map(({ id }) => id)).size).toBe(catalogue().length);
});

test('sizes follow from the shapes', () => {
  for (const { id, architecture, weightBytes: stated } of published()) {
    expect({ id, bytes: stated }).toEqual({ id, bytes: 2 * parameterCount(architecture) });
    expect(weightBytes(architecture, 'bf16').total).toBe(stated);
  }
});

test('parameters are those of the model cards', () => {
  const billions = (id: string) => parameterCount(catalogueModel(id).architecture) / 1e9;
  expect(billions('llama-3.2-11b-vision-instruct')).toBeCloseTo(10.67, 2);
  expect(billions('llama-3.2-90b-vision-instruct')).toBeCloseTo(88.6, 1);
  expect(billions('llama-3.2-1b')).toBeCloseTo(1.23, 1);
  expect(billions('llama-3.2-3b')).toBeCloseTo(3.21, 2);
  expect(billions('llama-3.1-8b-instruct')).toBeCloseTo(8.03, 2);
  expect(billions('llama-3.3-70b-instruct')).toBeCloseTo(70.6, 1);
});

test('what is ready to use is as large as its form is of that shape', () => {
  const ready = catalogue().filter(({ library }) => library);
  expect(ready.map(({ id }) => id)).toEqual(['llama-3.2-11b-vision-instruct-q4']);
  for (const { architecture, weightBytes: stated, library } of ready)
    expect(Math.abs(stated / weightBytes(architecture, library!.form).total - 1)).toBeLessThan(0.03);
});

test('models of one name carry the licence of that name', () => {
  for (const { name, licence } of catalogue()) {
    const [version] = /\d\.\d/.exec(name) ?? ['3.2'];
    expect({ name, licence }).toEqual({ name, licence: `llama${version}` });
  }
});

test('what is wrong in the file is said by name', () => {
  const [first] = source.models;
  expect(() => parseCatalogue({ ...source, models: [{ ...first, text: '12B' }] })).toThrow('12B');
  expect(() => parseCatalogue({ ...source, models: [{ ...first, repository: '../elsewhere' }] })).toThrow();
  expect(() => catalogueModel('gpt')).toThrow(expect.objectContaining({ code: 'not_found' }));
});
