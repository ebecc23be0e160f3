// `npm run predict`: milliseconds a token and a picture of the 11B model should take on devices that nobody here has. Counts of this
// engine, which tests hold, times what a device needs for one. It ranks changes before they are built; benchmarks on a card correct it.

/**
 * @typedef {object} Device
 * @property {string} name
 * @property {number} bandwidth GB/s that a copy reaches: 83 to 93 % of the data sheet's, as on cards of its kind
 * @property {number} unpacking share of it that matrix-vector products of Q4_K keep, by the instructions of their inner loop
 * @property {number} latency ns of a load from memory
 * @property {number} cacheLatency ns of one from the cache that all of the device shares
 * @property {number} loadsAhead loads of values, and of a norm's row, that a thread has on their way (Quirks::loads_ahead)
 * @property {number} step us between two dispatches of which one waits for the other
 * @property {number} host us a token between the end of a step and the beginning of the next, which is in the device's queue already
 * @property {number} matrixRate TFLOP/s of matrix units, float16 with float32 sums; data sheet, dense
 */

/** Assumed by kind of device, ± 40 %: none of it has been measured with this engine. @type {Device[]} */
export const devices = [
  {
    name: 'RTX 3060',
    bandwidth: 335,
    unpacking: 0.95,
    latency: 380,
    cacheLatency: 130,
    loadsAhead: 8,
    step: 3.0,
    host: 10,
    matrixRate: 25.5,
  },
  { name: 'RTX 4090', bandwidth: 930, unpacking: 1, latency: 310, cacheLatency: 110, loadsAhead: 8, step: 2.5, host: 10, matrixRate: 165 },
  {
    name: 'RX 7900 XTX',
    bandwidth: 840,
    unpacking: 0.95,
    latency: 350,
    cacheLatency: 120,
    loadsAhead: 16,
    step: 4.0,
    host: 10,
    matrixRate: 122,
  },
  {
    name: 'Radeon 780M',
    bandwidth: 85,
    unpacking: 1,
    latency: 450,
    cacheLatency: 150,
    loadsAhead: 16,
    step: 5.0,
    host: 10,
    matrixRate: 16.6,
  },
  { name: 'H100', bandwidth: 2900, unpacking: 0.72, latency: 560, cacheLatency: 170, loadsAhead: 8, step: 3.0, host: 10, matrixRate: 600 },
];

/** Llama 3.2 11B Vision: layers of each kind, and bytes that a token with a picture reads. */
const model = {
  selfLayers: 32,
  crossLayers: 8,
  /** Without the keys' and values' matrices of cross-attention, which are not read while answering. */
  weightBytes: { Q4_K_M: 5.62e9, Q8_0: 9.76e9, BF16: 18.4e9 },
  /** Float16, 8 heads of 128, keys and values. */
  cacheBytesOfPosition: 2 * 8 * 128 * 2,
  picturePositions: 6404,
};

/**
 * Dispatches of a token: five a layer and `rest`, as the recorder counts them for the demo model (setup/token-budgets.json).
 * @param {number} layers @param {boolean} isDrawn top-p, not greedy
 */
export function dispatchesOf(layers, isDrawn) {
  const ofLayer = 5;
  const rest = 5;
  const draw = 3;
  return ofLayer * layers + rest + (isDrawn ? draw : 0);
}

/** Keys of a part of attention, and for how many of them a workgroup has keys on their way at a time. */
const chunk = 128;
const keysAtATime = 64;
/** For how many it has values, with each load ahead. */
const valuesALoad = 4;

/**
 * Waits one after the other in a layer's attention over `keys`. For memory: the position, then queries and rotations, keys, values. For
 * what the same dispatch wrote: the part, its count, and joining: the largest, the sums, then eight parts at a time.
 * @param {number} keys @param {number} loadsAhead
 */
export function attentionWaits(keys, loadsAhead) {
  return {
    memory: 2 + chunk / keysAtATime + chunk / (valuesALoad * loadsAhead),
    cache: 4 + Math.ceil(Math.ceil(keys / chunk) / 8),
  };
}

