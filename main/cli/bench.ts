/** How fast a model is on this machine, as people compare it: prompts read, tokens written, pictures, beside what the memory gives. */
import { availableParallelism } from 'node:os';
import { formatBytes } from '../contract.ts';
import { LoupeError, toLoupeError } from '../errors.ts';
import { demoModel } from '../host/paths.ts';
import type { ModelSizes } from '../native-surface.ts';
import { findModel } from '../services/models/local/find-model.ts';
import { loadPlanned } from '../services/models/fit/placement.ts';
import { kernelLines } from '../services/kernels.ts';
import type { Body, Engine, KernelRecord, LoadedModel, ModelPlace, Result } from '../services/ports.ts';
import { chooseOwnKernels } from './kernels.ts';
import { engineFlags, engineSettings, namedModel, parseFlags, wholeNumber } from './options.ts';
import { exitCodes, lineWriter, type ExitCode, type Terminal } from './terminal.ts';

export const benchHelp = `loupe bench [--model MODEL] [options]

  Measures how fast a model reads prompts, writes tokens and looks at pictures on this machine.

  --model MODEL             folder; FILE.gguf; TEXT.gguf,PROJECTOR.gguf or twice --model; STORE:NAME:TAG (Ollama) (default: the demo model)
  --prompt N,N,...          lengths of prompts to read (default 64,512,2048)
  --generate N              tokens to write (default 128)
  --depth N,N,...           tokens that stand before them (default 0,4096,8192)
  --tiles N                 of the pictures; 0 leaves them out (default 4, or what the model sees)
  --repeats N               after one to warm up (default 5)
  --time-kernels            time the kernels that are right for this device again, and remember the fastest
  --device D  --activations f32|f16|auto  --memory-budget MB  --validation  --json

  Where a processor does the work the defaults are smaller: --prompt 64 --generate 16 --depth 0 --tiles 1 --repeats 2.
  What is left out because it does not fit the model's context is named.
`;

interface Sizes {
  prompts: number[];
  generate: number;
  depths: number[];
  tiles: number;
  repeats: number;
}

interface Measurement {
  name: string;
  mean: number;
  deviation: number;
  unit: 'tokens/s' | 'ms';
  /** Of writing: bytes that a token reads at this speed, against those that a copy moves in the same time. */
  shareOfCopyBandwidth?: number;
  /** Of writing: what a token asks for. */
  token?: Result<'measure'>['token'];
}

interface Report {
  ok: true;
  model: string;
  device: string;
  driver: string;
  paths: Record<string, string>;
  /** Null where the table of devices leaves nothing to a measurement. */
  kernels: KernelRecord | null;
  contextLength: number;
  placement: LoadedModel['model']['placement'];
  copyBytesPerSecond: number;
  loadMs: number;
  measurements: Measurement[];
  leftOut: string[];
}

type Measure = Body<'measure'>;

export async function bench(args: string[], terminal: Terminal): Promise<ExitCode> {
  const { values, positionals } = parseFlags(args, {
    ...engineFlags,
    model: { type: 'string', multiple: true },
    prompt: { type: 'string' },
    generate: { type: 'string' },
    depth: { type: 'string' },
    tiles: { type: 'string' },
    repeats: { type: 'string' },
    'time-kernels': { type: 'boolean' },
    json: { type: 'boolean' },
  });
  if (positionals.length > 0) throw new LoupeError('usage', `"${positionals[0]}" belongs to no option.`);
  const settings = engineSettings(values);
  const asked = {
    prompts: lengths('--prompt', values.prompt, 1),
    generate: wholeNumber('--generate', values.generate, 2),
    depths: lengths('--depth', values.depth, 0),
    tiles: wholeNumber('--tiles', values.tiles, 0),
    repeats: wholeNumber('--repeats', values.repeats, 1),
  };
  const place = await findModel(namedModel(values.model) ?? demoModel);
  const client = terminal.startEngine();
  try {
    const kernels = await chooseOwnKernels(client, settings, terminal, values['time-kernels']);
    const engine = { ...settings, kernels: kernels.values };
    const { device, bytesPerSecond } = await client.copyBandwidth({ engine }, { signal: terminal.interrupted });
    const sizes = sizesOf(device.kind === 'cpu' ? small : usual, asked);
    const model = values.model?.join(' and ') ?? 'The demo model';
    const { sizes: weights, loaded, loadMs } = await load(client, { ...place, engine }, sizes, model, terminal.interrupted);
    const bench = new Bench(client, weights, loaded, bytesPerSecond, sizes, terminal);
    const report: Report = {
      ok: true,
      model,
      device: device.name,
      driver: device.driver,
      paths: loaded.paths,
      kernels: kernels.record,
      contextLength: loaded.model.contextLength,
      placement: loaded.model.placement,
      copyBytesPerSecond: bytesPerSecond,
      loadMs,
      ...(await bench.run()),
    };
    if (values.json) terminal.out(`${JSON.stringify(report)}\n`);
    else print(report, device.kind === 'cpu', lineWriter(terminal));
    return exitCodes.ok;
  } finally {
    await client.close();
  }
}

