'use strict';
// Stands in for loupe.node in client.test.ts and still.endurance.test.ts. What generate does is scripted by the seed; where
// the process stands still, and how, by the file that DOUBLE_FUSE names: { at, how }. It burns once.
const { existsSync, readFileSync, renameSync, rmSync, writeFileSync } = require('node:fs');

const seeds = { stream: 1, exit: 2, kill: 3, endless: 4, deviceLost: 5, chatter: 6, hang: 7 };

/** `stop`: the whole process. `spin`: its main thread. `never`: only what was asked for. */
async function standStill(how) {
  if (how === 'stop') process.kill(process.pid, 'SIGSTOP');
  else if (how === 'spin') for (;;);
  await new Promise(() => {});
}

/** Where `at` is what the fuse is set for, time ends here. */
async function pass(at) {
  const how = burn(at);
  if (how) await standStill(how);
}

function burn(at) {
  const fuse = process.env.DOUBLE_FUSE;
  if (!fuse || !existsSync(fuse)) return null;
  const { at: place, how } = JSON.parse(readFileSync(fuse, 'utf8'));
  if (place !== at) return null;
  rmSync(fuse);
  // Whole at once: whoever waits for it reads it at that moment.
  writeFileSync(`${fuse}.burning`, String(Date.now()));
  renameSync(`${fuse}.burning`, `${fuse}.burnt`);
  return how;
}

process.on('SIGUSR2', () => {
  for (;;);
});
const atStart = burn('start');
if (atStart) void standStill(atStart);
// Before the host sees it.
process.prependListener('message', (message) => {
  const how = burn(`request ${message?.type}`);
  if (how) void standStill(how);
});
if (process.env.DOUBLE_FUSE) {
  process.on('exit', () => {
    const how = burn('exit');
    if (how) void standStill(how);
  });
}

function failure(code, message, nextStep = '') {
  return Object.assign(new Error(message), { code, nextStep });
}

const device = { index: 0, name: 'double', suitable: true };
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
// In the demo vocabulary the first 256 tokens are the bytes in order.
const answer = [...Buffer.from('Grüße, 世界!')];
let steps = 0;
let waiting = false;

class Engine {
  static async open(options) {
    if (options.device === 'none') throw failure('no_device', 'No device matches "none".', 'Look at the list.');
    await pass('open');
    return new Engine(options);
  }

  constructor(options) {
    this.device = device;
    this.paths = { matmul: options.shaderDirectory ? 'double' : '' };
    this.cancelled = false;
    this.loaded = false;
    // A device of this name leaves something to choose.
    this.questions = options.device === 'card' ? [{ name: 'matvec_threads', values: [64, 32] }] : [];
  }

  settle(answers) {
    if (this.loaded) throw failure('internal', 'kernels are chosen before a model is loaded');
    this.paths.kernels = JSON.stringify(answers);
  }

  async timeVariants({ onProgress }) {
    if (this.loaded) throw failure('internal', 'kernels are chosen before a model is loaded');
    await pass('kernels');
    onProgress(1, 1);
    return [{ name: 'matvec_threads', chosen: 32, values: [{ value: 64, ms: 2, whyNot: '' }, { value: 32, ms: 1, whyNot: '' }] }];
  }

  async estimate({ contextLength }) {
    await pass('estimate');
    return {
      layers: [{ cross: false, bytes: 1 }], embeddingBytes: 0, outputBytes: 0, visionBytes: 0, contextLength: contextLength ?? 512,
      selfKvBytesPerToken: 0, crossKvBytes: 0, scratchBytes: 0, deviceBudgetBytes: 1 << 30, hostBudgetBytes: 1 << 30, hostIsApart: true,
    };
  }

  async load({ directory, contextLength, onProgress }) {
    if (directory.endsWith('missing/')) throw failure('file_missing', 'model.safetensors is missing.', 'Download it.');
    this.cancelled = false;
    onProgress(1, 2);
    await pass('load');
    onProgress(2, 2);
    // A context of 77 is loaded until cancelled, for at most ten seconds.
    for (let i = 0; i < 2000 && contextLength === 77 && !this.cancelled; i++) await sleep(5);
    if (this.cancelled) throw failure('cancelled', 'Loading was cancelled.');
    this.loaded = true;
    return {
      architecture: 'mllama', vocabularySize: 352, contextLength: 512, weightBytes: 1, parameters: 1, imageToken: 352,
      placement: {
        deviceBytes: 1, hostBytes: 0, hostLayers: [], embeddingOnHost: false, outputOnHost: false, visionOnHost: false, asPlanned: true,
      },
      vision: { tileSize: 112, maxTiles: 4, patchesPerTile: 64 }, stopTokens: [337],
    };
  }

