/**
 * Reads from the head of a GGUF file what it is and what belongs with it.
 * Only the engine knows whether it loads. The file is not trusted.
 */
import type { FileHandle } from 'node:fs/promises';
import type { GgufValue } from '../../../native-surface.ts';
import { ggufMagic } from '../../../file-type.ts';
import { LoupeError } from '../../../errors.ts';
import { openRegularFile } from '../../../regular-file.ts';

export interface GgufSummary {
  /** Metadata that is a text, a number or a truth value; lists are left out. */
  metadata: ReadonlyMap<string, string | number | boolean>;
  /** Of each tensor, outermost dimension first. */
  shapes: ReadonlyMap<string, readonly number[]>;
}

const textType = 8;
const listType = 9;
/** Bytes of a value by its type's number. */
const valueBytes: Readonly<Record<number, number>> = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 };

const most = {
  headBytes: 256 * 1024 * 1024,
  // As in native/src/weights/gguf.cpp.
  entries: 1 << 14,
  tensors: 1 << 16,
  textBytes: 1024 * 1024,
  listLength: 1 << 21,
  dimensions: 8,
};

/** Rejects with `checkpoint_header` for what is not a GGUF file, `file_truncated` where it ends inside its head. */
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

async function withReader<Result>(path: string, read: (reader: Reader) => Promise<Result>): Promise<Result> {
  const handle = await openRegularFile(path);
  try {
    const { size } = await handle.stat();
    return await read(new Reader(handle, path, size));
  } finally {
    await handle.close();
  }
}

async function begin(reader: Reader): Promise<{ tensorCount: number; entryCount: number }> {
  if ((await reader.text(4)) !== ggufMagic) throw reader.bad('is not a GGUF file');
  const version = await reader.u32();
  if (version === 0x0200_0000 || version === 0x0300_0000) throw reader.bad('is written for big-endian machines');
  if (version !== 2 && version !== 3) throw reader.bad(`is a GGUF file of version ${version}, and Loupe reads 2 and 3`);
  return { tensorCount: await reader.count(most.tensors, 'tensors'), entryCount: await reader.count(most.entries, 'entries') };
}

async function summarise(reader: Reader): Promise<GgufSummary> {
  const { tensorCount, entryCount } = await begin(reader);
  const metadata = new Map<string, string | number | boolean>();
  for (let entry = 0; entry < entryCount; entry++) {
    const key = await reader.string();
    const value = await reader.value(await reader.u32());
    if (value !== null) metadata.set(key, value);
  }
  const shapes = new Map<string, readonly number[]>();
  for (let tensor = 0; tensor < tensorCount; tensor++) {
    const name = await reader.string();
    const dimensions = await reader.u32();
    if (dimensions > most.dimensions) throw reader.bad(`gives ${name} ${dimensions} dimensions`);
    const shape: number[] = [];
    for (let dimension = 0; dimension < dimensions; dimension++) shape.unshift(await reader.count(2 ** 40, `rows of ${name}`));
    await reader.u32();
    await reader.count(2 ** 50, `offset of ${name}`);
    shapes.set(name, shape);
  }
  return { metadata, shapes };
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
    const position = this.#start + this.#at;
    if (position + bytes > this.#size)
      throw new LoupeError('file_truncated', `${this.path} ends inside its head, after ${this.#size} bytes.`);
    if (position + bytes > most.headBytes) throw this.bad('has a head larger than that of any model');
    const buffer = Buffer.alloc(Math.min(this.#size - position, Math.max(bytes, 256 * 1024)));
    const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, position);
    if (bytesRead < bytes)
      throw new LoupeError('file_truncated', `${this.path} ends inside its head, after ${position + bytesRead} bytes.`);
    this.#buffer = buffer.subarray(0, bytesRead);
    this.#start = position;
    this.#at = 0;
  }
}