const usual: Sizes = { prompts: [64, 512, 2048], generate: 128, depths: [0, 4096, 8192], tiles: 4, repeats: 5 };
const small: Sizes = { prompts: [64], generate: 16, depths: [0], tiles: 1, repeats: 2 };

function sizesOf(usually: Sizes, asked: { [Name in keyof Sizes]: Sizes[Name] | undefined }): Sizes {
  return {
    prompts: asked.prompts ?? usually.prompts,
    generate: asked.generate ?? usually.generate,
    depths: asked.depths ?? usually.depths,
    tiles: asked.tiles ?? usually.tiles,
    repeats: asked.repeats ?? usually.repeats,
  };
}

function lengths(flag: string, text: string | undefined, least: number): number[] | undefined {
  return text?.split(',').map((part) => wholeNumber(flag, part.trim(), least)!);
}

/** Positions that a prompt of this length, a picture in front of it and what is written after it take. */
const positions = (tokens: number, generate: number): number => tokens + 2 + generate;

/** With a context for the longest prompt, or with the model's where that is shorter. */
async function load(
  client: Engine,
  request: ModelPlace & { engine: Body<'load'>['engine'] },
  { prompts, depths, generate }: Sizes,
  model: string,
  signal: AbortSignal,
): Promise<{ sizes: ModelSizes; loaded: LoadedModel; loadMs: number }> {
  const wanted = Math.max(...prompts.map((tokens) => positions(tokens, 1)), ...depths.map((depth) => positions(depth + 1, generate)));
  const withContext = { ...request, contextLength: wanted };
  const fits = await client.estimate(withContext, { signal }).catch((error: unknown) => {
    if (toLoupeError(error).code !== 'context_full') throw error;
    return null;
  });
  const chosen = fits ? withContext : request;
  const sizes = fits ?? (await client.estimate(request, { signal }));
  const began = performance.now();
  const loaded = await loadPlanned(client, chosen, { model, signal });
  return { sizes, loaded, loadMs: performance.now() - began };
}

class Bench {
  readonly #measurements: Measurement[] = [];
  readonly #leftOut: string[] = [];
  /** Of the last prompt and the last picture. */
  #seed = 0;
  readonly #client: Engine;
  readonly #weights: ModelSizes;
  readonly #loaded: LoadedModel;
  readonly #copyBytesPerSecond: number;
  readonly #sizes: Sizes;
  readonly #terminal: Terminal;

  constructor(client: Engine, weights: ModelSizes, loaded: LoadedModel, copyBytesPerSecond: number, sizes: Sizes, terminal: Terminal) {
    this.#client = client;
    this.#weights = weights;
    this.#loaded = loaded;
    this.#copyBytesPerSecond = copyBytesPerSecond;
    this.#sizes = sizes;
    this.#terminal = terminal;
  }

  async run(): Promise<Pick<Report, 'measurements' | 'leftOut'>> {
    const { prompts, depths, generate } = this.#sizes;
    const { vision } = this.#loaded.model;
    const tiles = Math.min(this.#sizes.tiles, vision?.maxTiles ?? 0);
    for (const tokens of prompts) if (this.#fits(`reading ${tokens} tokens`, positions(tokens, 1))) await this.#read(tokens);
    const fitting = depths.filter((depth) => this.#fits(`writing after ${depth} tokens`, positions(depth + 1, generate)));
    for (const depth of fitting) await this.#write(depth, 0);
    if (this.#loaded.promptFormat === null) this.#leftOut.push("drawing with the model's own settings: it has no tokenizer");
    else if (fitting[0] !== undefined) await this.#draw(fitting[0]);
    if (tiles > 0) {
      await this.#look(tiles);
      for (const depth of fitting) await this.#write(depth, tiles);
    } else if (!vision) this.#leftOut.push('pictures: the model reads text only');
    return { measurements: this.#measurements, leftOut: this.#leftOut };
  }

  #fits(what: string, needed: number): boolean {
    const { contextLength } = this.#loaded.model;
    if (needed <= contextLength) return true;
    this.#leftOut.push(`${what}: the context holds ${contextLength}`);
    return false;
  }

  #measure(request: Omit<Measure, 'seed'>): Promise<Result<'measure'>> {
    return this.#client.measure({ ...request, seed: ++this.#seed }, { signal: this.#terminal.interrupted });
  }

  /** `value` of each repeat; the first compiles kernels and fills caches, and is forgotten. */
  async #repeat(
    { name, unit }: Pick<Measurement, 'name' | 'unit'>,
    value: () => Promise<number>,
    more: (mean: number) => Partial<Measurement> = () => ({}),
  ): Promise<void> {
    const found: number[] = [];
    for (let i = 0; i <= this.#sizes.repeats; i++) {
      if (this.#terminal.errIsTerminal) this.#terminal.err(`\r\x1b[K${name}: ${i} of ${this.#sizes.repeats}`);
      const one = await value();
      if (i > 0) found.push(one);
    }
    if (this.#terminal.errIsTerminal) this.#terminal.err('\r\x1b[K');
    const mean = found.reduce((sum, one) => sum + one, 0) / found.length;
    const squares = found.reduce((sum, one) => sum + (one - mean) ** 2, 0);
    this.#measurements.push({ name, mean, deviation: Math.sqrt(squares / Math.max(1, found.length - 1)), unit, ...more(mean) });
  }

  async #read(tokens: number): Promise<void> {
    await this.#repeat({ name: `pp${tokens}`, unit: 'tokens/s' }, async () => {
      const { statistics } = await this.#measure({ tokens, maxTokens: 1, sampling: greedy });
      return (1000 * statistics.promptTokens) / statistics.prefillMs;
    });
  }

  /** As #write, where the model's own settings draw at all. */
  async #draw(depth: number): Promise<void> {
    const { sampling } = await this.#measure({ tokens: 1, maxTokens: 1 });
    if (sampling.temperature > 0) await this.#write(depth, 0, true);
    else this.#leftOut.push("drawing with the model's own settings: they take the likeliest token");
  }

