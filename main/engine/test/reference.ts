/** Comparing with the files in fixtures/reference/. */
import { expect } from 'vitest';

/** As `readSafetensors` returns it. */
interface Stored {
  shape: number[];
  data: ArrayLike<number | bigint>;
}

/** Relative L2 distance over what is stored: the whole tensor, or every step-th element of it. */
export function relativeDistance(actual: Float32Array, reference: Map<string, Stored>, name: string): number {
  const step = Number(reference.get(`${name}.step`)?.data[0] ?? 1);
  const wanted = (reference.get(name) ?? reference.get(`${name}.sample`))!.data;
  const shape = Array.from(reference.get(`${name}.shape`)?.data ?? reference.get(name)!.shape, Number);
  expect(actual.length, `elements of ${name} [${shape.join(', ')}]`).toBe(shape.reduce((product, size) => product * size, 1));
  let distance = 0;
  let norm = 0;
  for (let i = 0; i < wanted.length; i++) {
    const want = Number(wanted[i]);
    distance += (actual[i * step]! - want) ** 2;
    norm += want ** 2;
  }
  return Math.sqrt(distance / norm);
}
