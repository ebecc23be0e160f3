/** What the head of a GGUF file says of it: enough to list it, not to run it. The file is not trusted. */
import { open, type FileHandle } from 'node:fs/promises';
import type { GgufValue } from '../../engine/addon.ts';
import { LoupeError } from '../errors.ts';

export interface GgufSummary {
  /** Metadata that is a text, a number or a truth value; lists are left out. */
  metadata: ReadonlyMap<string, string | number | boolean>;
  /** Tensors of each type, by its name. */
  types: ReadonlyMap<string, number>;
  /** On the device: as in the file, but for forms that no shader reads, which become F16, and vectors, which become F32. */
  deviceBytes: number;
  /** Where the last tensor ends; a shorter file is incomplete. */
  expectedBytes: number;
  bytes: number;
}

/** Block and its bytes, by the number that files use. */
const tensorTypes: Readonly<Record<number, readonly [name: string, block: number, bytes: number]>> = {
  0: ['F32', 1, 4], 1: ['F16', 1, 2], 2: ['Q4_0', 32, 18], 3: ['Q4_1', 32, 20], 6: ['Q5_0', 32, 22], 7: ['Q5_1', 32, 24], 8: ['Q8_0', 32, 34],
  10: ['Q2_K', 256, 84], 11: ['Q3_K', 256, 110], 12: ['Q4_K', 256, 144], 13: ['Q5_K', 256, 176], 14: ['Q6_K', 256, 210], 30: ['BF16', 1, 2],
};
/** Known by name, and not read. */
const refusedTypes: Readonly<Record<number, string>> = {
  9: 'Q8_1', 15: 'Q8_K', 16: 'IQ2_XXS', 17: 'IQ2_XS', 18: 'IQ3_XXS', 19: 'IQ1_S', 20: 'IQ4_NL', 21: 'IQ3_S', 22: 'IQ2_S', 23: 'IQ4_XS',
  24: 'I8', 25: 'I16', 26: 'I32', 27: 'I64', 28: 'F64', 29: 'IQ1_M', 34: 'TQ1_0', 35: 'TQ2_0', 39: 'MXFP4',
};
/** Loupe runs them, and they take as much of the device as F16. */
const convertedTypes: readonly string[] = ['Q4_1', 'Q5_0', 'Q5_1', 'Q2_K', 'Q3_K'];

const textType = 8;
const listType = 9;
/** Bytes of a value by its type's number. */
const valueBytes: Readonly<Record<number, number>> = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 };

const most = { headBytes: 256 * 1024 * 1024, entries: 100_000, tensors: 100_000, textBytes: 1024 * 1024, listLength: 10_000_000, dimensions: 8 };

/** Rejects with `checkpoint_header` for what is no GGUF file, `file_truncated` where it ends inside its head, `checkpoint_dtype` for an unknown tensor type. */
export function readGgufSummary(path: string): Promise<GgufSummary> {
  return withReader(path, summarise);
}

/** All of the metadata, lists as well: a token list has a hundred thousand entries. Rejects as `readGgufSummary`. */
export function readGgufMetadata(path: string): Promise<ReadonlyMap<string, GgufValue>> {
  return withReader(path, async (reader) => {
    const { entryCount } = await begin(reader);
    const metadata = new Map<string, GgufValue>();
    for (let entry = 0; entry < entryCount; entry++) {
      const key = await reader.string();
      const type = await reader.u32();
      metadata.set(key, type === listType ? await reader.list() : await reader.value(type));
    }
    return metadata;
  });
}

async function withReader<Result>(path: string, read: (reader: Reader, bytes: number) => Promise<Result>): Promise<Result> {
  const handle = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    throw new LoupeError('file_missing', `${path} cannot be read (${error.code ?? error.message}).`, 'Check the permissions of the file.');
  });
  try {
    const { size } = await handle.stat();
    return await read(new Reader(handle, path, size), size);
  } finally {
    await handle.close();
  }
}

async function begin(reader: Reader): Promise<{ tensorCount: number; entryCount: number }> {
  if ((await reader.text(4)) !== 'GGUF') throw reader.bad('is no GGUF file');
  const version = await reader.u32();
  if (version !== 2 && version !== 3) throw reader.bad(`is a GGUF file of version ${version}, and Loupe reads 2 and 3`);
  return { tensorCount: await reader.count(most.tensors, 'tensors'), entryCount: await reader.count(most.entries, 'entries') };
}

