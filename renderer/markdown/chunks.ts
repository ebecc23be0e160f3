/**
 * A long list in pieces. Pieces that came out as before stay the same arrays, so that whoever draws a list
 * that grows looks at the last piece and not at all that stands before it.
 */
export type Chunks<Value> = readonly (readonly Value[])[];

const size = 64;

export function push<Value>(chunks: Value[][], value: Value): void {
  const last = chunks.at(-1);
  if (last && last.length < size) last.push(value);
  else chunks.push([value]);
}

/** `now`, with every part of it that is equal to the one before taken from there. */
export function keep<Value>(before: unknown, now: Value): Value {
  if (typeof now !== 'object' || now === null || typeof before !== 'object' || before === null) return now;
  const [old, parts] = [before as Record<string, unknown>, now as Record<string, unknown>];
  const names = Object.keys(parts);
  let equal = names.length === Object.keys(old).length;
  for (const name of names) {
    parts[name] = keep(old[name], parts[name]);
    equal &&= parts[name] === old[name];
  }
  return equal ? (before as Value) : now;
}
