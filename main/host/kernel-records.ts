/**
 * Which kernels were measured to be the fastest on the devices of this computer: a small file beside the compiled pipelines. What is
 * damaged in it, or was written by another version, counts as not measured.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { makeFolderSync } from '../make-folder.ts';
import type { KernelRecord, KernelRecords } from '../services/ports.ts';

const number = v.pipe(v.number(), v.finite());
const whole = v.pipe(number, v.integer(), v.minValue(0));
const fileOf = v.object({
  version: v.string(),
  records: v.array(
    v.object({
      device: v.string(),
      driver: v.string(),
      values: v.record(v.string(), whole),
      times: v.array(
        v.object({
          name: v.string(),
          chosen: whole,
          values: v.array(v.object({ value: whole, ms: number, whyNot: v.string() })),
        }),
      ),
      measured: v.nullable(v.string()),
    }),
  ),
});

export const kernelRecordsFile = (cacheDirectory: string): string => join(cacheDirectory, 'kernels.json');

/** @param version of Loupe */
export function createKernelRecords(cacheDirectory: string, version: string): KernelRecords {
  const path = kernelRecordsFile(cacheDirectory);
  const isOf = (device: string, driver: string) => (record: KernelRecord) => record.device === device && record.driver === driver;

  /** Read each time: the command line and the app share it. */
  function read(): KernelRecord[] {
    try {
      const file = v.parse(fileOf, JSON.parse(readFileSync(path, 'utf8')));
      return file.version === version ? file.records : [];
    } catch {
      return [];
    }
  }

  function write(records: KernelRecord[]): void {
    try {
      makeFolderSync(dirname(path), 0o700);
      const part = `${path}.${process.pid}.part`;
      writeFileSync(part, `${JSON.stringify({ version, records })}\n`, { mode: 0o600 });
      renameSync(part, path);
    } catch {
      // A full or locked disk: then it is measured again.
    }
  }

  return {
    find: (device, driver) => read().find(isOf(device, driver)) ?? null,
    keep: (record) => write([...read().filter((one) => !isOf(record.device, record.driver)(one)), record]),
    forget: (device, driver) => write(read().filter((one) => !isOf(device, driver)(one))),
  };
}