/**
 * us that the last workgroup of a product needs for the norm behind it, two a layer: waits for its outputs, for the count, and for the
 * row, with whose 16 loads those of the weights are on their way, or which comes twice in two pieces; and a fifth of a us of sums.
 * @param {Device} device
 */
const normTail = ({ cacheLatency, loadsAhead }) => (loadsAhead === 16 ? 3 : 6) * cacheLatency * 1e-3 + 0.2;

/**
 * @param {Device} device
 * @param {keyof typeof model.weightBytes} weights
 * @param {{ positions?: number, isDrawn?: boolean }} [options] `positions` in the cache
 */
export function tokenTime(device, weights, { positions = 1024, isDrawn = true } = {}) {
  const layers = model.selfLayers + model.crossLayers;
  const cache = model.cacheBytesOfPosition * (model.selfLayers * positions + model.crossLayers * model.picturePositions);
  const unpacking = weights === 'Q4_K_M' ? device.unpacking : 1;
  const stream = (model.weightBytes[weights] + cache) / (device.bandwidth * 1e9 * unpacking);
  const steps = (dispatchesOf(layers, isDrawn) - 1) * device.step * 1e-6;
  const attention = (/** @type {number} */ keys) => {
    const { memory, cache: cached } = attentionWaits(keys, device.loadsAhead);
    return (memory * device.latency + cached * device.cacheLatency) * 1e-9;
  };
  const waits =
    model.selfLayers * attention(positions) + model.crossLayers * attention(model.picturePositions) + layers * 2 * normTail(device) * 1e-6;
  const host = device.host * 1e-6;
  const total = stream + steps + waits + host;
  return { stream, steps, waits, host, total, share: stream / total, overLayerUs: ((total - stream) / layers) * 1e6 };
}

/** A picture of four tiles, all of which always run: products, with the projector and the keys and values of cross-attention, and attention. */
const pictureFlops = { products: 11.4e12, attention: 8.5e12 };
/**
 * Of the matrix rate: four fifths, for memory and the ends of tiles, of what the instructions of the inner loops leave on an RX 7900 XTX,
 * 88 and 71 % (docs/decisions/0037, 0038). Other devices are taken for alike.
 */
const matrixShare = { products: 0.7, attention: 0.57 };

/** Seconds to encode it. @param {Device} device */
export function pictureTime({ matrixRate }) {
  const rate = matrixRate * 1e12;
  return pictureFlops.products / (rate * matrixShare.products) + pictureFlops.attention / (rate * matrixShare.attention);
}

const ms = (/** @type {number} */ seconds) => (seconds * 1e3).toFixed(2);

/** @param {string[][]} rows the first is the head */
function table([head = [], ...rows]) {
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

/** Returns two tables in Markdown, of tokens and of pictures. */
export function predictions() {
  const rows = Object.keys(model.weightBytes).flatMap((weights) =>
    devices.map((device) => {
      const drawn = tokenTime(device, /** @type {keyof typeof model.weightBytes} */ (weights));
      const greedy = tokenTime(device, /** @type {keyof typeof model.weightBytes} */ (weights), { isDrawn: false });
      const cells = [device.name, weights, ms(drawn.stream), ms(drawn.steps), ms(drawn.waits), ms(drawn.host)];
      return [
        ...cells,
        (1 / greedy.total).toFixed(0),
        (1 / drawn.total).toFixed(0),
        `${(100 * drawn.share).toFixed(0)} %`,
        drawn.overLayerUs.toFixed(0),
      ];
    }),
  );
  const head = ['device', 'weights', 'stream ms', 'steps', 'waits', 'host', 'greedy t/s', 'top-p t/s', 'of the stream', 'us a layer'];
  const pictures = devices.map((device) => [device.name, pictureTime(device).toFixed(2)]);
  return `${table([head, ...rows])}\n\n${table([['device', 'picture of four tiles, s'], ...pictures])}`;
}

export async function predict() {
  process.stdout.write(`${predictions()}\n`);
  return 0;
}
