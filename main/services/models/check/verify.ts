/**
 * Reads a model's files from end to end and compares their checksums with those that their
 * source states: the Hub's, the names of a cache's or a store's blobs, or what they had before.
 */
import { createHash } from 'node:crypto';
import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import type { Clock, DownloadStore, FileCheck, FileChecksum, ModelStore } from '../../ports.ts';
import { openRegularFile } from '../../../regular-file.ts';
import { hashInto, withFileErrors, newHash } from '../hub/fetch-file.ts';

export interface VerifyOptions {
  model: string;
  /** Absolute. */
  files: string[];
  models: ModelStore;
  downloads: DownloadStore;
  clock: Clock;
  signal: AbortSignal;
  onBytes(done: number, total: number): void;
}

/** What a file's checksum should be; null where no source states it. */
export async function statedChecksum(file: string, downloads: DownloadStore): Promise<FileChecksum | null> {
  const record = downloads.list().find(({ directory }) => resolve(directory) === dirname(file));
  const listed = record?.files.find(({ path }) => join(resolve(record.directory), path) === file);
  if (listed) return listed.checksum;
  // Hugging Face and Ollama name large files by what is in them.
  const real = await realpath(file).catch(() => file);
  const [, ollama] = /^sha256[-:]([0-9a-f]{64})$/.exec(basename(real)) ?? [];
  const [, hub] = basename(dirname(real)) === 'blobs' ? (/^([0-9a-f]{64})$/.exec(basename(real)) ?? []) : [];
  const value = ollama ?? hub;
  return value === undefined ? null : { algorithm: 'sha256', value };
}

/** Stores and returns a finding for each file. `changed` also where a file differs from what it was when it was last read. */
export async function verifyFiles({ model, files, models, downloads, clock, signal, onBytes }: VerifyOptions): Promise<FileCheck[]> {
  const sizes = await Promise.all(files.map((file) => withFileErrors(file, () => stat(file)).then(({ size }) => size)));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const before = new Map(models.checks(model).map((check) => [check.file, check]));
  const found: FileCheck[] = [];
  let done = 0;
  for (const [index, file] of files.entries()) {
    const bytes = sizes[index]!;
    const stated = await statedChecksum(file, downloads);
    const from = done;
    const { sha256, git } = await digests(file, bytes, signal, (here) => onBytes(from + here, total));
    done += bytes;
    const previous = before.get(file);
    const right = stated ? stated.value === (stated.algorithm === 'git' ? git : sha256) : null;
    // Without a source, its earlier checksum is the next best.
    const finding = right === null ? (previous && previous.sha256 !== sha256 ? 'changed' : 'unknown') : right ? 'intact' : 'changed';
    const check: FileCheck = { model, file, bytes, sha256, finding, checkedAt: clock.now() };
    models.saveCheck(check);
    found.push(check);
    // So that other work is not delayed.
    await yieldToOthers();
  }
  return found;
}

async function digests(
  file: string,
  bytes: number,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<{ sha256: string; git: string }> {
  const handle = await openRegularFile(file);
  try {
    const sha256 = createHash('sha256');
    // Small files of a repository are named the way git does it.
    const git = bytes < 64 * 1024 * 1024 ? newHash({ algorithm: 'git', value: '' }, bytes) : null;
    const both = { update: (data: Uint8Array) => (sha256.update(data), git?.update(data)) };
    await hashInto(both, handle, signal, onBytes);
    return { sha256: sha256.digest('hex'), git: git?.digest('hex') ?? '' };
  } finally {
    await handle.close();
  }
}