  async #write(depth: number, tiles: number, drawn = false): Promise<void> {
    const { generate } = this.#sizes;
    // The same picture each time: the first repeat, which does not count, encodes it.
    const picture = tiles > 0 ? { picture: { tiles, seed: 1 } } : {};
    const sampling = drawn ? {} : { sampling: greedy };
    let token: Measurement['token'];
    const name = `tg${generate} @ ${depth}${tiles > 0 ? ', picture' : ''}${drawn ? ", model's sampling" : ''}`;
    await this.#repeat(
      { name, unit: 'tokens/s' },
      async () => {
        const measured = await this.#measure({ tokens: depth + 1, maxTokens: generate, ...picture, ...sampling });
        ({ token } = measured);
        return (1000 * (generate - 1)) / measured.statistics.decodeMs;
      },
      (perSecond) => ({
        shareOfCopyBandwidth: (perSecond * this.#bytesPerToken(depth + generate / 2, tiles)) / this.#copyBytesPerSecond,
        ...(token && { token }),
      }),
    );
  }

  async #look(tiles: number): Promise<void> {
    const what = tiles === 1 ? '1 tile' : `${tiles} tiles`;
    await this.#repeat({ name: `encode ${what}`, unit: 'ms' }, async () => {
      const picture = { tiles, seed: ++this.#seed };
      return (await this.#measure({ tokens: 16, picture, maxTokens: 1, sampling: greedy })).statistics.encodeMs;
    });
    for (const isNew of [true, false])
      await this.#repeat({ name: `first token, ${what} ${isNew ? 'seen first' : 'seen before'}`, unit: 'ms' }, async () => {
        const picture = { tiles, seed: isNew ? ++this.#seed : 1 };
        return (await this.#measure({ tokens: 16, picture, maxTokens: 1, sampling: greedy })).statistics.firstTokenMs;
      });
  }

  /** Weights and keys and values that a token after `position` others reads. */
  #bytesPerToken(position: number, tiles: number): number {
    const { layers, outputBytes, selfKvBytesPerToken, crossKvBytes } = this.#weights;
    const read = layers.filter(({ cross }) => tiles > 0 || !cross).reduce((sum, { bytes }) => sum + bytes, 0);
    const picture = tiles > 0 ? (crossKvBytes * tiles) / (this.#loaded.model.vision?.maxTiles ?? tiles) : 0;
    return read + outputBytes + position * selfKvBytesPerToken + picture;
  }
}

const greedy = { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 0 };

function print(report: Report, isProcessor: boolean, line: (text: string) => void): void {
  const { model, device, driver, paths, kernels, copyBytesPerSecond, loadMs, placement, measurements, leftOut } = report;
  line(`${model} on ${device}, ${driver}`);
  line(`${paths['matmul'] ?? ''}; a copy moves ${(copyBytesPerSecond / 1e9).toFixed(1)} GB/s`);
  if (paths['kernels']) line(`kernels: ${paths['kernels']}`);
  for (const words of kernelLines(kernels)) line(`  ${words}`);
  line(
    `weights: ${formatBytes(placement.deviceBytes)} on the device, ${formatBytes(placement.hostBytes)} in the computer's memory; ` +
      `loaded in ${(loadMs / 1000).toFixed(1)} s`,
  );
  if (isProcessor) line(`A processor of ${availableParallelism()} threads does this, and no graphics card: it is slow by nature.`);
  line('');
  const width = Math.max(...measurements.map(({ name }) => name.length));
  for (const { name, mean, deviation, unit, shareOfCopyBandwidth, token } of measurements) {
    const share = shareOfCopyBandwidth === undefined ? '' : `, ${Math.round(100 * shareOfCopyBandwidth)} % of the copy`;
    const work = token
      ? `; a token: ${token.dispatches} dispatches, ${token.barriers} barriers, ` +
        `${inWords(token.submissions)}, ${Math.round(token.hostUs)} us of the host`
      : '';
    line(`${name.padEnd(width)}  ${mean.toFixed(2).padStart(10)} ± ${deviation.toFixed(2)} ${unit}${share}${work}`);
  }
  for (const what of leftOut) line(`left out: ${what}`);
}

function inWords(submissions: number): string {
  return submissions === 1 ? '1 submission' : `${submissions} submissions`;
}
