/** What the fake engine says of its device and its model. */
import type { DeviceInfo, MemoryReport, ModelSizes } from '../../native-surface.ts';
import type { LoadedModel } from '../../protocol.ts';

export const device: DeviceInfo = {
  index: 0,
  name: 'Fake device',
  kind: 'cpu',
  driver: 'fake',
  apiVersion: '1.3.0',
  vendorId: 0,
  deviceId: 0,
  memoryBytes: 8 * 2 ** 28,
  budgetBytes: null,
  maxBindingBytes: 1 << 27,
  maxSharedMemoryBytes: 1 << 15,
  subgroupSize: 8,
  features: {
    float16: true,
    storage16: true,
    storage8: true,
    int8: true,
    subgroupArithmetic: true,
    cooperativeMatrix: false,
    timestamps: false,
    memoryBudget: false,
  },
  suitable: true,
  reason: '',
};

export const loaded: LoadedModel = {
  model: {
    architecture: 'mllama',
    vocabularySize: 320,
    contextLength: 512,
    weightBytes: 1000,
    placement: {
      deviceBytes: 1000,
      hostBytes: 0,
      hostLayers: [],
      embeddingOnHost: false,
      outputOnHost: false,
      visionOnHost: false,
      asPlanned: true,
    },
    parameters: 500,
    imageToken: 320,
    vision: { tileSize: 56, maxTiles: 4, patchesPerTile: 16 },
    stopTokens: [257],
  },
  device,
  paths: { matmul: 'fake' },
  promptFormat: 'template',
};

export const estimate: ModelSizes = {
  layers: [
    { cross: false, bytes: 300 },
    { cross: true, bytes: 200 },
  ],
  embeddingBytes: 200,
  outputBytes: 200,
  visionBytes: 100,
  contextLength: 512,
  selfKvBytesPerToken: 1,
  crossKvBytes: 100,
  scratchBytes: 100,
  deviceBudgetBytes: 10_000,
  hostBudgetBytes: 10_000,
  hostIsApart: true,
};

export const memory: MemoryReport = {
  deviceBytes: 1000,
  devicePeakBytes: 1000,
  hostWeightBytes: 0,
  hostVisibleBytes: 0,
  largestAllocationBytes: 1000,
  weightBytes: 1000,
  selfKvBytes: 0,
  crossKvBytes: 0,
  longestSubmissionMs: 0,
  validationErrors: 0,
};
