/**
 * Will a model run here, and how fast? Pure: from the shape of the model and what the device
 * reports. Bytes and seconds; the speeds are estimates that state their source.
 */
import { formatBytes } from '../../../contract.ts';
import {
  crossKvBytes,
  quantisations,
  scaledTo,
  scratchBytes,
  selfKvBytes,
  weightBytes,
  type Architecture,
  type Quantisation,
  type WeightBytes,
} from './sizes.ts';

export type DeviceKind = 'discrete' | 'integrated' | 'virtual' | 'cpu' | 'other';

export interface FitDevice {
  name: string;
  kind: DeviceKind;
  memoryBytes: number;
  /** What the driver reports as free; null where it does not. */
  budgetBytes: number | null;
  features: {
    /** The engine computes with half-precision activations, and keeps its caches in them, except on processors. */
    cooperativeMatrix: boolean;
  };
}

/** Tokens that a conversation is given room for where no context length is set and there is no room for more. */
export const usualContext = 4096;

export interface FitHost {
  /** Memory of the computer. */
  memoryBytes: number;
}

export interface Placement {
  /** Which transformer layers are read over the bus, by index. */
  hostLayers: number[];
  /** The token embedding, of which one row a token is read. */
  embeddingOnHost: boolean;
  deviceBytes: number;
  hostBytes: number;
}

export interface Fit extends WeightFit {
  quantisation: Quantisation;
}

export interface WeightFit {
  outcome: 'fits' | 'slow' | 'no';
  /** One sentence for people. */
  reason: string;
  /** With a picture in force where the model sees; null where it does not run. */
  tokensPerSecond: number | null;
  weightBytes: number;
  selfKvBytes: number;
  crossKvBytes: number;
  scratchBytes: number;
  totalBytes: number;
  /** Null where it does not run. */
  placement: Placement | null;
}

/** As the engine: a tenth of what the device reports stays free. */
const headroom = 0.9;
/** Of the computer's memory, for layers that do not fit the device; the rest is left to other programs. */
export const hostShare = 0.7;
/** Reached share of the bandwidth: what engines of this kind measure on several devices is 46 to 86 %. */
const reached = 0.65;
/** Dispatches and barriers of one layer, in seconds. */
const perLayer = 40e-6;
/** Multiply-adds a second of software Vulkan on an ordinary processor. Measured: 2 to 15 GFLOP/s. */
const softwareRate = 4e9;
/** Below this, reading along takes patience. */
const slowBelow = 4;
/** PCIe 4.0 x16, as graphics cards reach it. */
const busBandwidth = 22e9;

/** Device memory that the engine may take. */
export function deviceBudget({ memoryBytes, budgetBytes }: FitDevice): number {
  return Math.max(0, Math.floor((budgetBytes ?? memoryBytes) * headroom));
}

/**
 * Which layers are left to host memory so that the rest fits `room` bytes beside `fixed`. First
 * the embedding, since a token reads one row of it; then cross-attention layers, which are read
 * only while a picture is in force; then layers from the last on. The picture encoder and the
 * output stay: they would be read over the bus many times.
 *
 * Null when not even that is enough.
 */
export function placeLayers({
  layers,
  embedding,
  fixed,
  room,
}: {
  layers: readonly { cross: boolean; bytes: number }[];
  embedding: number;
  fixed: number;
  room: number;
}): Placement | null {
  const all = layers.reduce((sum, { bytes }) => sum + bytes, fixed + embedding);
  let deviceBytes = all;
  let embeddingOnHost = false;
  const hostLayers: number[] = [];
  if (deviceBytes > room) {
    embeddingOnHost = true;
    deviceBytes -= embedding;
  }
  const order = layers.map((_, index) => index).sort((a, b) => Number(layers[b]!.cross) - Number(layers[a]!.cross) || b - a);
  for (const index of order) {
    if (deviceBytes <= room) break;
    deviceBytes -= layers[index]!.bytes;
    hostLayers.push(index);
  }
  if (deviceBytes > room) return null;
  return { hostLayers: hostLayers.sort((a, b) => a - b), embeddingOnHost, deviceBytes, hostBytes: all - deviceBytes };
}

