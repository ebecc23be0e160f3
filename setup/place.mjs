// Where a checkout can be built. Loupe itself runs below any folder; CMake and Vite do not.

/** CMake reads these in the path of a source as its own language, Vite the first two as parts of an address. */
const stumblingBlocks = ['#', '?', '"', ';', '[', ']'];

/** What CMake or Vite cannot handle in this path, or null. @param {string} path @param {NodeJS.Platform} [platform] */
export function unusableIn(path, platform = process.platform) {
  if (platform !== 'win32' && path.includes('\\')) return 'a backslash';
  if (/[\r\n]/.test(path)) return 'a line break';
  return stumblingBlocks.find((character) => path.includes(character)) ?? null;
}
