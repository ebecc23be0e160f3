import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readSafetensors, writeSafetensors, type Tensor } from './safetensors.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'loupe-tensors-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('what is written is read again, from an aligned place', async () => {
  const path = join(folder, 'a.safetensors');
  const tensors = new Map<string, Tensor>([
    ['a', { shape: [2, 2], data: Float32Array.of(1, -2.5, 0, 3) }],
    ['empty', { shape: [0, 4], data: new Float32Array(0) }],
    ['ids', { shape: [3], data: Int32Array.of(1, -1, 7).subarray(0) }],
  ]);
  await writeSafetensors(path, tensors);
  expect(await readSafetensors(path)).toEqual(tensors);
  expect((8 + Number((await readFile(path)).readBigUInt64LE(0))) % 8).toBe(0);
});

test('shapes and sizes that disagree are refused', async () => {
  const path = join(folder, 'b.safetensors');
  await expect(writeSafetensors(path, new Map([['a', { shape: [3], data: new Float32Array(2) }]]))).rejects.toThrow('Tensor a');
  await writeSafetensors(path, new Map([['a', { shape: [2], data: new Float32Array(2) }]]));
  const bytes = await readFile(path);
  await writeFile(path, bytes.subarray(0, bytes.length - 1));
  await expect(readSafetensors(path)).rejects.toThrow('after the file');
});
