/**
 * Loading with a plan: the engine's estimate of what the model and a conversation take, and of what there
 * is -> which layers stay in the computer's memory, or why it cannot run. `fit.ts` estimates the same
 * before there are files.
 */
import { totalmem } from 'node:os';
import type { ModelSizes } from '../../../native-surface.ts';
import { formatBytes } from '../../../contract.ts';
import { LoupeError, toLoupeError } from '../../../errors.ts';
import type { Body, Engine, LoadedModel } from '../../ports.ts';
import { hostShare, placeLayers, usualContext, type Placement } from './fit.ts';

export interface LoadPlan extends Pick<Placement, 'hostLayers' | 'embeddingOnHost'> {
  /** Undefined: as the engine does where nothing is asked for. */
  contextLength: number | undefined;
}

export interface PlanRequest {
  sizes: ModelSizes;
  /** Of the model and the device, for messages. */
  model: string;
  device: string;
  /** Tokens that were asked for, or undefined. */
  contextLength: number | undefined;
  /** Of the computer. */
  hostMemoryBytes: number;
}

export interface LoadPlannedOptions extends NonNullable<Parameters<Engine['load']>[1]> {
  /** For messages. */
  model: string;
  /** Absent = asks the system. */
  hostMemoryBytes?: number;
}

/**
 * As `Engine.load`, where it fits; rejects with `device_out_of_memory` or `host_out_of_memory` before
 * anything is read where it does not.
 */
export async function loadPlanned(
  engine: Pick<Engine, 'estimate' | 'load'>,
  request: Body<'estimate'>,
  { model, hostMemoryBytes = totalmem(), ...listeners }: LoadPlannedOptions,
): Promise<LoadedModel> {
  const plan = async (): Promise<LoadPlan> => {
    const { device, ...sizes } = await engine.estimate(request, { signal: listeners.signal });
    return planLoad({ sizes, model, device: device.name, contextLength: request.contextLength, hostMemoryBytes });
  };
  const first = await plan();
  try {
    return await engine.load({ ...request, ...first }, listeners);
  } catch (error) {
    if (toLoupeError(error).code !== 'device_out_of_memory') throw error;
    // The device had less memory than its driver reported; the engine has noted that.
    return await engine.load({ ...request, ...(await plan()) }, listeners);
  }
}

/** Where the first context leaves layers to the host, a usual one that does not is preferred. Throws as `loadPlanned`. */
export function planLoad({ sizes, model, device, contextLength, hostMemoryBytes }: PlanRequest): LoadPlan {
  const room = sizes.deviceBudgetBytes;
  const hostRoom = sizes.hostIsApart ? Math.min(sizes.hostBudgetBytes, hostMemoryBytes * hostShare) : sizes.hostBudgetBytes;
  const contexts = [sizes.contextLength];
  if (contextLength === undefined && sizes.contextLength > usualContext) contexts.push(usualContext);
  const plans = contexts.map((tokens) => ({ tokens, ...placed(sizes, tokens, room) }));
  const { tokens, fixed, placement } = plans.find(({ placement }) => placement?.hostBytes === 0) ?? plans.at(-1)!;
  const conversation = `a conversation of ${tokens.toLocaleString('en')} tokens`;

  if (!placement) {
    const parts = sizes.visionBytes > 0 ? 'its output, its picture encoder' : 'its output';
    throw new LoupeError(
      'device_out_of_memory',
      `${model} needs ${formatBytes(fixed)} of ${device} for ${parts} and ${conversation}, even with all its layers in the ` +
        `computer’s memory. There is room for ${formatBytes(room)}: ${formatBytes(fixed - room)} are missing.`,
      nextStep,
    );
  }
  if (placement.hostBytes > hostRoom) {
    const shares = sizes.hostIsApart
      ? `${device} has room for ${formatBytes(room)}, the computer’s memory for ${formatBytes(hostRoom)}`
      : `This computer can give it ${formatBytes(room + hostRoom)}`;
    const code = sizes.hostIsApart ? 'host_out_of_memory' : 'device_out_of_memory';
    throw new LoupeError(
      code,
      `${model} takes ${formatBytes(placement.deviceBytes + placement.hostBytes)} with ${conversation}. ${shares}: ` +
        `${formatBytes(placement.hostBytes - hostRoom)} are missing.`,
      nextStep,
    );
  }
  return {
    contextLength: tokens === sizes.contextLength ? contextLength : tokens,
    hostLayers: placement.hostLayers,
    embeddingOnHost: placement.embeddingOnHost,
  };
}

const nextStep = 'Quantise the model (`loupe models quantise`), set a shorter context, or close other programs.';

/** Blocks of memory are filled to within this, so that a plan to the last byte would not hold. */
const slackBytes = 64 * 1024 * 1024;

function placed(
  { layers, embeddingBytes, outputBytes, visionBytes, selfKvBytesPerToken, crossKvBytes, scratchBytes }: ModelSizes,
  tokens: number,
  room: number,
): { fixed: number; placement: Placement | null } {
  const fixed = outputBytes + visionBytes + selfKvBytesPerToken * tokens + crossKvBytes + scratchBytes;
  const place = (room: number): Placement | null => placeLayers({ layers, embedding: embeddingBytes, fixed, room });
  const whole = place(room);
  return { fixed, placement: whole?.hostBytes === 0 ? whole : (place(room - slackBytes) ?? whole) };
}