  async generate({ tokens, images, sampling, onToken, onStage }) {
    this.cancelled = false;
    const out = [];
    const emit = async (token) => {
      out.push(token);
      onToken(token);
      steps++;
      await sleep(1);
    };
    const finish = (reason) => ({
      tokens: Int32Array.from(out),
      finish: reason,
      statistics: {
        promptTokens: tokens.length, reusedTokens: 0, generatedTokens: out.length, proposedTokens: 0, acceptedTokens: 0,
        imagesEncoded: images.length,
        imagesCached: 0, encodeMs: 0, prefillMs: 0, firstTokenMs: 1, decodeMs: 1,
        token: { dispatches: 0, barriers: 0, submissions: 0, hostUs: 0 },
      },
    });
    if (images.length > 0) await pass('encode');
    await pass('prefill');
    onStage('prefill', tokens.length, tokens.length);
    switch (sampling.seed) {
      case seeds.exit:
        await emit(answer[0]);
        await sleep(20);
        process.stderr.write('driver: it is over\n');
        return process.exit(3);
      case seeds.kill:
        await emit(answer[0]);
        await sleep(20);
        return process.kill(process.pid, 'SIGKILL');
      case seeds.endless:
        while (!this.cancelled) await emit(answer[0]);
        return finish('cancelled');
      case seeds.hang:
        await emit(answer[0]);
        // As a fence that never signals. Hears of no cancel either.
        waiting = true;
        return new Promise(() => {});
      case seeds.deviceLost:
        throw failure('device_lost', 'The device was lost.');
      case seeds.chatter:
        console.log('a driver that prints');
        process.send({ type: 'gossip' });
        return new Promise(() => {});
      default:
        // What was said already is the end of the prompt, letter by letter.
        for (const token of answer.slice(saidAlready(tokens))) {
          await emit(token);
          if (out.length === 5) await pass('decode');
          if (this.cancelled) return finish('cancelled');
        }
        return finish('stop');
    }
  }

  async trace({ tokens }) {
    await pass('trace');
    const logits = new Float32Array(tokens.length * 352);
    return { hiddenSize: 4, logits, greedyTokens: new Int32Array(0), greedyLogits: new Float32Array(0) };
  }

  async copyBandwidth() {
    await pass('self-test');
    return 1e9;
  }

  async selfTest() {
    await pass('self-test');
    return [{ name: 'matmul', ok: process.env.DOUBLE_BROKEN === undefined, detail: 'double' }];
  }

  cancel() {
    this.cancelled = true;
  }

  memory() {
    return {
      deviceBytes: 1, devicePeakBytes: 2, hostWeightBytes: 0, hostVisibleBytes: 0, largestAllocationBytes: 1, weightBytes: 1,
      selfKvBytes: 0, crossKvBytes: 0, longestSubmissionMs: 0, validationErrors: 0,
    };
  }

  async close() {
    await pass('close');
  }
}

function saidAlready(tokens) {
  if (process.env.DOUBLE_FUSE === undefined) return 0;
  for (let length = answer.length; length > 0; length--) {
    if (answer.slice(0, length).every((token, index) => tokens[tokens.length - length + index] === token)) return length;
  }
  return 0;
}

module.exports = {
  Engine,
  seeds,
  activity: () => ({ steps, waiting }),
  wakeWithoutParent: () => false,
  confine: () => 'a double confines nothing',
  confineToPlaces: () => 'a double confines nothing',
  async inspectModel() {
    return { architecture: 'mllama', precision: 'BF16', files: [], fileBytes: 0, deviceBytes: 0 };
  },
  async listDevices() {
    await pass('devices');
    if (process.env.DOUBLE_NO_LOADER !== undefined)
      throw failure('no_vulkan_loader', 'libvulkan.so.1 is not installed.', 'Install libvulkan1.');
    const features = {
      float16: true, storage16: true, storage8: true, int8: true, subgroupArithmetic: true, cooperativeMatrix: false, timestamps: true,
      memoryBudget: false,
    };
    return [{
      ...device, kind: 'cpu', driver: 'double 1', apiVersion: '1.3.0', vendorId: 0, deviceId: 0, memoryBytes: 1 << 30, budgetBytes: null,
      maxBindingBytes: 1 << 27, maxSharedMemoryBytes: 32768, subgroupSize: 8, features, reason: '',
    }];
  },
};
