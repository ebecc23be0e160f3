// Reads the machine code that AMD's compiler in Mesa shows: how many loads each loop keeps on their way.

/** @typedef {{ number: number, code: string[] }} Block */

/** @param {string} assembly @returns {Block[]} */
function blocksOf(assembly) {
  /** @type {Block[]} */
  const blocks = [];
  for (const line of assembly.split('\n')) {
    const label = /^BB(\d+):/.exec(line);
    if (label) blocks.push({ number: Number(label[1]), code: [] });
    const code = line.replace(/;.*/, '').trim();
    if (!label && code !== '' && !code.startsWith('(')) blocks.at(-1)?.code.push(code);
  }
  return blocks;
}

/** First and last block of every loop: from the target of a branch backwards to the branch. @param {Block[]} blocks */
function loopsOf(blocks) {
  const place = new Map(blocks.map(({ number }, index) => [number, index]));
  /** @type {Map<number, number>} */
  const loops = new Map();
  for (const [end, { code }] of blocks.entries())
    for (const instruction of code) {
      const target = /^s_c?branch\S*\s+BB(\d+)/.exec(instruction)?.[1];
      const begin = target === undefined ? undefined : place.get(Number(target));
      if (begin !== undefined && begin <= end) loops.set(begin, Math.max(end, loops.get(begin) ?? end));
    }
  return [...loops].toSorted(([a], [b]) => a - b);
}

/** @param {string[]} code of a loop @returns {number} vector loads that no instruction has waited for yet, at most */
function mostOnTheirWay(code) {
  let now = 0;
  let most = 0;
  // Twice, for loads that the next round waits for.
  for (const instruction of [...code, ...code]) {
    if (/^(buffer|global)_load/.test(instruction)) now += 1;
    const left = /^s_waitcnt .*vmcnt\((\d+)\)/.exec(instruction)?.[1];
    if (left !== undefined) now = Math.min(now, Number(left));
    most = Math.max(most, now);
  }
  return most;
}

/**
 * Of every loop that loads from memory, in the order of the code; what a loop inside it loads is that one's.
 * @param {string} assembly @returns {number[]}
 */
export function loadsOnTheirWay(assembly) {
  const blocks = blocksOf(assembly);
  const loops = loopsOf(blocks);
  /** @param {number} index @param {[number, number]} loop */
  const isInside = (index, [begin, end]) => loops.some(([a, z]) => a > begin && z <= end && a <= index && index <= z);
  return loops
    .map(([begin, end]) => blocks.flatMap(({ code }, i) => (begin <= i && i <= end && !isInside(i, [begin, end]) ? code : [])))
    .map(mostOnTheirWay)
    .filter((most) => most > 0);
}
