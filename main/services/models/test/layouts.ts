/** Copies of the demo model as people's tools write them: other names, other files, other forms. */
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { demoModel } from '../../../host/paths.ts';
import { write } from './write-model.ts';

export interface StoredTensor {
  dtype: string;
  shape: number[];
  bytes: Uint8Array;
}
export type Tensors = Map<string, StoredTensor>;

/** config.json of the demo model, with other entries. */
export function demoConfig(change: object = {}): Record<string, unknown> {
  return { ...(JSON.parse(readFileSync(join(demoModel, 'config.json'), 'utf8')) as object), ...change };
}

/** The files beside the weights, but for config.json where `files` has its own, and `without`. */
export function writeModel(folder: string, files: Record<string, string | Buffer>, without: string[] = []): string {
  mkdirSync(folder, { recursive: true });
  for (const name of [
    'config.json',
    'generation_config.json',
    'preprocessor_config.json',
    'tokenizer.json',
    'tokenizer_config.json',
    'chat_template.jinja',
  ]) {
    if (!(name in files) && !without.includes(name)) copyFileSync(join(demoModel, name), join(folder, name));
  }
  return write(folder, files);
}

export function demoTensors(): Tensors {
  const bytes = readFileSync(join(demoModel, 'model.safetensors'));
  const length = Number(bytes.readBigUInt64LE());
  const head = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const names = Object.keys(head).filter((name) => name !== '__metadata__');
  return new Map(
    names.map((name) => {
      const {
        dtype,
        shape,
        data_offsets: [begin, end],
      } = head[name]!;
      return [name, { dtype, shape, bytes: bytes.subarray(8 + length + begin, 8 + length + end) }];
    }),
  );
}

export function renamed(tensors: Tensors, rename: (name: string) => string): Tensors {
  return new Map([...tensors].map(([name, tensor]) => [rename(name), tensor]));
}

export function safetensorsOf(tensors: Tensors): Buffer {
  let offset = 0;
  const head = Object.fromEntries(
    [...tensors].map(([name, { dtype, shape, bytes }]) => {
      offset += bytes.length;
      return [name, { dtype, shape, data_offsets: [offset - bytes.length, offset] }];
    }),
  );
  const json = Buffer.from(JSON.stringify({ __metadata__: { format: 'pt' }, ...head }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, ...[...tensors.values()].map(({ bytes }) => bytes)]);
}

/** The same tensors in `names.length` files. */
export function shardsOf(tensors: Tensors, names: string[]): { files: Record<string, Buffer>; weightMap: Record<string, string> } {
  const each = Math.ceil(tensors.size / names.length);
  const parts = names.map((name, index) => [name, new Map([...tensors].slice(index * each, (index + 1) * each))] as const);
  return {
    files: Object.fromEntries(parts.map(([name, part]) => [name, safetensorsOf(part)])),
    weightMap: Object.fromEntries(parts.flatMap(([name, part]) => [...part.keys()].map((tensor) => [tensor, name] as const))),
  };
}

/** The large matrices of the text model replaced by what a quantiser stores in their place. */
export function quantisedText(
  tensors: Tensors,
  store: (name: string, rows: number, columns: number) => Record<string, StoredTensor>,
): Tensors {
  return new Map(
    [...tensors].flatMap(([name, tensor]): [string, StoredTensor][] => {
      const [rows = 0, columns = 0] = tensor.shape;
      return name.startsWith('language_model') && name.endsWith('proj.weight')
        ? Object.entries(store(name, rows, columns))
        : [[name, tensor]];
    }),
  );
}

export function zeros(dtype: string, shape: number[], elementBytes: number): StoredTensor {
  return { dtype, shape, bytes: new Uint8Array(shape.reduce((product, size) => product * size, elementBytes)) };
}

// --- GGUF ---

export interface GgufFile {
  /** Type and value as they stand in the file. */
  entries: Map<string, Buffer>;
  tensors: { name: string; dimensions: bigint[]; type: number; bytes: Uint8Array }[];
}

const alignment = 32;
const upTo = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

