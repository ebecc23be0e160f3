/**
 * The fastest of the kernels that are right for a device: measured once on it, in seconds, and remembered. Where the table of devices
 * leaves nothing open, as for processors, nothing is measured.
 */
import { toLoupeError } from '../errors.ts';
import type { Engine, EngineSettings, KernelRecord, KernelRecords, KernelValues } from './ports.ts';

export interface Choosing {
  signal?: AbortSignal | undefined;
  /** Of the questions that a measurement goes through. */
  onProgress?: (done: number, total: number) => void;
  /** Whether what is remembered is measured again. */
  again?: boolean;
}

export interface KernelChoice {
  values: KernelValues;
  /** Null where there is nothing to choose. */
  record: KernelRecord | null;
}

/**
 * Rejects with what opening the device rejects with, and with `cancelled`. What goes wrong in the measurement itself leaves the table's
 * kernels, and is not tried again with this driver: it might take the engine down each time.
 */
export async function chooseKernels(
  engine: Pick<Engine, 'kernels'>,
  records: KernelRecords,
  settings: EngineSettings,
  { signal, onProgress, again = false }: Choosing = {},
): Promise<KernelChoice> {
  const { device, questions } = await engine.kernels({ engine: settings, measure: false }, { signal });
  if (questions.length === 0) return { values: {}, record: null };
  const known = again ? null : records.find(device.name, device.driver);
  if (known) return { values: known.values, record: known };
  const begun: KernelRecord = { device: device.name, driver: device.driver, values: {}, times: [], measured: null };
  records.keep(begun);
  try {
    const { times } = await engine.kernels({ engine: settings, measure: true }, { signal, onProgress });
    const values = Object.fromEntries(times.map(({ name, chosen }) => [name, chosen]));
    const record = { ...begun, values, times, measured: new Date().toISOString() };
    records.keep(record);
    return { values, record };
  } catch (error) {
    if (toLoupeError(error).code !== 'cancelled') return { values: {}, record: begun };
    records.forget(device.name, device.driver);
    throw error;
  }
}

/** Which kernels a device has, and from what: a line for each question. */
export function kernelLines(record: KernelRecord | null): string[] {
  if (!record) return [];
  if (record.measured === null) return ['as the table of devices says: a measurement was begun and did not end'];
  const day = record.measured.slice(0, 10);
  return record.times.map(({ name, chosen, values }) => {
    const found = values.map(
      ({ value, ms, whyNot }) => `${value} ${whyNot ? `ruled out (${whyNot})` : ms > 0 ? `${ms.toFixed(2)} ms` : 'not timed'}`,
    );
    return `${name.replaceAll('_', ' ')} ${chosen}, timed ${day}: ${found.join(', ')}`;
  });
}
