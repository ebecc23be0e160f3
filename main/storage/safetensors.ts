/**
 * Small reader and writer of safetensors files (8 bytes of header length, JSON header,
 * data): reference values in, traces out. Checkpoints are read by the native engine.
 */
import { readFile, writeFile } from 'node:fs/promises';

export interface Tensor {
  shape: number[];
  data: Float32Array | Int32Array | BigInt64Array | Float64Array;
}

const readers: Record<string, (bytes: ArrayBuffer) => Tensor['data']> = {
  F32: (bytes) => new Float32Array(bytes),
  F64: (bytes) => new Float64Array(bytes),
  I32: (bytes) => new Int32Array(bytes),
  I64: (bytes) => new BigInt64Array(bytes),
};

/** Copies every tensor out of the file; other element types than those of `Tensor` are an error. */
export async function readSafetensors(path: string): Promise<Map<string, Tensor>> {
  const file = await readFile(path);
  const headerBytes = Number(file.readBigUInt64LE(0));
  if (8 + headerBytes > file.length) throw new Error(`${path}: the header (${headerBytes} bytes) is longer than the file.`);
  const header = JSON.parse(file.toString('utf8', 8, 8 + headerBytes)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const tensors = new Map<string, Tensor>();
  for (const [
    name,
    {
      dtype,
      shape,
      data_offsets: [begin, end],
    },
  ] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const reader = readers[dtype];
    if (!reader) throw new Error(`${path}: tensor ${name} has the type ${dtype}.`);
    if (8 + headerBytes + end > file.length) throw new Error(`${path}: tensor ${name} ends after the file.`);
    const bytes = new Uint8Array(file.subarray(8 + headerBytes + begin, 8 + headerBytes + end));
    const data = reader(bytes.buffer);
    if (data.length !== shape.reduce((product, size) => product * size, 1))
      throw new Error(`${path}: tensor ${name} does not fill its shape.`);
    tensors.set(name, { shape, data });
  }
  return tensors;
}

/** Little-endian, as every machine that we run on. */
export async function writeSafetensors(path: string, tensors: Map<string, Tensor>): Promise<void> {
  const header: Record<string, unknown> = {};
  const parts: Buffer[] = [];
  let offset = 0;
  for (const [name, { shape, data }] of tensors) {
    const count = shape.reduce((product, size) => product * size, 1);
    if (count !== data.length) throw new Error(`Tensor ${name}: ${data.length} elements do not fill [${shape.join(', ')}].`);
    header[name] = { dtype: dtypeOf(data), shape, data_offsets: [offset, offset + data.byteLength] };
    parts.push(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    offset += data.byteLength;
  }
  // Readers expect data that begins at a multiple of 8; spaces may fill the header.
  const json = Buffer.from(JSON.stringify(header));
  const text = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  await writeFile(path, Buffer.concat([length, text, ...parts]));
}

function dtypeOf(data: Tensor['data']): string {
  if (data instanceof Float32Array) return 'F32';
  if (data instanceof Int32Array) return 'I32';
  return data instanceof Float64Array ? 'F64' : 'I64';
}
