/** Models that are on this computer already, in the places where other programs keep them. They are used in place. */
import { readdir, realpath, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { LoupeError } from '../../../errors.ts';
import { catalogue } from '../catalogue.ts';
import { ggufGroups, groupOf, type GgufGroup } from './gguf-groups.ts';
import { inspectFolder, inspectGguf, problemOf, type Inspection } from './inspect.ts';
import {
  cachedAt,
  huggingFaceCaches,
  llamaCppCache,
  lmStudioFolders,
  lookBelow,
  snapshotsOf,
  type BrokenLink,
  type Cached,
} from './model-folders.ts';
import { joinPaths, pathsNamed } from './model-path.ts';
import { defaultStores, isStore, modelsOf, openManifest, storeOfManifest } from './ollama-store.ts';

export type FoundSource = 'huggingface' | 'ollama' | 'lmstudio' | 'llamacpp' | 'folder';

export interface FoundModel extends Inspection {
  /** What names it to the engine and in the list: its folder, its file, a list of two files, or Ollama's manifest. */
  path: string;
  source: FoundSource;
  name: string;
}

export interface FindOptions {
  environment?: NodeJS.ProcessEnv;
  home?: string;
  signal?: AbortSignal;
}

/** How deep a folder that the user names is looked through. */
const deepest = 4;
const mostFolders = 5_000;

/** In the usual places. Skips places that do not exist or cannot be read, and models of other makers in them. */
export async function findModels({ environment = process.env, home = homedir(), signal }: FindOptions = {}): Promise<FoundModel[]> {
  const stores = environment === process.env ? defaultStores() : defaultStores(environment);
  const found = await Promise.all([
    ...huggingFaceCaches(environment, home).map((cache) => orNone(inHuggingFaceCache(cache, signal))),
    ...stores.map((store) => orNone(inOllamaStore(store, signal))),
    ...(await lmStudioFolders(home)).map((folder) => orNone(inFolder(folder, 'lmstudio', signal).then(ofInterest))),
    orNone(inFolder(llamaCppCache(environment, home), 'llamacpp', signal).then(ofInterest)),
  ]);
  return unique(found.flat());
}

/**
 * At what the user names: a model, a file of one, or a folder or drive that contains models.
 * Rejects with `not_found` where there is nothing.
 */
export async function findAt(path: string, { signal }: Pick<FindOptions, 'signal'> = {}): Promise<FoundModel[]> {
  const named = pathsNamed(path);
  if (named.length > 1) {
    const files = named.map((part) => resolve(part));
    return [await ggufModel({ files, doubt: null }, 'folder', /-\d{5}-of-\d{5}\.gguf$/.test(files[0]!) ? files[0] : joinPaths(files))];
  }
  const at = resolve(path);
  const found = await stat(at).catch(() => null);
  if (!found) throw new LoupeError('model_missing', `There is nothing at ${at}.`, 'Check the path, and whether the drive is connected.');
  const cached = await inCachedRepository(at, signal);
  if (cached) return cached;
  if (found.isFile()) return [await inFile(at)];
  const models = (await isStore(at))
    ? await inOllamaStore(at, signal)
    : isCache(await readdir(at))
      ? await inHuggingFaceCache(at, signal)
      : await inFolder(at, 'folder', signal);
  if (models.length === 0)
    throw new LoupeError(
      'model_missing',
      `No model was found in ${at}.`,
      'Loupe looks for folders with config.json and *.safetensors, GGUF files, and the stores of Ollama and Hugging Face.',
    );
  return unique(models);
}

function isCache(names: string[]): boolean {
  return names.some((name) => /^models--.+--/.test(name));
}

async function inHuggingFaceCache(cache: string, signal?: AbortSignal): Promise<FoundModel[]> {
  const models: FoundModel[] = [];
  for (const entry of await readdir(cache)) {
    signal?.throwIfAborted();
    const repository = cachedAt(join(cache, entry));
    if (repository) models.push(...(await inRepository(repository, signal)));
  }
  return ofInterest(models);
}

/** Of other makers' models only those that Loupe could run. */
export function ofInterest(models: FoundModel[]): FoundModel[] {
  return models.filter(
    ({ problem, name }) => !(problem?.code === 'checkpoint_unsupported' || problem?.code === 'tokenizer_invalid') || /llama/i.test(name),
  );
}

/** What a folder of a cache, a snapshot or a file in one holds; null elsewhere, and where that is not a model. */
async function inCachedRepository(at: string, signal?: AbortSignal): Promise<FoundModel[] | null> {
  const repository = cachedAt(at);
  if (!repository) return null;
  const models = await inRepository(repository, signal, repository.snapshot ? [repository.snapshot] : undefined);
  const meant = models.filter(
    ({ path, files }) => [repository.base, repository.snapshot, path].includes(at) || files.includes(at) || dirname(at) === path,
  );
  return meant.length > 0 ? meant : null;
}

/** A model in the published layout, out of the first snapshot that has it whole, or the GGUF files of all. */
async function inRepository(repository: Cached, signal?: AbortSignal, snapshots?: string[]): Promise<FoundModel[]> {
  const { owner, name } = repository;
  let published: FoundModel | null = null;
  const files = new Map<string, FoundModel>();
  for (const snapshot of snapshots ?? (await snapshotsOf(repository))) {
    for (const model of await orNone(inFolder(snapshot, 'huggingface', signal))) {
      if (model.format === 'safetensors') {
        const isMore = published && ((published.problem && !model.problem) || (published.files.length === 0 && model.files.length > 0));
        if (!published || isMore) published = { ...model, name };
        continue;
      }
      // The newest of files with the same name.
      const within = relative(snapshot, model.path);
      if (!files.has(within)) files.set(within, model);
    }
  }
  const gguf = await unique([...files.values()]);
  const listed = catalogue().find((model) =>
    [model.repository, ...model.mirrors].some((known) => known.toLowerCase() === `${owner}/${name}`.toLowerCase()),
  );
  const whole = published && (gguf.length === 0 || published.files.length > 0) ? [{ ...published, known: listed ?? published.known }] : [];
  const titled = gguf.map((model) => ({ ...model, name: gguf.length === 1 ? `${owner}/${name}` : `${owner}/${name} (${model.name})` }));
  return [...whole, ...titled];
}

async function inOllamaStore(store: string, signal?: AbortSignal): Promise<FoundModel[]> {
  const models: FoundModel[] = [];
  for (const listed of await modelsOf(store)) {
    signal?.throwIfAborted();
    models.push(await ollamaModel(store, listed));
  }
  return ofInterest(models);
}

const unknownModel = {
  kind: 'text',
  format: 'gguf',
  precision: '',
  bytes: 0,
  deviceBytes: 0,
  files: [],
  known: null,
  architecture: null,
} satisfies Partial<Inspection>;

async function ollamaModel(store: string, listed: Awaited<ReturnType<typeof modelsOf>>[number]): Promise<FoundModel> {
  const place = { path: listed.manifest, source: 'ollama', name: listed.name } as const;
  try {
    const { files } = await openManifest(store, listed);
    // Ollama's names say the family; what is not base is for chatting.
    const name = /text|base/.test(listed.tag) ? listed.name : `${listed.name} instruct`;
    return { ...(await inspectGguf(files, name)), ...place };
  } catch (error) {
    return { ...unknownModel, ...place, problem: problemOf(error) };
  }
}

/** Model folders and GGUF files, some folders deep, and links that lead nowhere where a model would be. */
async function inFolder(root: string, source: FoundSource, signal?: AbortSignal): Promise<FoundModel[]> {
  const models: FoundModel[] = [];
  await lookBelow(root, { deepest, mostFolders, signal }, async ({ folder, depth, names, broken }) => {
    const inspection = await inspectFolder(folder, folderName(folder)).catch(() => null);
    const gguf = await ggufGroups(folder, names);
    // Repositories of GGUF files keep the original's configuration beside them.
    if (inspection && (inspection.files.length > 0 || gguf.length === 0)) {
      models.push({ ...inspection, path: folder, source, name: folderName(folder) });
      return false;
    }
    for (const group of gguf) models.push(await ggufModel(group, source));
    models.push(...broken.filter(({ path }) => mayBeModel(path, depth)).map((link) => brokenModel(link, source)));
    return true;
  });
  return models;
}

/** Of a snapshot of a cache the model's, not the commit's. */
function folderName(folder: string): string {
  const cached = cachedAt(folder);
  return cached?.snapshot === folder ? cached.name : basename(folder);
}

/** Deeper down, and with the ending of another kind of file, a broken link does not suggest a model. */
function mayBeModel(path: string, depth: number): boolean {
  return /\.gguf$/i.test(path) || (depth < 2 && !/^\.|\.[a-z]{1,5}$/i.test(basename(path)));
}

function brokenModel({ path, target, circular }: BrokenLink, source: FoundSource): FoundModel {
  const message = circular
    ? 'It is a link to itself. Remove it.'
    : `It is a link to ${target}, and nothing is there. Connect the drive that it is on, or remove the link.`;
  return {
    ...unknownModel,
    path,
    source,
    name: basename(path, '.gguf'),
    problem: { state: 'incomplete', code: 'file_missing', message, nextStep: '' },
  };
}

/** Of parts the first names all, of a pair the text file: what belongs with it is found beside it again. */
async function ggufModel({ files, doubt }: GgufGroup, source: FoundSource, path = files[0] ?? ''): Promise<FoundModel> {
  const [first = ''] = files;
  const inspection = await inspectGguf(files);
  return {
    ...inspection,
    ...(doubt ? { problem: problemOf(doubt) } : {}),
    path,
    source,
    name: basename(first).replace(/(-\d{5}-of-\d{5})?\.gguf(\.part\d+of\d+)?$/, ''),
  };
}

async function inFile(path: string): Promise<FoundModel> {
  const stored = await storeOfManifest(path);
  if (stored) return ollamaModel(stored.folder, stored.model);
  if (/\.safetensors$|\.json$|\.pth$/.test(path)) {
    const folder = dirname(path);
    const inspection = await inspectFolder(folder, folderName(folder));
    if (inspection) return { ...inspection, path: folder, source: 'folder', name: folderName(folder) };
  }
  return ggufModel(await groupOf(dirname(path), basename(path), await readdir(dirname(path))), 'folder');
}

async function orNone(search: Promise<FoundModel[]>): Promise<FoundModel[]> {
  return search.catch((error: unknown) => {
    if ((error as { code?: unknown }).code !== undefined) return [];
    throw error;
  });
}

/** One of those that are the same files, by their own name where one has it; of Ollama's, which differ by more than their files, each. */
async function unique(models: FoundModel[]): Promise<FoundModel[]> {
  const found = new Map<string, FoundModel>();
  const ofOllama = new Set<string>();
  for (const model of models) {
    const { path, source, format, files } = model;
    const named = format === 'gguf' ? (files[0] ?? path) : path;
    const lies = await realpath(named).catch(() => named);
    if (source === 'ollama') {
      found.set(path, model);
      ofOllama.add(lies);
    } else if (!ofOllama.has(lies) && (!found.has(lies) || named === lies)) found.set(lies, model);
  }
  return [...found.values()];
}
