/** Folders that hold models, links among them, and where other programs keep theirs. */
import { readdir, readlink, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { parseJsonObject } from '../../../json.ts';
import { textOf } from '../../../regular-file.ts';

/** Of another program: a path or the name of a commit, and its settings. */
const mostPointerBytes = 64 * 1024;
const mostSettingsBytes = 4 * 1024 * 1024;

/** A link that leads nowhere. */
export interface BrokenLink {
  path: string;
  /** As the link says it. */
  target: string;
  circular: boolean;
}

export interface SeenFolder {
  folder: string;
  /** Below the root. */
  depth: number;
  /** Files, and links to files. */
  names: string[];
  broken: BrokenLink[];
}

export interface LookOptions {
  deepest: number;
  mostFolders: number;
  signal?: AbortSignal | undefined;
}

interface Waiting {
  folder: string;
  depth: number;
}

/**
 * Shows `visit` the root and the folders below it that are not hidden, the root first; where it returns false, nothing below is
 * visited. Links to folders are followed, also out of the root, after everything below it: so each place is seen
 * once and by its own name where it has one here, and cycles end. Rejects where the root cannot be read; a locked corner below it is
 * passed over.
 */
export async function lookBelow(
  root: string,
  { deepest, mostFolders, signal }: LookOptions,
  visit: (seen: SeenFolder) => Promise<boolean>,
): Promise<void> {
  const own: Waiting[] = [{ folder: root, depth: 0 }];
  const linked: Waiting[] = [];
  const seen = new Set<string>();
  const rootLies = await realpath(root).catch(() => root);
  for (let looked = 0; looked < mostFolders; looked++) {
    const next = own.shift() ?? linked.shift();
    if (!next) return;
    signal?.throwIfAborted();
    const { folder, depth } = next;
    const real = await realpath(folder).catch(() => folder);
    // A link upwards leads outside of what was meant.
    if (seen.has(real) || rootLies.startsWith(join(real, sep))) continue;
    seen.add(real);
    const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
      if (depth === 0) throw error;
      return [];
    });
    const here: SeenFolder = { folder, depth, names: [], broken: [] };
    const below: Waiting[] = [];
    const links: Waiting[] = [];
    for (const entry of entries) {
      const path = join(folder, entry.name);
      const inside = { folder: path, depth: depth + 1 };
      if (entry.isSymbolicLink()) {
        const target = await targetOf(path);
        if (target === 'folder') links.push(inside);
        else if (target === 'file') here.names.push(entry.name);
        else if (target) here.broken.push(target);
      } else if (!entry.isDirectory()) here.names.push(entry.name);
      else if (!entry.name.startsWith('.')) below.push(inside);
    }
    if (!(await visit(here)) || depth === deepest) continue;
    own.push(...below);
    linked.push(...links.filter(({ folder: link }) => !basename(link).startsWith('.')));
  }
}

/** Null for what exists but cannot be read. */
async function targetOf(link: string): Promise<'folder' | 'file' | BrokenLink | null> {
  try {
    return (await stat(link)).isDirectory() ? 'folder' : 'file';
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ELOOP') return null;
    return { path: link, target: await readlink(link).catch(() => ''), circular: code === 'ELOOP' };
  }
}

/** HF_HUB_CACHE, else below HF_HOME, else below the user's cache. */
export function huggingFaceCaches(environment: NodeJS.ProcessEnv, home: string): string[] {
  const named = environment['HF_HUB_CACHE'] || environment['HUGGINGFACE_HUB_CACHE'];
  if (named) return [named];
  const base = environment['HF_HOME'] || join(environment['XDG_CACHE_HOME'] || join(home, '.cache'), 'huggingface');
  return [join(base, 'hub')];
}

/** The usual places, the place that its pointer names where it was moved, and the folder that its settings name. */
export async function lmStudioFolders(home: string): Promise<string[]> {
  const pointer = (await textOf(join(home, '.lmstudio-home-pointer'), { mostBytes: mostPointerBytes }))?.trim();
  const bases = [...new Set([...(pointer ? [resolve(pointer)] : []), join(home, '.lmstudio'), join(home, '.cache', 'lm-studio')])];
  const named = await Promise.all(bases.map((base) => folderInSettings(join(base, 'settings.json'))));
  return [...new Set([...named.filter((folder) => folder !== null), ...bases.map((base) => join(base, 'models'))])];
}

async function folderInSettings(path: string): Promise<string | null> {
  const folder = parseJsonObject((await textOf(path, { mostBytes: mostSettingsBytes })) ?? '')?.['downloadsFolder'];
  return typeof folder === 'string' && folder !== '' ? folder : null;
}

/** LLAMA_CACHE, else where the system keeps caches. */
export function llamaCppCache(environment: NodeJS.ProcessEnv, home: string, platform: NodeJS.Platform = process.platform): string {
  const named = environment['LLAMA_CACHE'];
  if (named) return named;
  if (platform === 'win32') return join(environment['LOCALAPPDATA'] || join(home, 'AppData', 'Local'), 'llama.cpp');
  if (platform === 'darwin') return join(home, 'Library', 'Caches', 'llama.cpp');
  return join(environment['XDG_CACHE_HOME'] || join(home, '.cache'), 'llama.cpp');
}

/** A repository in a cache of Hugging Face: models--OWNER--NAME/snapshots/COMMIT. */
export interface Cached {
  /** Its folder in the cache. */
  base: string;
  owner: string;
  name: string;
}

/** The repository that a folder of a cache, a snapshot or something in one belongs to. Null elsewhere. */
export function cachedAt(path: string): (Cached & { snapshot: string | null }) | null {
  let snapshot: string | null = null;
  for (let at = path; ; at = dirname(at)) {
    const [, owner, name] = /^models--([^-].*?)--(.+)$/.exec(basename(at)) ?? [];
    if (owner !== undefined && name !== undefined) return at === path || snapshot !== null ? { base: at, owner, name, snapshot } : null;
    if (basename(dirname(at)) === 'snapshots') snapshot = at;
    if (at === dirname(at)) return null;
  }
}

/** Of a repository, the one that refs/main names first, then from the newest. Where files were fetched one by one, each may hold one. */
export async function snapshotsOf({ base }: Pick<Cached, 'base'>): Promise<string[]> {
  const snapshots = join(base, 'snapshots');
  const main = (await textOf(join(base, 'refs', 'main'), { mostBytes: mostPointerBytes }))?.trim();
  const names: string[] = await readdir(snapshots).catch(() => []);
  const dated = await Promise.all(
    names.map(async (name) => ({ name, at: (await stat(join(snapshots, name)).catch(() => null))?.mtimeMs ?? 0 })),
  );
  return dated.sort((a, b) => Number(b.name === main) - Number(a.name === main) || b.at - a.at).map(({ name }) => join(snapshots, name));
}
