// Stamps: a step is skipped while the fingerprint of what it reads is the one it wrote down.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * Path, modification time and size of every file under the folders, sorted by path. Contents are not read: this
 * runs before every start. A folder that is missing counts as empty.
 * @param {string} base @param {string[]} folders relative to base
 */
export function listFiles(base, folders) {
  return folders.flatMap((folder) => filesUnder(base, folder)).sort();
}

/** @param {string} base @param {string} folder @returns {string[]} */
function filesUnder(base, folder) {
  let entries;
  try {
    entries = readdirSync(join(base, folder), { withFileTypes: true });
  } catch {
    return [];
  }
  return entries.flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory() ? filesUnder(base, path) : [describeFile(base, path)];
  });
}

/**
 * One line for one file; a missing file has a line too, so that its appearance changes the fingerprint.
 * @param {string} base
 * @param {string} path
 */
export function describeFile(base, path) {
  const stats = statSync(join(base, path), { throwIfNoEntry: false });
  return stats ? `${path} ${stats.mtimeMs} ${stats.size}` : `${path} missing`;
}

/** @param {string[]} lines */
export function fingerprint(lines) {
  return createHash('sha256').update(lines.join('\n')).digest('hex');
}

/** @param {string} stamp path of the stamp file @param {string} print */
export function isCurrent(stamp, print) {
  try {
    return readFileSync(stamp, 'utf8') === print;
  } catch {
    return false;
  }
}

/** @param {string} stamp @param {string} print */
export function writeStamp(stamp, print) {
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, print);
}

/** To be called before a step changes what the stamp vouches for. @param {string} stamp */
export function removeStamp(stamp) {
  rmSync(stamp, { force: true });
}