/** Every fifth layer is a cross-attention layer, from the fourth on: how Llama 3.2 is built. */
export function layerPlan({ text }: Architecture, bytes: { selfLayer: number; crossLayer: number }): { cross: boolean; bytes: number }[] {
  const every = text.crossLayers > 0 ? text.layers / text.crossLayers : Infinity;
  return Array.from({ length: text.layers }, (_, index) => {
    const cross = text.crossLayers > 0 && index % every === 3;
    return { cross, bytes: cross ? bytes.crossLayer : bytes.selfLayer };
  });
}

export interface FitRequest {
  architecture: Architecture;
  quantisation: Quantisation;
  /** Tokens of conversation and answer. */
  context: number;
  device: FitDevice;
  host: FitHost;
}

export function fit({ quantisation, ...request }: FitRequest): Fit {
  return { quantisation, ...fitWeights({ ...request, weights: weightBytes(request.architecture, quantisation) }) };
}

export interface FileFitRequest extends Omit<FitRequest, 'quantisation'> {
  /** Of most of their weights: "BF16", "Q4_K". */
  precision: string;
  /** What they take on a device. */
  bytes: number;
}

/** Of files that are here. */
export function fitFiles({ precision, bytes, ...request }: FileFitRequest): WeightFit {
  const like: Quantisation = /^B?F\d+$/.test(precision) ? 'bf16' : precision === 'Q8_0' ? 'q8_0' : 'q4_k_m';
  return fitWeights({ ...request, weights: scaledTo(bytes, weightBytes(request.architecture, like)) });
}

function fitWeights({
  architecture,
  weights,
  context,
  device,
  host,
}: Omit<FitRequest, 'quantisation'> & { weights: WeightBytes }): WeightFit {
  // A software driver may offer cooperative matrices, but the engine is faster there without them.
  const element = device.features.cooperativeMatrix && device.kind !== 'cpu' ? 2 : 4;
  const sizes = {
    weightBytes: Math.round(weights.total),
    selfKvBytes: selfKvBytes(architecture, context, element),
    crossKvBytes: crossKvBytes(architecture, element),
    scratchBytes: scratchBytes(architecture),
  };
  const working = sizes.selfKvBytes + sizes.crossKvBytes + sizes.scratchBytes;
  const totalBytes = sizes.weightBytes + working;
  const layers = layerPlan(architecture, weights);
  const shared = device.kind !== 'discrete';
  const room = deviceBudget(device);
  // Tied: the embedding is the output too, and stays.
  const embedding = architecture.text.tied ? 0 : weights.embedding;
  const fixed = weights.output + weights.vision + working + (weights.embedding - embedding);
  const placement = placeLayers({ layers, embedding, fixed, room });
  const hostRoom = shared
    ? Math.max(0, host.memoryBytes * hostShare - Math.min(room, host.memoryBytes * hostShare))
    : host.memoryBytes * hostShare;

  const refuse = (reason: string): WeightFit => ({ ...sizes, totalBytes, outcome: 'no', reason, tokensPerSecond: null, placement: null });
  if (!placement)
    return refuse(
      `Even with all its layers in the computer's memory it needs ${formatBytes(fixed)} on ${device.name}, which has ` +
        `${formatBytes(room)} for it.`,
    );
  if (placement.hostBytes > hostRoom) {
    return refuse(
      shared
        ? `It needs ${formatBytes(totalBytes)}, and this computer can give it ${formatBytes(room + hostRoom)}.`
        : `It needs ${formatBytes(totalBytes)}: ${formatBytes(placement.hostBytes)} more than ${device.name} holds, and the ` +
            `computer's own memory can take ${formatBytes(hostRoom)} of it.`,
    );
  }

  const tokensPerSecond = speed({ architecture, placement, layers, output: weights.output || weights.embedding, device });
  const pace = formatPace(tokensPerSecond);
  if (device.kind === 'cpu')
    return {
      ...sizes,
      totalBytes,
      outcome: tokensPerSecond < slowBelow ? 'slow' : 'fits',
      reason: `Without a graphics card the processor does the work: about ${pace}.`,
      tokensPerSecond,
      placement,
    };
  if (placement.hostLayers.length > 0) {
    const part = shared ? 'outside the device’s own share of memory' : 'in the computer’s memory and are read over the bus';
    return {
      ...sizes,
      totalBytes,
      outcome: 'slow',
      reason: `${placement.hostLayers.length} of ${layers.length} layers stay ${part}: about ${pace}.`,
      tokensPerSecond,
      placement,
    };
  }
  const needs = `About ${pace} on ${device.name}, which has ${formatBytes(room)} for it.`;
  return { ...sizes, totalBytes, outcome: tokensPerSecond < slowBelow ? 'slow' : 'fits', reason: needs, tokensPerSecond, placement };
}

