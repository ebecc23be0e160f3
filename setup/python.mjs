// Ruff for Python, from npm, so that neither formatting nor linting needs a Python.
import { readFileSync } from 'node:fs';
import { inRoot } from './paths.mjs';
import { sourceFiles } from './tree.mjs';

/**
 * The part of TOML that ruff.toml uses: sections, and one value a line that JSON spells alike.
 * @param {string} text @returns {Record<string, any>}
 */
export function readSettings(text) {
  /** @type {Record<string, any>} */
  const settings = {};
  let section = settings;
  for (const line of text.split('\n').map((line) => line.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    const heading = /^\[([\w-]+)\]$/.exec(line)?.[1];
    const [, key, value] = /^([\w-]+) = (.+)$/.exec(line) ?? [];
    if (heading) section = settings[heading] = {};
    else if (key && value) section[key] = readValue(line, value);
    else throw notRead(line);
  }
  return settings;
}

/** @param {string} line @param {string} value */
function readValue(line, value) {
  try {
    return JSON.parse(value);
  } catch {
    throw notRead(line);
  }
}

/** @param {string} line */
const notRead = (line) => new Error(`ruff.toml: "${line}" is neither a section nor \`key = value\` on one line.`);

/** Ruff with the settings of ruff.toml. */
export async function loadRuff() {
  const { Workspace, PositionEncoding } = await import('@astral-sh/ruff-wasm-nodejs');
  return new Workspace(readSettings(readFileSync(inRoot('ruff.toml'), 'utf8')), PositionEncoding.Utf8);
}

/** What ruff finds wrong, one line a fault: file, place, rule and why. @returns {Promise<string[]>} */
export async function lintPython() {
  const ruff = await loadRuff();
  const files = (await sourceFiles()).filter((path) => path.endsWith('.py'));
  return files.flatMap((path) => {
    /** @type {import('@astral-sh/ruff-wasm-nodejs').Diagnostic[]} */
    const faults = ruff.check(readFileSync(inRoot(path), 'utf8'));
    return faults.map(({ code, message, start_location: { row, column } }) => `${path}:${row}:${column}  ${code ?? 'syntax'}  ${message}`);
  });
}
