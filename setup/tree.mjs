// The files of this checkout, and what each of them reads: what need not be checked again follows from that.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, posix } from 'node:path';
import { capture } from './exec.mjs';
import { inRoot, root } from './paths.mjs';
import { SetupError } from './report.mjs';

/** The files that git has, or would add, and that are there. Paths are relative to the root, with slashes. @returns {Promise<string[]>} */
export async function sourceFiles() {
  const { code, stdout } = await capture('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], { cwd: root });
  if (code !== 0)
    throw new SetupError('git cannot list the files of this checkout.', 'Run inside a clone of the repository, with git installed.');
  return [...new Set(stdout.split('\0'))].filter((path) => path !== '' && statSync(inRoot(path), { throwIfNoEntry: false })?.isFile());
}

const isCode = /\.(ts|mjs|cjs|js|svelte)$/;
/** What every check depends on, whatever file it looks at. */
const isShared = /^(package-lock\.json|(.+\/)?tsconfig\.json|(renderer\/svelte|vitest)\.config\.(js|ts))$/;

/**
 * The files that a source names: imports, and quoted paths relative to it or to the root, such as those of workers and fixtures.
 * A path that continues with a placeholder, and a folder, stand for every file below.
 * @param {string} path @param {string} text @param {(name: string) => string[]} filesAt the file of that name, or the files of that folder
 */
export function filesNamedIn(path, text, filesAt) {
  const named = new Set();
  for (const [, , quoted = ''] of text.matchAll(/(['"`])([\w@.][^'"`\n]*)\1/g)) {
    if (!quoted.includes('/') && !quoted.includes('.')) continue;
    const end = quoted.indexOf('${');
    const literal = end < 0 ? quoted : quoted.slice(0, quoted.lastIndexOf('/', end) + 1);
    // That a source names its own folder does not say what it reads.
    if (literal === '' || /^[./]*$/.test(literal)) continue;
    const candidates = literal.startsWith('.')
      ? [posix.join(posix.dirname(path), literal)]
      : [literal, posix.join(posix.dirname(path), literal)];
    for (const name of candidates) for (const file of filesAt(posix.normalize(name).replace(/\/$/, ''))) named.add(file);
  }
  named.delete(path);
  return [...named];
}

/**
 * @typedef {object} Tree
 * @property {string[]} files
 * @property {(paths: string[]) => string} content changes with the files
 * @property {(paths: string[]) => string} everything changes with the files and with whatever they read, directly or not
 */

/** @returns {Promise<Tree>} */
export async function readTree() {
  const files = await sourceFiles();
  const known = new Set(files);
  /** @type {Map<string, string[]>} */
  const folders = new Map();
  for (const file of files) {
    for (let folder = posix.dirname(file); folder.includes('/') || folder !== '.'; folder = posix.dirname(folder)) {
      const below = folders.get(folder);
      if (below) below.push(file);
      else folders.set(folder, [file]);
    }
  }
  const filesAt = (/** @type {string} */ name) => (known.has(name) ? [name] : (folders.get(name) ?? []));

  /** @type {Map<string, { print: string, reads: string[] }>} */
  const seen = new Map();
  const look = (/** @type {string} */ path) => {
    let found = seen.get(path);
    if (!found) {
      found = describe(path, filesAt);
      seen.set(path, found);
    }
    return found;
  };
  const shared = hash([process.version, ...files.filter((path) => isShared.test(path)).map((path) => look(path).print)]);

  return {
    files,
    content: (paths) => hash([shared, ...paths.map((path) => look(path).print)]),
    everything(paths) {
      const reached = new Set(paths);
      // Iterating over a set also reaches what is added meanwhile.
      for (const path of reached) for (const read of look(path).reads) reached.add(read);
      return hash([shared, ...paths, ...[...reached].sort().map((path) => look(path).print)]);
    },
  };
}

/** Larger files are data, known by their time and size: git gives every file that it changes a new time. */
const mostHashed = 1_000_000;

/** @param {string} path @param {(name: string) => string[]} filesAt */
function describe(path, filesAt) {
  const { mtimeMs, size } = statSync(inRoot(path));
  if (size > mostHashed) return { print: `${path} ${mtimeMs} ${size}`, reads: [] };
  const bytes = readFileSync(inRoot(path));
  const print = `${path} ${hash([bytes])}`;
  return { print, reads: isCode.test(path) ? filesNamedIn(path, bytes.toString(), filesAt) : [] };
}

/** @param {(string | Buffer)[]} parts */
function hash(parts) {
  const sha = createHash('sha256');
  for (const part of parts) sha.update(part).update('\n');
  return sha.digest('base64url').slice(0, 22);
}

/** Checks that have passed, by what they read; kept in build/checked/. */
export class Passed {
  #path;
  /** @type {Set<string>} */
  #before;
  /** @type {Set<string>} */
  #now = new Set();

  /** @param {string} name */
  constructor(name) {
    this.#path = inRoot('build', 'checked', `${name}.json`);
    this.#before = new Set(readKeys(this.#path));
  }

  /** @param {string} key */
  has(key) {
    const has = this.#before.has(key);
    if (has) this.#now.add(key);
    return has;
  }

  /** @param {string} key */
  add(key) {
    this.#now.add(key);
  }

  /** Keeps what was asked for or added: the rest belongs to files that no longer exist. */
  save() {
    mkdirSync(dirname(this.#path), { recursive: true });
    writeFileSync(this.#path, JSON.stringify([...this.#now]));
  }
}

/** @param {string} path @returns {string[]} */
function readKeys(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return [];
  }
}
