/**
 * What a person names as a model -> where its files are:
 *
 *   DIR                      a folder in the published layout, or one that holds GGUF files
 *   FILE.gguf                a GGUF file, whatever its name (Ollama's blobs have none)
 *   TEXT.gguf,PROJECTOR.gguf the two files of an older vision model, in any order; as a list, where names have commas
 *   STORE:NAME:TAG           a model of an Ollama models folder; also STORE:TAG where only one model has that tag
 *   NAME:TAG                 the same in this computer's own Ollama models folder
 *   a manifest file          of an Ollama models folder
 */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { fileType } from '../../../file-type.ts';
import { LoupeError } from '../../../errors.ts';
import { openRegularFile } from '../../../regular-file.ts';
import type { ModelPlace } from '../../ports.ts';
import { ggufGroups, groupOf, partsOf, type GgufGroup } from './gguf-groups.ts';
import { pathsNamed } from './model-path.ts';
import { defaultStores, isStore, modelsOf, openManifest, storeOfManifest, type StoredModel } from './ollama-store.ts';

/** `named`: one text, or each file by itself. */
export async function findModel(named: string | readonly string[]): Promise<ModelPlace> {
  const paths = typeof named === 'string' ? pathsNamed(named) : named;
  if (paths.length > 1) return { gguf: [...new Set((await Promise.all(paths.map(ggufFiles))).flat())] };
  const [only = ''] = paths;
  return placeOf(only);
}

async function placeOf(named: string): Promise<ModelPlace> {
  const path = resolve(named);
  const found = named === '' ? null : await stat(path).catch(() => null);
  if (found?.isDirectory()) return placeInFolder(path);
  if (found) return placeOfFile(path);

  const inStore = await storedModel(named);
  if (inStore) return placeInStore(inStore);
  throw new LoupeError(
    'model_missing',
    `There is no model ${named}.`,
    'Name a model folder, a .gguf file, or a model of Ollama such as llama3.2-vision:latest.',
  );
}

function placeInStore({ files, advice, stops }: StoredModel): ModelPlace {
  return { gguf: files, advice, stops };
}

async function placeInFolder(path: string): Promise<ModelPlace> {
  const names = await readdir(path);
  const gguf = names.filter((name) => name.endsWith('.gguf')).sort();
  // Repositories of GGUF files keep the original's configuration beside them.
  if (names.some((name) => name.endsWith('.safetensors')) || (names.includes('config.json') && gguf.length === 0))
    return { directory: path };
  if (await isStore(path)) {
    const models = await modelsOf(path);
    if (models.length === 1) return placeInStore(await openManifest(path, models[0]!));
    throw new LoupeError(
      'model_missing',
      `${path} is an Ollama models folder with ${listed(models)}.`,
      `Name one of them, as in ${path}:${models[0]?.name ?? 'llama3.2-vision:latest'}.`,
    );
  }
  const groups = await ggufGroups(path, names);
  if (groups.length > 1) {
    const listed = groups.map(({ files }) => basename(files[0]!)).join(', ');
    throw new LoupeError('model_missing', `${path} holds several models: ${listed}.`, 'Name one of them.');
  }
  if (groups.length === 1) return placeOfGroup(groups[0]!);
  const projectors = names.filter((name) => name.endsWith('.gguf'));
  return projectors.length > 0 ? { gguf: projectors.map((name) => join(path, name)) } : { directory: path };
}

function placeOfGroup({ files, doubt }: GgufGroup): ModelPlace {
  if (doubt) throw doubt;
  return { gguf: files };
}

async function placeOfFile(path: string): Promise<ModelPlace> {
  // Ollama's blobs have other names, and nothing beside them belongs to them.
  const folder = dirname(path);
  if (/\.gguf(\.part\d+of\d+)?$/.test(path)) return placeOfGroup(await groupOf(folder, basename(path), await readdir(folder)));
  if (await beginsLikeGguf(path)) return { gguf: [path] };
  const store = await storeOfManifest(path);
  if (store) return placeInStore(await openManifest(store.folder, store.model));
  throw new LoupeError('model_missing', `${path} is not a model: it is neither a GGUF file nor a manifest of Ollama.`);
}

/** All parts of what one of several names. */
async function ggufFiles(named: string): Promise<string[]> {
  const path = resolve(named);
  const found = await stat(path).catch(() => null);
  if (!found) throw new LoupeError('model_missing', `There is no file ${path}.`);
  if (!found.isFile() || !(await beginsLikeGguf(path))) throw new LoupeError('model_missing', `${path} is not a GGUF file.`);
  return partsOf(basename(path), await readdir(dirname(path))).map((name) => join(dirname(path), name));
}

async function beginsLikeGguf(path: string): Promise<boolean> {
  const file = await openRegularFile(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return fileType(buffer.subarray(0, bytesRead)) === 'gguf';
  } finally {
    await file.close();
  }
}

/** Null when `named` cannot be meant for a store. */
async function storedModel(named: string): Promise<StoredModel | null> {
  // A path may hold colons, too: the store is the longest beginning that is one.
  for (let colon = named.lastIndexOf(':'); colon > 0; colon = named.lastIndexOf(':', colon - 1)) {
    const store = resolve(named.slice(0, colon));
    if (await isStore(store)) return modelInStore(store, named.slice(colon + 1));
  }
  if (!/^[\w.-]+(\/[\w.-]+)*(:[\w.-]+)?$/.test(named)) return null;
  for (const store of defaultStores()) {
    if (!(await isStore(store))) continue;
    const [match] = matching(await modelsOf(store), named);
    if (match) return openManifest(store, match);
  }
  return null;
}

type ListedModel = Awaited<ReturnType<typeof modelsOf>>[number];

async function modelInStore(store: string, named: string): Promise<StoredModel> {
  const models = await modelsOf(store);
  const matches = matching(models, named);
  if (matches.length === 1) return openManifest(store, matches[0]!);
  if (matches.length > 1)
    throw new LoupeError(
      'model_missing',
      `${store} has several models with the tag ${named}: ${matches.map(({ name }) => name).join(', ')}.`,
      'Name the model, too.',
    );
  throw new LoupeError(
    'model_missing',
    `${basename(store)} has no model ${named}; it has ${listed(models)}.`,
    'Name one of these, or pull it with `ollama pull`.',
  );
}

/** Models called `named` (without a tag: `latest`), or else all with the tag `named`. */
function matching(models: ListedModel[], named: string): ListedModel[] {
  const byName = models.filter(({ name }) => name === named || name === `${named}:latest`);
  return byName.length > 0 ? byName : models.filter(({ tag }) => tag === named);
}

function listed(models: ListedModel[]): string {
  return models.length === 0 ? 'no model' : models.map(({ name }) => name).join(', ');
}
