/** Models that are on this computer already, in the places where other programs keep them. They are used where they lie. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { LoupeError, toLoupeError } from '../errors.ts';
import { catalogue } from './catalogue.ts';
import { inspectFolder, inspectGguf, type Inspection } from './inspect.ts';
import { joinPaths, pathsNamed } from './model-path.ts';
import { defaultStores, isStore, modelsOf, openManifest, storeOfManifest } from './ollama-store.ts';

export type FoundSource = 'huggingface' | 'ollama' | 'lmstudio' | 'folder';

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

/** In the usual places. Places that are not there or cannot be read are passed over. */
export async function findModels({ environment = process.env, home = homedir(), signal }: FindOptions = {}): Promise<FoundModel[]> {
  const stores = environment === process.env ? defaultStores() : defaultStores(environment);
  const found = await Promise.all([
    ...huggingFaceCaches(environment, home).map((cache) => orNone(inHuggingFaceCache(cache, signal))),
    ...stores.map((store) => orNone(inOllamaStore(store, signal))),
    ...[join(home, '.lmstudio', 'models'), join(home, '.cache', 'lm-studio', 'models')].map((folder) => orNone(inFolder(folder, 'lmstudio', signal))),
  ]);
  return unique(found.flat());
}

/** At what the user names: a model, a file of one, or a folder or drive that holds some. Rejects with `not_found` where there is nothing. */
export async function findAt(path: string, { signal }: Pick<FindOptions, 'signal'> = {}): Promise<FoundModel[]> {
  const named = pathsNamed(path);
  if (named.length > 1) return [await ggufModel(named.map((part) => resolve(part)), 'folder')];
  const at = resolve(path);
  const found = await stat(at).catch(() => null);
  if (!found) throw new LoupeError('model_missing', `There is nothing at ${at}.`, 'Check the path, and whether the drive is connected.');
  if (found.isFile()) return [await inFile(at)];
  const cached = await inSnapshot(at);
  if (cached) return [cached];
  const models = (await isStore(at)) ? await inOllamaStore(at, signal) : isCache(await readdir(at)) ? await inHuggingFaceCache(at, signal) : await inFolder(at, 'folder', signal);
  if (models.length === 0) throw new LoupeError('model_missing', `No model was found in ${at}.`, 'Loupe looks for folders with config.json and *.safetensors, GGUF files, and the stores of Ollama and Hugging Face.');
  return unique(models);
}

/** HF_HUB_CACHE, else below HF_HOME, else below the user's cache. */
export function huggingFaceCaches(environment: NodeJS.ProcessEnv, home: string): string[] {
  const named = environment['HF_HUB_CACHE'] || environment['HUGGINGFACE_HUB_CACHE'];
  if (named) return [named];
  const base = environment['HF_HOME'] || join(environment['XDG_CACHE_HOME'] || join(home, '.cache'), 'huggingface');
  return [join(base, 'hub')];
}

function isCache(names: string[]): boolean {
  return names.some((name) => /^models--.+--/.test(name));
}

/** models--ORG--NAME/snapshots/COMMIT: the one that refs/main names, else the newest. */
async function inHuggingFaceCache(cache: string, signal?: AbortSignal): Promise<FoundModel[]> {
  const models: FoundModel[] = [];
  for (const entry of await readdir(cache)) {
    signal?.throwIfAborted();
    if (!cachedName(entry)) continue;
    const snapshot = await newestSnapshot(join(cache, entry));
    const found = snapshot && (await inSnapshot(snapshot).catch(() => null));
    // Of other makers' models only those that Loupe could run are of interest.
    if (found && (found.problem?.code !== 'checkpoint_unsupported' || /llama/i.test(found.name))) models.push(found);
  }
  return models;
}

function cachedName(folder: string): { owner: string; name: string } | null {
  const [, owner, name] = /^models--([^-].*?)--(.+)$/.exec(folder) ?? [];
  return owner === undefined || name === undefined ? null : { owner, name };
}

/** Null for a folder that is no snapshot of a cache. */
async function inSnapshot(snapshot: string): Promise<FoundModel | null> {
  const snapshots = dirname(snapshot);
  const named = basename(snapshots) === 'snapshots' ? cachedName(basename(dirname(snapshots))) : null;
  const inspection = named && (await inspectFolder(snapshot, named.name));
  if (!named || !inspection) return null;
  const repository = `${named.owner}/${named.name}`.toLowerCase();
  const listed = catalogue().find((model) => [model.repository, ...model.mirrors].some((known) => known.toLowerCase() === repository));
  return { ...inspection, known: listed ?? inspection.known, path: snapshot, source: 'huggingface', name: named.name };
}

