/** Files in the layouts of models, with next to nothing in them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export type GgufEntry = string | number | boolean | string[] | number[];

/** A GGUF file with these entries and F16 (or other) tensors of 32 x n elements, each followed by its data. */
export function ggufBytes(
  entries: Record<string, GgufEntry>,
  tensors: { name: string; type?: number; rows?: number }[] = [{ name: 'token_embd.weight' }],
): Buffer {
  // Of 32 elements. Forms of 256 take the bytes of 8 rows together, others are not measured.
  const bytesOf: Record<number, number> = { 0: 128, 1: 64, 2: 18, 3: 20, 6: 22, 7: 24, 8: 34, 10: 84 / 8, 11: 110 / 8, 12: 18 };
  const parts: Buffer[] = [Buffer.from('GGUF'), u32(3), u64(tensors.length), u64(Object.keys(entries).length)];
  for (const [key, value] of Object.entries(entries)) parts.push(text(key), ...typed(value));
  let offset = 0;
  for (const { name, type = 1, rows = 1 } of tensors) {
    parts.push(text(name), u32(2), u64(32), u64(rows), u32(type), u64(offset));
    offset += Math.ceil(((bytesOf[type] ?? 1) * rows) / 32) * 32;
  }
  const head = Buffer.concat(parts);
  return Buffer.concat([head, Buffer.alloc((32 - (head.length % 32)) % 32), Buffer.alloc(offset)]);
}

function typed(value: GgufEntry): Buffer[] {
  if (Array.isArray(value))
    return [
      u32(9),
      u32(typeof value[0] === 'string' ? 8 : 4),
      u64(value.length),
      ...value.map((each) => (typeof each === 'string' ? text(each) : u32(each))),
    ];
  if (typeof value === 'string') return [u32(8), text(value)];
  if (typeof value === 'boolean') return [u32(7), Buffer.from([Number(value)])];
  return [u32(4), u32(value)];
}

function u32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
}

function u64(value: number): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(BigInt(value));
  return buffer;
}

function text(value: string): Buffer {
  return Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
}

export function safetensorsBytes(tensors: Record<string, { dtype?: string; bytes: number }>): Buffer {
  let offset = 0;
  const head = Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype = 'BF16', bytes }]) => {
      const begin = offset;
      offset += bytes;
      return [name, { dtype, shape: [bytes / 2], data_offsets: [begin, offset] }];
    }),
  );
  const json = Buffer.from(JSON.stringify(head));
  return Buffer.concat([u64(json.length), json, Buffer.alloc(offset)]);
}

export const visionConfig = {
  model_type: 'mllama',
  text_config: { hidden_size: 4096, num_hidden_layers: 40 },
  vision_config: { image_size: 560 },
};

export function write(folder: string, files: Record<string, string | Buffer>): string {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return folder;
}

/** A whole vision model in two files, as published. */
export function publishedFiles(config: object = visionConfig): Record<string, string | Buffer> {
  return {
    'config.json': JSON.stringify(config),
    'tokenizer.json': '{}',
    'model.safetensors.index.json': JSON.stringify({
      weight_map: { a: 'model-00001-of-00002.safetensors', b: 'model-00002-of-00002.safetensors' },
    }),
    'model-00001-of-00002.safetensors': safetensorsBytes({ a: { bytes: 100 } }),
    'model-00002-of-00002.safetensors': safetensorsBytes({ b: { bytes: 60 }, c: { dtype: 'F32', bytes: 4 } }),
  };
}
