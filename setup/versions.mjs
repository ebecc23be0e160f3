// Version numbers, as far as set-up needs them.

/**
 * The first dotted number in a text: "v24.21.0" and "cmake version 3.25.1" are [24, 21, 0] and [3, 25, 1].
 * @param {string} text @returns {number[] | undefined}
 */
export function parseVersion(text) {
  return /\d+(\.\d+)*/.exec(text)?.[0].split('.').map(Number);
}

/** Missing parts count as zero. @param {number[]} version @param {number[]} least */
export function atLeast(version, least) {
  for (let i = 0; i < Math.max(version.length, least.length); i++) {
    const difference = (version[i] ?? 0) - (least[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}
