/**
 * A long list in pieces. Pieces that are full stay the same arrays, so that whoever draws a list
 * that grows looks at the last piece and not at all that stands before it.
 */
export type Chunks<Value> = readonly (readonly Value[])[];

const size = 64;

export function push<Value>(chunks: Value[][], value: Value): void {
  const last = chunks.at(-1);
  if (last && last.length < size) last.push(value);
  else chunks.push([value]);
}

/** A list that goes on from here; this one stays as it is. */
export function fork<Value>(chunks: Chunks<Value>): Value[][] {
  return chunks.map((chunk, at) => (at === chunks.length - 1 ? [...chunk] : (chunk as Value[])));
}
