import { expect, test } from 'vitest';
import { LoupeError } from '../errors.ts';
import { chooseKernels, kernelLines } from './kernels.ts';
import type { Engine, KernelRecord, KernelRecords } from './ports.ts';

const device = { name: 'Card', driver: 'maker 1.0' };
const questions = [{ name: 'matvec_threads', values: [64, 32] }];
const times = [
  {
    name: 'matvec_threads',
    chosen: 32,
    values: [
      { value: 64, ms: 1.5, whyNot: '' },
      { value: 32, ms: 1.25, whyNot: '' },
    ],
  },
];

/** An engine with a script, and records in memory; `asked` says what was asked of the engine. */
function scene({
  open = questions,
  driver = device.driver,
  failure,
}: { open?: typeof questions; driver?: string; failure?: LoupeError } = {}) {
  const asked: boolean[] = [];
  const list: KernelRecord[] = [];
  const records: KernelRecords = {
    find: (name, driver) => list.find((one) => one.device === name && one.driver === driver) ?? null,
    keep(record) {
      records.forget(record.device, record.driver);
      list.push(record);
    },
    forget(name, driver) {
      const at = list.findIndex((one) => one.device === name && one.driver === driver);
      if (at >= 0) list.splice(at, 1);
    },
  };
  const engine = {
    async kernels({ measure }: { measure: boolean }, { onProgress }: { onProgress?: (done: number, total: number) => void } = {}) {
      asked.push(measure);
      if (measure && failure) throw failure;
      if (measure) onProgress?.(1, 1);
      return { device: { ...device, driver }, questions: open, times: measure ? times : [] };
    },
  } as unknown as Pick<Engine, 'kernels'>;
  return { engine, records, list, asked };
}

test('a device is measured when it is used first, and never again', async () => {
  const { engine, records, asked, list } = scene();
  const progress: number[][] = [];
  const first = await chooseKernels(engine, records, {}, { onProgress: (...step) => void progress.push(step) });
  expect(first.values).toEqual({ matvec_threads: 32 });
  expect(progress).toEqual([[1, 1]]);
  expect(list).toEqual([{ device: 'Card', driver: 'maker 1.0', values: { matvec_threads: 32 }, times, measured: expect.any(String) }]);
  expect(await chooseKernels(engine, records, {})).toEqual(first);
  expect(asked).toEqual([false, true, false]);
});

test('where nothing is left open nothing is measured', async () => {
  const { engine, records, asked, list } = scene({ open: [] });
  expect(await chooseKernels(engine, records, {})).toEqual({ values: {}, record: null });
  expect(asked).toEqual([false]);
  expect(list).toEqual([]);
});

test('another driver is measured anew', async () => {
  const { engine, records } = scene();
  await chooseKernels(engine, records, {});
  const newer = scene({ driver: 'maker 2.0' });
  await chooseKernels(newer.engine, records, {});
  expect(newer.asked).toEqual([false, true]);
});

test('what was cancelled is measured the next time', async () => {
  const { engine, records, list } = scene({ failure: new LoupeError('cancelled', 'The request was cancelled.') });
  await expect(chooseKernels(engine, records, {})).rejects.toMatchObject({ code: 'cancelled' });
  expect(list).toEqual([]);
});

test('a measurement that takes the engine down leaves the kernels of the table, and is not tried again', async () => {
  const { engine, records, asked, list } = scene({ failure: new LoupeError('engine_crashed', 'The engine stopped.') });
  expect((await chooseKernels(engine, records, {})).values).toEqual({});
  expect(list).toMatchObject([{ values: {}, measured: null }]);
  const again = await chooseKernels(engine, records, {});
  expect(again.values).toEqual({});
  expect(asked).toEqual([false, true, false]);
  expect(kernelLines(again.record)).toEqual(['as the table of devices says: a measurement was begun and did not end']);
});

test('a record can be made again', async () => {
  const { engine, records, asked } = scene();
  records.keep({ device: 'Card', driver: 'maker 1.0', values: { matvec_threads: 64 }, times: [], measured: '2026-01-01T00:00:00Z' });
  expect((await chooseKernels(engine, records, {})).values).toEqual({ matvec_threads: 64 });
  expect((await chooseKernels(engine, records, {}, { again: true })).values).toEqual({ matvec_threads: 32 });
  expect(asked).toEqual([false, false, true]);
});

test('a line says what was chosen, and from what', () => {
  const [time] = times;
  const values = [...time!.values, { value: 128, ms: 0, whyNot: '' }, { value: 7, ms: 0, whyNot: 'it computes something else' }];
  const record = { ...device, device: 'Card', values: {}, times: [{ ...time!, values }], measured: '2026-11-28T03:00:00Z' };
  expect(kernelLines(record)).toEqual([
    'matvec threads 32, timed 2026-11-28: 64 1.50 ms, 32 1.25 ms, 128 not timed, 7 ruled out (it computes something else)',
  ]);
  expect(kernelLines(null)).toEqual([]);
});
