import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import type { KernelRecord } from '../services/ports.ts';
import { createKernelRecords, kernelRecordsFile } from './kernel-records.ts';

let folder: string;
const record: KernelRecord = {
  device: 'Card',
  driver: 'maker 1.0',
  values: { matvec_threads: 32 },
  times: [{ name: 'matvec_threads', chosen: 32, values: [{ value: 32, ms: 1.25, whyNot: '' }] }],
  measured: '2026-11-28T03:00:00.000Z',
};

beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'loupe-kernels-')), 'cache');
});

test('what was kept is found by device and driver, also by another process', () => {
  const records = createKernelRecords(folder, '1.0.0');
  expect(records.find('Card', 'maker 1.0')).toBeNull();
  records.keep(record);
  records.keep({ ...record, device: 'Other card' });
  records.keep({ ...record, values: { matvec_threads: 64 } });
  expect(createKernelRecords(folder, '1.0.0').find('Card', 'maker 1.0')).toEqual({ ...record, values: { matvec_threads: 64 } });
  expect(records.find('Card', 'maker 1.1')).toBeNull();
  records.forget('Card', 'maker 1.0');
  expect(records.find('Card', 'maker 1.0')).toBeNull();
  expect(records.find('Other card', 'maker 1.0')).not.toBeNull();
  expect(readdirSync(folder)).toEqual(['kernels.json']);
});

test('another version of Loupe measures anew', () => {
  createKernelRecords(folder, '1.0.0').keep(record);
  expect(createKernelRecords(folder, '1.0.1').find('Card', 'maker 1.0')).toBeNull();
});

test.each([
  ['nothing', ''],
  ['half a file', '{"version":"1.0.0","records":[{"dev'],
  ['a list', '[]'],
  ['values that are no numbers', JSON.stringify({ version: '1.0.0', records: [{ ...record, values: { matvec_threads: 'many' } }] })],
  ['values below zero', JSON.stringify({ version: '1.0.0', records: [{ ...record, values: { matvec_threads: -1 } }] })],
])('a file with %s counts as none, and is replaced', (_, text) => {
  const records = createKernelRecords(folder, '1.0.0');
  records.keep(record);
  writeFileSync(kernelRecordsFile(folder), text);
  expect(records.find('Card', 'maker 1.0')).toBeNull();
  records.keep(record);
  expect(records.find('Card', 'maker 1.0')).toEqual(record);
  expect(readFileSync(kernelRecordsFile(folder), 'utf8')).toContain('"version":"1.0.0"');
});

test('where it cannot be written, nothing happens', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'loupe-kernels-')), 'file');
  writeFileSync(file, 'not a folder');
  const records = createKernelRecords(join(file, 'cache'), '1.0.0');
  records.keep(record);
  expect(records.find('Card', 'maker 1.0')).toBeNull();
});
