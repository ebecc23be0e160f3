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

/**
 * How many loads may still be on their way behind an instruction: any number, unless it waits for them. RDNA4 writes the count as a
 * number in base 16, and one that waits for shared memory, too, has it in the second byte.
 * @param {string} instruction
 */
function loadsLeftAfter(instruction) {
  const older = /^s_waitcnt .*vmcnt\((\d+)\)/.exec(instruction)?.[1];
  if (older !== undefined) return Number(older);
  const [, both, number] = /^s_wait_loadcnt(_dscnt)? (0x[\da-f]+)/.exec(instruction) ?? [];
  if (number === undefined) return Infinity;
  return both ? Number(number) >> 8 : Number(number);
}

/** @param {string[]} code of a loop @returns {number} vector loads that no instruction has waited for yet, at most */
function mostOnTheirWay(code) {
  let now = 0;
  let most = 0;
  // Twice, for loads that the next round waits for.
  for (const instruction of [...code, ...code]) {
    if (/^(buffer|global)_load/.test(instruction)) now += 1;
    now = Math.min(now, loadsLeftAfter(instruction));
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

/**
 * Other instructions of the vector unit for one of the matrix unit, where there are most of those: the inner loop of a product. With
 * subgroups of 32 that is cycles. Undefined without matrix units.
 * @param {string} assembly @returns {number | undefined}
 */
export function arithmeticOfMatrices(assembly) {
  const isMatrix = (/** @type {string} */ instruction) => /^v_s?wmma/.test(instruction);
  const counts = blocksOf(assembly).map(({ code }) => ({
    matrices: code.filter(isMatrix).length,
    others: code.filter((instruction) => instruction.startsWith('v_') && !isMatrix(instruction)).length,
  }));
  const inner = counts.toSorted((a, b) => b.matrices - a.matrices)[0];
  return inner && inner.matrices > 0 ? Math.round((10 * inner.others) / inner.matrices) / 10 : undefined;
}
