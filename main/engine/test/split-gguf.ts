/** Cuts a GGUF file into parts as llama.cpp's gguf-split does: all entries in the first, and in the others only which part they are. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const alignment = 32;
const sizes: Record<number, number> = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 };
const [uint16, int32] = [2, 5];
const [text, list] = [8, 9];

interface Tensor {
  /** Its description up to the offset. */
  head: Buffer;
  data: Buffer;
}

/** `emptyFirst`: no tensor in the first part, as with --no-tensor-first-split. Returns the parts' paths. */
export function splitGguf(source: string, folder: string, stem: string, parts: number, emptyFirst = false): string[] {
  const { entries, count, tensors } = readGguf(readFileSync(source));
  const filled = emptyFirst ? parts - 1 : parts;
  const each = Math.ceil(tensors.length / filled);
  const groups = Array.from({ length: filled }, (_, index) => tensors.slice(index * each, (index + 1) * each));
  if (emptyFirst) groups.unshift([]);
  return groups.map((group, index) => {
    const own = [
      entry('split.no', uint16, index),
      entry('split.count', uint16, parts),
      entry('split.tensors.count', int32, tensors.length),
    ];
    const path = join(folder, `${stem}-${padded(index + 1)}-of-${padded(parts)}.gguf`);
    writeFileSync(path, part(index === 0 ? [entries, ...own] : own, (index === 0 ? count : 0) + own.length, group));
    return path;
  });
}

function readGguf(file: Buffer): { entries: Buffer; count: number; tensors: Tensor[] } {
  const [tensorCount, count] = [Number(file.readBigUInt64LE(8)), Number(file.readBigUInt64LE(16))];
  let at = 24;
  const skipText = (): void => void (at += 8 + Number(file.readBigUInt64LE(at)));
  const skipValue = (type: number): void => {
    if (type === text) skipText();
    else if (type === list) {
      const [of, length] = [file.readUInt32LE(at), Number(file.readBigUInt64LE(at + 4))];
      at += 12;
      for (let index = 0; index < length; index++) skipValue(of);
    } else at += sizes[type]!;
  };
  for (let index = 0; index < count; index++) {
    skipText();
    at += 4;
    skipValue(file.readUInt32LE(at - 4));
  }
  const entries = file.subarray(24, at);
  const heads: { head: Buffer; offset: number }[] = [];
  for (let index = 0; index < tensorCount; index++) {
    const from = at;
    skipText();
    at += 4 + 8 * file.readUInt32LE(at) + 4;
    heads.push({ head: file.subarray(from, at), offset: Number(file.readBigUInt64LE(at)) });
    at += 8;
  }
  const base = Math.ceil(at / alignment) * alignment;
  const offsets = heads
    .map(({ offset }) => offset)
    .concat(file.length - base)
    .sort((a, b) => a - b);
  const tensors = heads.map(({ head, offset }) => ({
    head,
    data: file.subarray(base + offset, base + offsets[offsets.indexOf(offset) + 1]!),
  }));
  return { entries, count, tensors };
}

function part(entries: Buffer[], count: number, tensors: Tensor[]): Buffer {
  const head = Buffer.alloc(24);
  head.write('GGUF');
  head.writeUInt32LE(3, 4);
  head.writeBigUInt64LE(BigInt(tensors.length), 8);
  head.writeBigUInt64LE(BigInt(count), 16);
  let offset = 0;
  const described = tensors.flatMap(({ head: description, data }) => {
    const place = Buffer.alloc(8);
    place.writeBigUInt64LE(BigInt(offset));
    offset += Math.ceil(data.length / alignment) * alignment;
    return [description, place];
  });
  const all = Buffer.concat([head, ...entries, ...described]);
  return Buffer.concat([aligned(all), ...tensors.map(({ data }) => aligned(data))]);
}

function entry(key: string, type: typeof uint16 | typeof int32, value: number): Buffer {
  const name = Buffer.from(key);
  const bytes = Buffer.alloc(8 + name.length + 4 + sizes[type]!);
  bytes.writeBigUInt64LE(BigInt(name.length));
  name.copy(bytes, 8);
  bytes.writeUInt32LE(type, 8 + name.length);
  bytes.writeIntLE(value, 12 + name.length, sizes[type]!);
  return bytes;
}

function aligned(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((alignment - (bytes.length % alignment)) % alignment)]);
}

function padded(index: number): string {
  return String(index).padStart(5, '0');
}