const formWords: Record<Quantisation, string> = { bf16: 'As published', q8_0: 'In 8 bits', q4_k_m: 'In 4 bits' };
const shorterContexts = [2048, 1024];

export interface FitAdvice {
  /** A sentence or two. */
  words: string;
  /** Of the quantised copy that is advised. */
  form: Quantisation | null;
}

/** What would make files that do not fit run better: a shorter conversation, a quantised copy. Null where nothing would. */
export function adviceFor(request: FileFitRequest): FitAdvice | null {
  const context = shorterContexts.find(
    (tokens) => tokens < request.context && fitFiles({ ...request, context: tokens }).outcome === 'fits',
  );
  if (context)
    return { words: `With a context of ${context.toLocaleString('en')} tokens it fits; set that in the settings first.`, form: null };
  const here = fitFiles(request);
  const { recommended } = recommend(request);
  if (!recommended || recommended.weightBytes >= here.weightBytes || (recommended.tokensPerSecond ?? 0) <= (here.tokensPerSecond ?? 0))
    return null;
  const better = recommended.outcome === 'fits' ? 'it fits' : `it is quicker, about ${formatPace(recommended.tokensPerSecond!)}`;
  return {
    words: `${formWords[recommended.quantisation]} ${better} (${formatBytes(recommended.totalBytes)}).`,
    form: recommended.quantisation,
  };
}

/** The most precise that fits; else the quickest that runs; else null. With every quantisation's fit. */
export function recommend(
  request: Omit<FitRequest, 'quantisation'>,
  forms: readonly FitRequest['quantisation'][] = quantisations,
): { recommended: Fit | null; all: Fit[] } {
  const all = forms.map((quantisation) => fit({ ...request, quantisation }));
  const running = all.filter(({ outcome }) => outcome !== 'no').sort((a, b) => (b.tokensPerSecond ?? 0) - (a.tokensPerSecond ?? 0));
  return { recommended: all.find(({ outcome }) => outcome === 'fits') ?? running[0] ?? null, all };
}

/**
 * One decoded token reads every layer and the output once. A cross-attention layer's key and
 * value weights are read only when a picture is encoded.
 */
