/**
 * mulberry32 (Tommy Ettinger, public domain): numbers from 0 to below 1 that depend on the seed alone, so that a failure can be
 * repeated. Neighbouring seeds give unrelated numbers. Every test, benchmark and maker of fixtures in TypeScript draws from it,
 * except where values must equal those of a program in another language.
 */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
