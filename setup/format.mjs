// `npm run fix` formats every file that git knows or would add; the checks name those that it would change. Prettier writes TypeScript,
// Svelte, CSS and JSON, clang-format C++ and shaders, ruff Python. All three come from npm, so that every machine formats alike.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { inRoot } from './paths.mjs';
import { loadRuff } from './python.mjs';
import { say, SetupError } from './report.mjs';
import { sourceFiles } from './tree.mjs';

/** @typedef {(text: string, path: string) => string | null | Promise<string | null>} Formatter null for a file that it does not format */

/** Files known to be formatted, by the hash of their text and of the configuration. */
const cachePath = inRoot('build', 'formatted.json');
const configurations = ['.prettierrc.json', '.prettierignore', '.clang-format', 'ruff.toml', 'package-lock.json'];

/**
 * Loads the formatters: what only sets up needs none of them.
 * @returns {Promise<Record<string, Formatter | undefined>>} by the ending of a file's name
 */
async function formattersByEnding() {
  const prettier = await import('prettier');
  const { format: clangFormat } = await import('@wasm-fmt/clang-format/node');
  const clangStyle = readFileSync(inRoot('.clang-format'), 'utf8');
  const ruff = await loadRuff();

  const byPrettier = async (/** @type {string} */ text, /** @type {string} */ path) => {
    const { ignored, inferredParser } = await prettier.getFileInfo(path, { ignorePath: inRoot('.prettierignore') });
    if (ignored || !inferredParser) return null;
    return prettier.format(text, { ...(await prettier.resolveConfig(path)), filepath: path });
  };
  /** @type {Formatter} */
  const byClang = (text, path) => clangFormat(text, path, clangStyle);
  // Shaders read as C++. As in shaders/.clang-format, which editors read.
  const shaderStyle = clangStyle.replace(/^SortIncludes:.*$/m, 'SortIncludes: Never');
  /** @type {Formatter} */
  const byClangAsShader = (text, path) => clangFormat(text, `${path}.cpp`, shaderStyle);
  /** @type {Formatter} */
  const byRuff = (text) => ruff.format(text);

  /** @type {[string[], Formatter][]} */
  const all = [
    [['ts', 'mjs', 'js', 'svelte', 'css', 'html', 'json', 'yml'], byPrettier],
    [['cpp', 'h'], byClang],
    [['comp', 'glsl'], byClangAsShader],
    [['py'], byRuff],
  ];
  return Object.fromEntries(all.flatMap(([endings, formatter]) => endings.map((ending) => [ending, formatter])));
}

/**
 * @param {{ write: boolean }} options whether files are changed, or only named
 * @returns {Promise<string[]>} files that were not formatted
 */
export async function formatTree({ write }) {
  const formatters = await formattersByEnding();
  const seen = readCache();
  /** @type {string[]} */
  const changed = [];
  /** @type {Record<string, true>} */
  const good = {};
  const salt = configurations.map((name) => readFileSync(inRoot(name), 'utf8')).join();
  for (const path of await sourceFiles()) {
    const formatter = formatters[path.slice(path.lastIndexOf('.') + 1)];
    if (!formatter) continue;
    const text = readFileSync(inRoot(path), 'utf8');
    const key = (/** @type {string} */ content) =>
      createHash('sha256').update(`${salt}\0${path}\0${content}`).digest('base64url').slice(0, 22);
    if (seen[key(text)]) {
      good[key(text)] = true;
      continue;
    }
    const formatted = (await formatOne(formatter, text, path)) ?? text;
    if (formatted !== text) {
      changed.push(path);
      if (!write) continue;
      writeFileSync(inRoot(path), formatted);
    }
    good[key(formatted)] = true;
  }
  mkdirSync(dirname(cachePath), { recursive: true });
  writeFileSync(cachePath, JSON.stringify(good));
  return changed;
}

/** @param {Formatter} formatter @param {string} text @param {string} path */
async function formatOne(formatter, text, path) {
  try {
    return await formatter(text, inRoot(path));
  } catch (error) {
    throw new SetupError(
      `${path} cannot be formatted: ${error instanceof Error ? error.message : String(error)}`,
      'Correct it and run again.',
    );
  }
}

/** @returns {Record<string, true>} */
function readCache() {
  try {
    return JSON.parse(readFileSync(cachePath, 'utf8'));
  } catch {
    return {};
  }
}

/** `npm run fix`. @returns {Promise<number>} exit code */
export async function fix() {
  const changed = await formatTree({ write: true });
  for (const path of changed) say(`formatted ${path}`);
  say(changed.length === 0 ? 'every file was formatted already' : `formatted ${changed.length} ${changed.length === 1 ? 'file' : 'files'}`);
  return 0;
}