export function readGguf(path: string): GgufFile {
  const file = readFileSync(path);
  let at = 8;
  const u32 = (): number => file.readUInt32LE((at += 4) - 4);
  const u64 = (): bigint => file.readBigUInt64LE((at += 8) - 8);
  const text = (): string => {
    const length = Number(u64());
    return file.toString('utf8', at, (at += length));
  };
  const sizes: Record<number, number> = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 };
  const pass = (type: number): void => {
    if (type === 8) text();
    else if (type === 9) for (let element = u32(), left = u64(); left > 0n; left--) pass(element);
    else at += sizes[type]!;
  };
  const tensorCount = u64();
  const entryCount = u64();
  const entries = new Map<string, Buffer>();
  for (let entry = 0n; entry < entryCount; entry++) {
    const key = text();
    const begin = at;
    pass(u32());
    entries.set(key, file.subarray(begin, at));
  }
  const heads = Array.from({ length: Number(tensorCount) }, () => ({
    name: text(),
    dimensions: Array.from({ length: u32() }, u64),
    type: u32(),
    offset: Number(u64()),
  }));
  const data = upTo(at);
  const ends = [...heads.map(({ offset }) => offset), file.length - data].sort((a, b) => a - b);
  return {
    entries,
    tensors: heads.map(({ offset, ...head }) => ({
      ...head,
      bytes: file.subarray(data + offset, data + ends.find((end) => end > offset)!),
    })),
  };
}

export function ggufOf({ entries, tensors }: GgufFile): Buffer {
  const parts: Buffer[] = [Buffer.from('GGUF'), word(3), long(tensors.length), long(entries.size)];
  for (const [key, value] of entries) parts.push(textOf(key), value);
  let offset = 0;
  const data: Uint8Array[] = [];
  for (const { name, dimensions, type, bytes } of tensors) {
    parts.push(textOf(name), word(dimensions.length), ...dimensions.map(long), word(type), long(offset));
    data.push(bytes, new Uint8Array(upTo(bytes.length) - bytes.length));
    offset += upTo(bytes.length);
  }
  const head = Buffer.concat(parts);
  return Buffer.concat([head, Buffer.alloc(upTo(head.length) - head.length), ...data]);
}

/** With entries replaced, added, or with null left out. */
export function withEntries(file: GgufFile, change: Record<string, string | number | null>): GgufFile {
  const entries = new Map(file.entries);
  for (const [key, value] of Object.entries(change)) {
    if (value === null) entries.delete(key);
    else entries.set(key, typeof value === 'string' ? Buffer.concat([word(8), textOf(value)]) : Buffer.concat([word(4), word(value)]));
  }
  return { ...file, entries };
}

const isPicturePart = (name: string): boolean => name.startsWith('v.') || name.startsWith('mm.');

/** Text file and projector of a file that holds both. `type` null: neither says what it is. */
export function pairOf(file: GgufFile, type: string | null): { text: GgufFile; projector: GgufFile } {
  const half = (picture: boolean): GgufFile => ({
    entries: new Map([...file.entries].filter(([key]) => key === 'general.architecture' || key.includes('.vision.') === picture)),
    tensors: file.tensors.filter(({ name }) => isPicturePart(name) === picture),
  });
  const typed = (part: GgufFile, name: string): GgufFile => withEntries(part, { 'general.type': type === null ? null : name });
  return { text: typed(half(false), 'model'), projector: typed(half(true), type ?? '') };
}

/** As llama-gguf-split cuts: the first part has all entries. */
export function splitOf(file: GgufFile, count: number): GgufFile[] {
  const each = Math.ceil(file.tensors.length / count);
  return Array.from({ length: count }, (_, part) =>
    withEntries(
      { entries: part === 0 ? file.entries : new Map(), tensors: file.tensors.slice(part * each, (part + 1) * each) },
      { 'split.no': part, 'split.count': count, 'split.tensors.count': file.tensors.length },
    ),
  );
}

function word(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
}

function long(value: number | bigint): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(BigInt(value));
  return buffer;
}

function textOf(value: string): Buffer {
  return Buffer.concat([long(Buffer.byteLength(value)), Buffer.from(value)]);
}