async function summarise(reader: Reader, bytes: number): Promise<GgufSummary> {
  const { tensorCount, entryCount } = await begin(reader);
  const metadata = new Map<string, string | number | boolean>();
  for (let entry = 0; entry < entryCount; entry++) {
    const key = await reader.string();
    const value = await reader.value(await reader.u32());
    if (value !== null) metadata.set(key, value);
  }
  const types = new Map<string, number>();
  let end = 0;
  let deviceBytes = 0;
  for (let tensor = 0; tensor < tensorCount; tensor++) {
    const name = await reader.string();
    const dimensions = await reader.u32();
    if (dimensions > most.dimensions) throw reader.bad(`gives ${name} ${dimensions} dimensions`);
    let elements = 1;
    for (let dimension = 0; dimension < dimensions; dimension++) elements *= await reader.count(2 ** 40, `rows of ${name}`);
    const number = await reader.u32();
    const type = tensorTypes[number];
    if (!type) {
      const form = refusedTypes[number];
      throw new LoupeError('checkpoint_dtype', form ? `Its weights (${name}) are ${form}, a form that Loupe does not read.` : `${reader.path} holds ${name} in a form that Loupe does not know.`, 'Take a copy of the model in F16, Q8_0, Q4_0, Q4_K, Q5_K or Q6_K.');
    }
    const offset = await reader.count(2 ** 50, `offset of ${name}`);
    const [typeName, block, blockBytes] = type;
    types.set(typeName, (types.get(typeName) ?? 0) + 1);
    const stored = Math.ceil(elements / block) * blockBytes;
    end = Math.max(end, offset + stored);
    deviceBytes += dimensions < 2 ? elements * 4 : convertedTypes.includes(typeName) ? elements * 2 : stored;
  }
  const stated = metadata.get('general.alignment');
  const alignment = typeof stated === 'number' && stated > 0 && stated <= 65536 ? stated : 32;
  const head = tensorCount === 0 ? reader.position : Math.ceil(reader.position / alignment) * alignment;
  return { metadata, types, deviceBytes, expectedBytes: head + end, bytes };
}

/** Reads on in pieces; never more of the file than `most.headBytes`. */
class Reader {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #size: number;
  #buffer = Buffer.alloc(0);
  /** Of the file, where the buffer begins. */
  #start = 0;
  #at = 0;

  constructor(handle: FileHandle, path: string, size: number) {
    this.#handle = handle;
    this.path = path;
    this.#size = size;
  }

  get position(): number {
    return this.#start + this.#at;
  }

  bad(what: string): LoupeError {
    return new LoupeError('checkpoint_header', `${this.path} ${what}.`);
  }

  async u32(): Promise<number> {
    return (await this.#take(4)).readUInt32LE();
  }

  async count(limit: number, what: string): Promise<number> {
    const value = (await this.#take(8)).readBigUInt64LE();
    if (value > BigInt(limit)) throw this.bad(`claims ${value} ${what}`);
    return Number(value);
  }

  async text(bytes: number): Promise<string> {
    return (await this.#take(bytes)).toString('utf8');
  }

  async string(): Promise<string> {
    return this.text(await this.count(most.textBytes, 'bytes of text'));
  }

  /** Null for a list, which is skipped. */
  async value(type: number): Promise<string | number | boolean | null> {
    if (type === textType) return this.string();
    if (type === listType) {
      await this.#skipList();
      return null;
    }
    const bytes = valueBytes[type];
    if (bytes === undefined) throw this.bad(`holds a value of the unknown type ${type}`);
    const raw = await this.#take(bytes);
    switch (type) {
      case 0:
        return raw.readUInt8();
      case 1:
        return raw.readInt8();
      case 2:
        return raw.readUInt16LE();
      case 3:
        return raw.readInt16LE();
      case 4:
        return raw.readUInt32LE();
      case 5:
        return raw.readInt32LE();
      case 6:
        return raw.readFloatLE();
      case 7:
        return raw.readUInt8() !== 0;
      case 10:
        return Number(raw.readBigUInt64LE());
      case 11:
        return Number(raw.readBigInt64LE());
      default:
        return raw.readDoubleLE();
    }
  }

  /** Of texts, numbers or truth values; lists of lists are not read. */
  async list(): Promise<(string | number | boolean | null)[]> {
    const type = await this.u32();
    const length = await this.count(most.listLength, 'entries of a list');
    if (type === listType) throw this.bad('holds a list of lists');
    const values: (string | number | boolean | null)[] = [];
    for (let entry = 0; entry < length; entry++) values.push(await this.value(type));
    return values;
  }

  async #skipList(): Promise<void> {
    const type = await this.u32();
    const length = await this.count(most.listLength, 'entries of a list');
    if (type === textType) {
      for (let entry = 0; entry < length; entry++) this.#skip(await this.count(most.textBytes, 'bytes of text'));
      return;
    }
    const bytes = valueBytes[type];
    if (bytes === undefined) throw this.bad(`holds a list of the unknown type ${type}`);
    this.#skip(length * bytes);
  }

  #skip(bytes: number): void {
    this.#at += bytes;
  }

  async #take(bytes: number): Promise<Buffer> {
    if (this.#at + bytes > this.#buffer.length) await this.#fill(bytes);
    const taken = this.#buffer.subarray(this.#at, this.#at + bytes);
    this.#at += bytes;
    return taken;
  }

  async #fill(bytes: number): Promise<void> {
    const { position } = this;
    if (position + bytes > this.#size) throw new LoupeError('file_truncated', `${this.path} ends inside its head, after ${this.#size} bytes.`);
    if (position + bytes > most.headBytes) throw this.bad('has a head larger than that of any model');
    const buffer = Buffer.alloc(Math.min(this.#size - position, Math.max(bytes, 256 * 1024)));
    const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, position);
    if (bytesRead < bytes) throw new LoupeError('file_truncated', `${this.path} ends inside its head, after ${position + bytesRead} bytes.`);
    this.#buffer = buffer.subarray(0, bytesRead);
    this.#start = position;
    this.#at = 0;
  }
}
