import { writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { formatBytes } from '../contract.ts';
import { dataDirectory } from '../host/paths.ts';
import type { DeviceInfo } from '../native-surface.ts';
import { writeBundle } from '../host/problems.ts';
import { LoupeError, toFailure, type Failure } from '../errors.ts';
import { kernelLines } from '../services/kernels.ts';
import type { EngineSettings, KernelRecord, Result } from '../services/ports.ts';
import type { DataReport } from '../storage/inspect.ts';
import { chooseOwnKernels } from './kernels.ts';
import { engineFlags, engineSettings, parseFlags } from './options.ts';
import { exitCodes, lineWriter, loupeVersion, type ExitCode, type Terminal } from './terminal.ts';

export const doctorHelp = `loupe doctor [--device D] [--activations f32|f16|auto] [--validation] [--data DIR] [--time-kernels] [--json] [--bundle FILE]

  Lists the devices, then tests the chosen one: every operation against plain arithmetic.
  Then reads the stored conversations (in --data, LOUPE_DATA or the usual folder) and says whether they are intact.
  Kernels that are left to a measurement on the device are timed if they were not yet; --time-kernels times them again.
  --bundle FILE writes a file for a report: versions, devices, settings and the log, with nothing of what you wrote, named or keep.
`;

interface Report {
  ok: boolean;
  versions: Record<string, string>;
  /** Null when they could not even be listed. */
  devices: DeviceInfo[] | null;
  /** What was measured to be the fastest; null where the table of devices leaves nothing open. */
  kernels: KernelRecord | null;
  test: Result<'selfTest'> | null;
  /** Null when it could not be looked at. */
  data: Omit<DataReport, 'problem'> | null;
  /** Whether pictures are decoded where nothing else can be opened: null, or why that does not hold on this system. */
  unconfinedPictures: string | null;
  /** Likewise of the engine. */
  unconfinedEngine: string | null;
  problems: Omit<Failure, 'ok'>[];
}

export async function doctor(args: string[], terminal: Terminal): Promise<ExitCode> {
  const { values, positionals } = parseFlags(args, {
    ...engineFlags,
    data: { type: 'string' },
    'time-kernels': { type: 'boolean' },
    json: { type: 'boolean' },
    bundle: { type: 'string' },
  });
  if (positionals.length > 0) terminal.err(`loupe: doctor takes no arguments; "${positionals.join(' ')}" is ignored.\n`);
  const report = await examine(engineSettings(values), values.data ?? dataDirectory(), terminal, values['time-kernels']);
  if (values.bundle !== undefined) {
    await saveBundle(values.bundle, values.data ?? dataDirectory(), report);
    terminal.err(`loupe: ${values.bundle} holds what a report needs, and nothing of yours. Read it before you send it.\n`);
  }
  if (values.json) terminal.out(`${JSON.stringify(report)}\n`);
  else print(report, lineWriter(terminal));
  return report.ok ? exitCodes.ok : exitCodes.failure;
}

async function examine(settings: EngineSettings, directory: string, terminal: Terminal, timeAgain = false): Promise<Report> {
  const problems: Report['problems'] = [];
  const orNull = async <Value>(work: Promise<Value>): Promise<Value | null> => {
    try {
      return await work;
    } catch (error) {
      const { ok: _, ...problem } = toFailure(error);
      problems.push(problem);
      return null;
    }
  };
  const client = terminal.startEngine();
  try {
    const devices = await orNull(client.devices());
    // Without devices the self-test could only repeat the complaint.
    const kernels = devices === null ? null : await orNull(chooseOwnKernels(client, settings, terminal, timeAgain, directory));
    const test = kernels && (await orNull(client.selfTest({ engine: { ...settings, kernels: kernels.values } })));
    for (const { name, ok, detail } of test?.items ?? []) {
      if (ok) continue;
      problems.push({
        code: 'device_unsuitable',
        message: `Self-test ${name} failed: ${detail}.`,
        nextStep: 'Update the graphics driver; until then choose another device with --device, or --activations f32.',
      });
    }
    if (test && test.memory.validationErrors > 0) {
      problems.push({
        code: 'internal',
        message: `The Vulkan validation layer reported ${test.memory.validationErrors} errors.`,
        nextStep: 'This is a bug in Loupe. Please report it with the output of `loupe doctor --json`.',
      });
    }
    const data = await orNull(examineData(directory, problems));
    const unconfinedPictures = await confinementOfPictures(terminal);
    const unconfinedEngine = await client.confinement().catch((error: unknown) => toFailure(error).message);
    return {
      ok: problems.length === 0,
      versions: versions(),
      devices,
      kernels: kernels?.record ?? null,
      test,
      data,
      unconfinedPictures,
      unconfinedEngine,
      problems,
    };
  } finally {
    await client.close();
  }
}

/** Throws `usage` where it cannot be written; a file that is there stays as it is. */
async function saveBundle(path: string, directory: string, { devices, data }: Report): Promise<void> {
  const { openStore } = await import('../storage/store.ts');
  let settings = null;
  if (data?.state === 'sound') {
    const store = openStore(directory);
    settings = store.settings();
    store.close();
  }
  const text = writeBundle({
    version: loupeVersion(),
    host: 'cli',
    logsDirectory: join(directory, 'logs'),
    settings,
    devices: devices?.map(plainDevice) ?? null,
  });
  try {
    writeFileSync(path, text, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    const why = code === 'EEXIST' ? 'is there already' : `cannot be written (${code})`;
    throw new LoupeError('usage', `${path} ${why}.`, 'Name another file for --bundle.');
  }
}

const plainDevice = ({ name, memoryBytes, suitable }: DeviceInfo): Pick<DeviceInfo, 'name' | 'memoryBytes' | 'suitable'> => ({
  name,
  memoryBytes,
  suitable,
});

/** Not every system has it, so its lack is no problem to report. */
async function confinementOfPictures(terminal: Terminal): Promise<string | null> {
  const pictures = terminal.startPictures();
  try {
    return await pictures.confinement();
  } catch (error) {
    return toFailure(error).message;
  } finally {
    await pictures.close();
  }
}

async function examineData(directory: string, problems: Report['problems']): Promise<Report['data']> {
  // Commands that keep nothing open no database.
  const { inspectData } = await import('../storage/inspect.ts');
  const { problem, ...data } = inspectData(directory);
  if (problem) problems.push({ code: problem.code, message: problem.message, nextStep: problem.nextStep });
  return data;
}

function versions(): Record<string, string> {
  return { loupe: loupeVersion(), node: process.versions.node, system: `${process.platform} ${process.arch} ${release()}` };
}

function print(
  { versions, devices, kernels, test, data, unconfinedPictures, unconfinedEngine, problems }: Report,
  line: (text: string) => void,
): void {
  line(`Loupe ${versions['loupe']}, Node ${versions['node']}, ${versions['system']}`);
  line('');
  line(devices === null ? 'Devices: could not be listed' : `Devices: ${devices.length}`);
  for (const device of devices ?? []) printDevice(device, test?.device.index === device.index, line);
  if (test) {
    line('');
    line('Paths');
    for (const [operation, path] of Object.entries(test.paths)) line(`  ${operation}: ${path}`);
    for (const words of kernelLines(kernels)) line(`    ${words}`);
    line('Self-test');
    for (const { name, ok, detail } of test.items) line(`  ${ok ? 'ok    ' : 'FAILED'}  ${name}${detail ? `: ${detail}` : ''}`);
    const { deviceBytes, devicePeakBytes, longestSubmissionMs } = test.memory;
    line(
      `Memory: ${formatBytes(deviceBytes)} in use, ${formatBytes(devicePeakBytes)} at most; ` +
        `longest submission ${longestSubmissionMs.toFixed(1)} ms`,
    );
  }
  if (data) {
    line('');
    line(`Data: ${data.directory}`);
    line(`  ${dataWords(data)}`);
  }
  line('');
  line(
    unconfinedPictures === null
      ? 'Pictures are decoded in a process that can open no file, socket or process.'
      : `Pictures are decoded in a process of their own, with the rights of the app (${unconfinedPictures}).`,
  );
  line(
    unconfinedEngine === null
      ? 'The engine can open no socket or process, and write nowhere but to graphics cards and caches.'
      : `The engine has rights that it does not need (${unconfinedEngine}).`,
  );
  line('');
  if (problems.length === 0) line('All is well.');
  for (const { message, nextStep } of problems) {
    line(`Problem: ${message}`);
    if (nextStep) line(`  Next step: ${nextStep}`);
  }
}

function dataWords({ state, conversations, backups }: NonNullable<Report['data']>): string {
  const kept = `${conversations ?? 'unknown'} conversations, ${backups} backups`;
  switch (state) {
    case 'none':
      return 'nothing is kept yet';
    case 'locked':
      return 'encrypted and locked, so it was not examined';
    case 'used':
      return 'in use by another Loupe, so it was not examined';
    case 'sound':
      return `sound: ${kept}`;
    case 'wrong':
      return `PROBLEM: ${kept}`;
    default:
      return state satisfies never;
  }
}

function printDevice(device: DeviceInfo, chosen: boolean, line: (text: string) => void): void {
  const { index, name, kind, driver, apiVersion, memoryBytes, budgetBytes, features } = device;
  line(`  ${index}  ${name} (${kind})${chosen ? ', chosen' : ''}`);
  line(`     driver ${driver}, Vulkan ${apiVersion}`);
  line(`     memory ${formatBytes(memoryBytes)}, free ${budgetBytes === null ? 'unknown' : formatBytes(budgetBytes)}`);
  line(
    `     limits: binding ${formatBytes(device.maxBindingBytes)}, shared memory ` +
      `${formatBytes(device.maxSharedMemoryBytes)}, subgroup ${device.subgroupSize}`,
  );
  const has = Object.entries(features)
    .filter(([, present]) => present)
    .map(([feature]) => feature);
  const lacks = Object.entries(features)
    .filter(([, present]) => !present)
    .map(([feature]) => feature);
  line(`     has: ${has.join(', ') || 'none'}`);
  if (lacks.length > 0) line(`     lacks: ${lacks.join(', ')}`);
  if (!device.suitable) line(`     cannot be used: ${device.reason}`);
}