function speed({
  architecture,
  placement,
  layers,
  output,
  device,
}: {
  architecture: Architecture;
  placement: Placement;
  layers: readonly { cross: boolean; bytes: number }[];
  output: number;
  device: FitDevice;
}): number {
  const { hidden, kvHeads, headSize, heads, feedForward } = architecture.text;
  const keyValueShare = (2 * hidden * kvHeads * headSize) / (2 * hidden * (heads + kvHeads) * headSize + 3 * hidden * feedForward);
  const read = ({ cross, bytes }: { cross: boolean; bytes: number }): number => bytes * (cross ? 1 - keyValueShare : 1);
  const onHost = new Set(placement.hostLayers);
  const hostRead = layers.reduce((sum, layer, index) => sum + (onHost.has(index) ? read(layer) : 0), 0);
  const deviceRead = layers.reduce((sum, layer, index) => sum + (onHost.has(index) ? 0 : read(layer)), output);
  if (device.kind === 'cpu') {
    const parameters =
      layers.length * (2 * hidden * (heads + kvHeads) * headSize + 3 * hidden * feedForward) + hidden * architecture.text.vocabulary;
    return softwareRate / (2 * parameters);
  }
  const { bytesPerSecond } = bandwidth(device);
  const bus = device.kind === 'discrete' ? busBandwidth : bytesPerSecond * reached;
  return 1 / (deviceRead / (bytesPerSecond * reached) + hostRead / bus + layers.length * perLayer);
}

/** Memory bandwidths in GB/s from the makers' data sheets; the first name that occurs counts. */
const known: readonly (readonly [RegExp, number])[] = [
  [/h200/i, 4800],
  [/h100/i, 3350],
  [/a100/i, 1555],
  [/l40s?/i, 864],
  [/rtx 5090/i, 1792],
  [/rtx 5080/i, 960],
  [/rtx 5070 ti/i, 896],
  [/rtx 5070/i, 672],
  [/rtx 5060/i, 448],
  [/rtx 4090 laptop/i, 576],
  [/rtx 4080 laptop/i, 432],
  [/rtx 40[67]0 laptop/i, 256],
  [/rtx 4090/i, 1008],
  [/rtx 4080/i, 717],
  [/rtx 4070 ti super/i, 672],
  [/rtx 4070/i, 504],
  [/rtx 4060 ti/i, 288],
  [/rtx 4060/i, 272],
  [/rtx 3090/i, 936],
  [/rtx 3080/i, 760],
  [/rtx 3070/i, 448],
  [/rtx 3060/i, 360],
  [/9070/i, 640],
  [/7900 xtx/i, 960],
  [/7900 xt/i, 800],
  [/7800 xt/i, 624],
  [/7700 xt/i, 432],
  [/7600/i, 288],
  [/6[89]00/i, 512],
  [/6700/i, 384],
  [/6600/i, 224],
  [/arc.*a770/i, 560],
  [/arc.*a750/i, 512],
  [/arc.*b580/i, 456],
  [/8060s|strix halo/i, 256],
  [/890m/i, 120],
  [/780m/i, 90],
  [/680m/i, 77],
  [/m[123] ultra/i, 800],
  [/m4 max/i, 546],
  [/m[123] max/i, 400],
  [/m4 pro/i, 273],
  [/m3 pro/i, 150],
  [/m[12] pro/i, 200],
  [/apple m4/i, 120],
  [/apple m[23]/i, 100],
  [/apple m1/i, 68],
];

/** Of the device's memory, in bytes a second. `assumed`: of a modest device of its kind. */
export function bandwidth({ name, kind }: Pick<FitDevice, 'name' | 'kind'>): { bytesPerSecond: number; source: 'data sheet' | 'assumed' } {
  const found = known.find(([pattern]) => pattern.test(name));
  if (found) return { bytesPerSecond: found[1] * 1e9, source: 'data sheet' };
  return { bytesPerSecond: kind === 'discrete' ? 250e9 : kind === 'cpu' ? 20e9 : 50e9, source: 'assumed' };
}

/** "35 tokens a second", "one token in 2 seconds". */
export function formatPace(tokensPerSecond: number): string {
  if (tokensPerSecond >= 10) return `${Math.round(tokensPerSecond)} tokens a second`;
  if (tokensPerSecond >= 1) return `${tokensPerSecond.toFixed(1)} tokens a second`;
  const seconds = 1 / tokensPerSecond;
  return `one token in ${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} seconds`;
}
