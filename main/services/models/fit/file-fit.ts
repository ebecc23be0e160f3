/** How models would run on this computer's devices. */
import type { CatalogueEntry, FileFit } from '../../../contract.ts';
import { toFailure, type Failure } from '../../../errors.ts';
import type { Engine, Store } from '../../ports.ts';
import type { CatalogueModel } from '../catalogue.ts';
import { quantisedForms } from '../quantise.ts';
import { adviceFor, deviceBudget, fitFiles, recommend, usualContext, type FitDevice } from './fit.ts';
import type { Architecture } from './sizes.ts';

export interface Machine {
  devices: Engine['devices'];
  settings: Store['settings'];
  /** Of the computer. */
  hostMemoryBytes: number;
}

/** What is known of files that are here. */
export interface WeightFiles {
  format: 'safetensors' | 'gguf';
  architecture: Architecture | null;
  /** Of most weights: "BF16", "Q4_K". */
  precision: string;
  /** On a device; 0 where it is not known. */
  deviceBytes: number;
}

/** Of suitable devices, the one that is used first before the others; none and why where they cannot be listed. */
export async function usableDevices({ devices, settings }: Machine): Promise<{ devices: FitDevice[]; failure: Failure | null }> {
  try {
    const suitable = (await devices()).filter((device) => device.suitable);
    return { devices: inOrder(suitable, settings()), failure: null };
  } catch (error) {
    return { devices: [], failure: toFailure(error) };
  }
}

/** How a model of the catalogue would run on each device, in every form of its weights, or in the one that there is. */
export function catalogueFits({ architecture, library }: CatalogueModel, devices: FitDevice[], machine: Machine): CatalogueEntry['fits'] {
  const context = contextOf(machine);
  return devices.map((device) => {
    const request = { architecture, context, device, host: { memoryBytes: machine.hostMemoryBytes } };
    const { recommended, all } = recommend(request, library && [library.form]);
    return {
      device: device.name,
      recommended: recommended?.quantisation ?? null,
      all: all.map(({ quantisation, outcome, reason, tokensPerSecond, totalBytes }) => ({
        quantisation,
        outcome,
        reason,
        tokensPerSecond,
        totalBytes,
      })),
    };
  });
}

/** How files that are here would run on the device that is used first; null where it is not known. */
export async function fileFit(
  { architecture, precision, deviceBytes: bytes, format }: WeightFiles,
  machine: Machine,
): Promise<FileFit | null> {
  const [device] = (await usableDevices(machine)).devices;
  if (!architecture || !device || bytes === 0) return null;
  const host = { memoryBytes: machine.hostMemoryBytes };
  const request = { architecture, precision, bytes, context: contextOf(machine), device, host };
  const { outcome, reason, totalBytes } = fitFiles(request);
  const advice = outcome === 'fits' ? null : adviceFor(request);
  // Only published files can be quantised.
  const copy = format === 'safetensors' ? (quantisedForms.find((form) => form === advice?.form) ?? null) : null;
  return {
    device: device.name,
    outcome,
    reason,
    advice: advice?.words ?? null,
    copy,
    totalBytes: Math.round(totalBytes),
    roomBytes: deviceBudget(device),
  };
}

function contextOf({ settings }: Machine): number {
  return settings().contextLength ?? usualContext;
}

const kinds: FitDevice['kind'][] = ['discrete', 'integrated', 'virtual', 'cpu', 'other'];

/** The one that is set or would be chosen first; software last, and not at all beside a real one. */
function inOrder<Device extends FitDevice & { index: number }>(
  devices: Device[],
  { device: wanted }: ReturnType<Store['settings']>,
): Device[] {
  const isWanted = ({ name, index }: Device): boolean =>
    wanted !== null && (String(index) === wanted || name.toLowerCase().includes(wanted.toLowerCase()));
  const real = devices.filter((device) => device.kind !== 'cpu' || isWanted(device));
  return (real.length > 0 ? real : devices).toSorted(
    (a, b) => Number(isWanted(b)) - Number(isWanted(a)) || kinds.indexOf(a.kind) - kinds.indexOf(b.kind) || a.index - b.index,
  );
}