async function newestSnapshot(repository: string): Promise<string | null> {
  const snapshots = join(repository, 'snapshots');
  const main = (await readFile(join(repository, 'refs', 'main'), 'utf8').catch(() => '')).trim();
  const names: string[] = await readdir(snapshots).catch(() => []);
  if (names.includes(main)) return join(snapshots, main);
  const dated = await Promise.all(names.map(async (name) => ({ name, at: (await stat(join(snapshots, name)).catch(() => null))?.mtimeMs ?? 0 })));
  const [newest] = dated.sort((a, b) => b.at - a.at);
  return newest ? join(snapshots, newest.name) : null;
}

async function inOllamaStore(store: string, signal?: AbortSignal): Promise<FoundModel[]> {
  const models: FoundModel[] = [];
  for (const listed of await modelsOf(store)) {
    signal?.throwIfAborted();
    models.push(await ollamaModel(store, listed));
  }
  // Other kinds of models live in the same store and are nobody's business here.
  return models.filter(({ problem, name }) => problem?.code !== 'checkpoint_unsupported' || /llama/i.test(name));
}

async function ollamaModel(store: string, listed: Awaited<ReturnType<typeof modelsOf>>[number]): Promise<FoundModel> {
  const place = { path: listed.manifest, source: 'ollama', name: listed.name } as const;
  try {
    const { files } = await openManifest(store, listed);
    // Ollama's names say the family; what is not base is for chatting.
    const name = /text|base/.test(listed.tag) ? listed.name : `${listed.name} instruct`;
    return { ...(await inspectGguf(files, name)), ...place };
  } catch (error) {
    const { code, message } = toLoupeError(error);
    const state = code === 'checkpoint_unsupported' ? 'unsupported' : 'incomplete';
    return { ...place, kind: 'text', format: 'gguf', precision: '', bytes: 0, deviceBytes: 0, files: [], known: null, architecture: null, problem: { state, code, message } };
  }
}

/** Model folders and GGUF files, some folders deep. Links to folders are not followed: they may go in circles. */
async function inFolder(root: string, source: FoundSource, signal?: AbortSignal): Promise<FoundModel[]> {
  const models: FoundModel[] = [];
  const waiting = [{ folder: root, depth: 0 }];
  for (let looked = 0; waiting.length > 0 && looked < mostFolders; looked++) {
    signal?.throwIfAborted();
    const { folder, depth } = waiting.shift()!;
    const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
      // The one that was named has to be readable; a locked corner below it has not.
      if (depth === 0) throw error;
      return [];
    });
    const inspection = entries.some(({ name }) => name === 'config.json') ? await inspectFolder(folder).catch(() => null) : null;
    if (inspection) {
      models.push({ ...inspection, path: folder, source, name: basename(folder) });
      continue;
    }
    for (const group of ggufGroups(entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name))) models.push(await ggufModel(group.map((name) => join(folder, name)), source));
    if (depth < deepest) waiting.push(...entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.')).map(({ name }) => ({ folder: join(folder, name), depth: depth + 1 })));
  }
  return models;
}

/** Parts of one file belong together (NAME-00001-of-00003.gguf). */
function ggufGroups(names: string[]): string[][] {
  const groups = new Map<string, string[]>();
  for (const name of names.filter((name) => name.endsWith('.gguf')).sort()) {
    const key = name.replace(/-\d{5}-of-(\d{5})\.gguf$/, '-of-$1');
    groups.set(key, [...(groups.get(key) ?? []), name]);
  }
  return [...groups.values()];
}

async function ggufModel(files: string[], source: FoundSource): Promise<FoundModel> {
  const [first = ''] = files;
  const parts = /-\d{5}-of-(\d{5})\.gguf$/.exec(first);
  const inspection = await inspectGguf(files);
  const missing = parts ? Number(parts[1]) - files.length : 0;
  return {
    ...inspection,
    ...(missing > 0 ? { problem: { state: 'incomplete', code: 'model_missing', message: `${missing} of its ${Number(parts![1])} parts are missing.` } } : {}),
    path: parts ? first : joinPaths(files),
    source,
    name: basename(first, '.gguf').replace(/-\d{5}-of-\d{5}$/, ''),
  };
}

async function inFile(path: string): Promise<FoundModel> {
  const stored = await storeOfManifest(path);
  if (stored) return ollamaModel(stored.folder, stored.model);
  if (/\.safetensors$|\.json$/.test(path)) {
    const folder = dirname(path);
    const inspection = await inspectFolder(folder);
    if (inspection) return { ...inspection, path: folder, source: 'folder', name: basename(folder) };
  }
  const parts = ggufGroups(await readdir(dirname(path))).find((group) => group.includes(basename(path)));
  return ggufModel(parts ? parts.map((name) => join(dirname(path), name)) : [path], 'folder');
}

async function orNone(search: Promise<FoundModel[]>): Promise<FoundModel[]> {
  return search.catch((error: unknown) => {
    if ((error as { code?: unknown }).code !== undefined) return [];
    throw error;
  });
}

function unique(models: FoundModel[]): FoundModel[] {
  return [...new Map(models.map((model) => [model.path, model])).values()];
}
