/** Kernels timed on the device, for the commands that measure and examine: what the app remembers, they take and renew. */
import { join } from 'node:path';
import { createKernelRecords } from '../host/kernel-records.ts';
import { dataDirectory } from '../host/paths.ts';
import { chooseKernels, type KernelChoice } from '../services/kernels.ts';
import type { Engine, EngineSettings } from '../services/ports.ts';
import { loupeVersion, type Terminal } from './terminal.ts';

/** Says what it does where it measures. `again`: also where there is a record. */
export async function chooseOwnKernels(
  engine: Pick<Engine, 'kernels'>,
  settings: EngineSettings,
  terminal: Terminal,
  again = false,
  data = dataDirectory(),
): Promise<KernelChoice> {
  const { errIsTerminal, interrupted } = terminal;
  const onProgress = (done: number, total: number): void => {
    if (errIsTerminal) terminal.err(`\r\x1b[KFinding the fastest kernels for this device, once: ${done} of ${total}`);
    else if (done === 0) terminal.err(`loupe: finding the fastest kernels for this device, once: ${total} questions\n`);
    if (errIsTerminal && done === total) terminal.err('\r\x1b[K');
  };
  const records = createKernelRecords(join(data, 'cache'), loupeVersion());
  return chooseKernels(engine, records, settings, { signal: interrupted, onProgress, again });
}
