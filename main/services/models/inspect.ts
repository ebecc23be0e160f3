/** Looks at what may be a model on this machine: what it is, whether it is whole, whether Loupe runs it. Reads heads of files only. */
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { ModelRecord } from '../ports.ts';
import { LoupeError, toLoupeError, type ErrorCode } from '../errors.ts';
import { llama3Names } from '../prompt/gguf-files.ts';
import { catalogue, type CatalogueModel } from './catalogue.ts';
import { readGgufSummary, type GgufSummary } from './gguf-summary.ts';
import { architectureOfConfig, architectureOfGguf, sectionsOf } from './shape.ts';
import type { Architecture } from './sizes.ts';

export interface Inspection {
  kind: ModelRecord['kind'];
  format: 'safetensors' | 'gguf';
  /** "BF16", "Q4_K": the form of most weights. */
  precision: string;
  /** Of its files. */
  bytes: number;
  /** Of its weights on a device. */
  deviceBytes: number;
  /** Weight files, absolute. */
  files: string[];
  /** From what its files say, or the catalogue's; null where neither says enough. */
  architecture: Architecture | null;
  /** The catalogue's entry, where shape and name leave no doubt. */
  known: CatalogueModel | null;
  /** Why it cannot be used; null where it can. */
  problem: { state: 'incomplete' | 'unsupported'; code: ErrorCode; message: string } | null;
}

const maxJsonBytes = 64 * 1024 * 1024;

/** A folder in the published layout; null where there is no configuration of a model in it. Rejects where the folder cannot be read. */
export async function inspectFolder(directory: string, name = basename(directory)): Promise<Inspection | null> {
  const names = await readdir(directory);
  const config = names.includes('config.json') ? await readJson(join(directory, 'config.json')) : null;
  if (!config) return null;
  const weights = names.filter((file) => file.endsWith('.safetensors'));
  const files = weights.map((file) => join(directory, file));
  const architecture = config['model_type'];
  const vision = architecture === 'mllama';
  const known = identify(shapeOfConfig(config), name);
  const found = { kind: kindOf(vision, name), format: 'safetensors', files, known, architecture: known?.architecture ?? architectureOfConfig(config) } as const;
  const problem = (state: 'incomplete' | 'unsupported', code: ErrorCode, message: string): Inspection => ({ ...found, precision: '', bytes: 0, deviceBytes: 0, problem: { state, code, message } });

  if (!vision && architecture !== 'llama') return problem('unsupported', 'checkpoint_unsupported', `It is a model of the kind ${JSON.stringify(architecture ?? null)}, which Loupe does not run.`);
  const quantised = quantisationOf(config);
  if (quantised) return problem('unsupported', 'checkpoint_unsupported', quantised);
  try {
    const heads = await Promise.all(files.map(readSafetensorsHead));
    const bytes = heads.reduce((sum, head) => sum + head.bytes, 0);
    const whole: Inspection = { ...found, precision: mostOf(heads.flatMap(({ dtypes }) => dtypes)), bytes, deviceBytes: bytes, problem: null };
    const missing = await missingFiles(directory, names, weights);
    if (missing.length > 0) return { ...whole, problem: { state: 'incomplete', code: 'model_missing', message: `${missing.length === 1 ? 'One file is' : `${missing.length} files are`} missing: ${missing.slice(0, 3).join(', ')}${missing.length > 3 ? ' ...' : ''}.` } };
    const cut = heads.find((head) => head.bytes < head.expectedBytes);
    if (cut) return { ...whole, problem: { state: 'incomplete', code: 'file_truncated', message: `${basename(cut.path)} has ${cut.bytes} of ${cut.expectedBytes} bytes.` } };
    return whole;
  } catch (error) {
    const { code, message } = toLoupeError(error);
    return problem(code === 'file_truncated' || code === 'file_missing' ? 'incomplete' : 'unsupported', code, message);
  }
}

/** One GGUF file, a text file and its projector, or all parts of a large one. */
export async function inspectGguf(files: string[], name = basename(files[0]!, '.gguf')): Promise<Inspection> {
  const found = { format: 'gguf', files } as const;
  try {
    const heads = await Promise.all(files.map(readGgufSummary));
    const main = heads.find(({ metadata }) => metadata.get('general.type') !== 'projector') ?? heads[0]!;
    const architecture = main.metadata.get('general.architecture');
    const projector = heads.some((head) => head !== main && head.metadata.get('general.type') === 'projector');
    const vision = architecture === 'mllama';
    const title = String(main.metadata.get('general.name') ?? name);
    const known = identify(shapeOfGguf(heads), `${name} ${title}`);
    const inspection: Inspection = {
      ...found,
      kind: kindOf(vision, `${name} ${title}`),
      precision: mostOf(heads.flatMap(({ types }) => [...types].flatMap(([type, count]) => (type === 'F32' ? [] : Array<string>(count).fill(type))))) || 'F32',
      bytes: heads.reduce((sum, { bytes }) => sum + bytes, 0),
      deviceBytes: heads.reduce((sum, { deviceBytes }) => sum + deviceBytes, 0),
      known,
      architecture: known?.architecture ?? architectureOfGguf(heads.map(({ metadata }) => metadata)),
      problem: null,
    };
    const problem = (state: 'incomplete' | 'unsupported', code: ErrorCode, message: string): Inspection => ({ ...inspection, problem: { state, code, message } });
    if (main.metadata.get('general.type') === 'projector') return problem('incomplete', 'model_missing', 'It is only the picture part of a model; its text file is needed, too.');
    if (!vision && architecture !== 'llama') return problem('unsupported', 'checkpoint_unsupported', `It is a model of the kind ${JSON.stringify(architecture ?? null)}, which Loupe does not run.`);
    if (vision && !projector && !main.metadata.has('mllama.vision.block_count')) return problem('incomplete', 'model_missing', 'It is only the text part of a vision model; its projector is needed, too.');
    const foreign = foreignTokenizer(main);
    if (foreign) return problem('unsupported', 'checkpoint_unsupported', foreign);
    const cut = heads.findIndex(({ bytes, expectedBytes }) => bytes < expectedBytes);
    if (cut >= 0) return problem('incomplete', 'file_truncated', `${basename(files[cut]!)} has ${heads[cut]!.bytes} of ${heads[cut]!.expectedBytes} bytes.`);
    return inspection;
  } catch (error) {
    const { code, message } = toLoupeError(error);
    const state = code === 'file_truncated' || code === 'file_missing' ? 'incomplete' : 'unsupported';
    return { ...found, kind: kindOf(false, name), precision: '', bytes: 0, deviceBytes: 0, known: null, architecture: null, problem: { state, code, message } };
  }
}

/** Why its texts would not be understood; files of the same architecture come with tokenizers of other families. Null where nothing speaks against it. */
function foreignTokenizer({ metadata }: GgufSummary): string | null {
  const kind = metadata.get('tokenizer.ggml.model') ?? 'gpt2';
  const words = metadata.get('tokenizer.ggml.pre') ?? llama3Names[0];
  if (kind === 'gpt2' && llama3Names.includes(String(words))) return null;
  return `Its tokenizer is of the kind ${JSON.stringify(kind === 'gpt2' ? words : kind)}, and Loupe knows that of Llama 3.`;
}

function kindOf(vision: boolean, name: string): ModelRecord['kind'] {
  if (/guard/i.test(name)) return 'guard';
  return vision ? 'vision' : 'text';
}

/** Null for weights as they were trained. */
function quantisationOf(config: Record<string, unknown>): string | null {
  const quantisation = config['quantization_config'];
  if (typeof quantisation !== 'object' || quantisation === null) return null;
  const { quant_method: method, load_in_4bit: four, load_in_8bit: eight } = quantisation as Record<string, unknown>;
  if (method === 'bitsandbytes' || four === true || eight === true) return 'It is a bitsandbytes copy (4 or 8 bits for one Python library), which Loupe does not read. Take the original, or a GGUF file.';
  return `Its weights are quantised by ${JSON.stringify(method ?? 'an unnamed method')}, which Loupe does not read. Take the original, or a GGUF file.`;
}

/** Files that the index names and the folder lacks, and what no model works without. */
async function missingFiles(directory: string, names: string[], weights: string[]): Promise<string[]> {
  const missing = names.includes('tokenizer.json') ? [] : ['tokenizer.json'];
  if (names.includes('model.safetensors.index.json')) {
    const index = await readJson(join(directory, 'model.safetensors.index.json'));
    const map = index?.['weight_map'];
    const wanted = typeof map === 'object' && map !== null ? new Set(Object.values(map).filter((file) => typeof file === 'string')) : new Set<string>();
    // Links of a cache may point to what is gone.
    const gone = await Promise.all([...wanted].sort().map(async (file) => (await stat(join(directory, file)).catch(() => null)) ?? file));
    return [...missing, ...gone.filter((entry) => typeof entry === 'string')];
  }
  return weights.length === 0 ? [...missing, 'model.safetensors'] : missing;
}

interface SafetensorsHead {
  path: string;
  dtypes: string[];
  bytes: number;
  expectedBytes: number;
}

async function readSafetensorsHead(path: string): Promise<SafetensorsHead> {
  const handle = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    throw new LoupeError('file_missing', `${basename(path)} cannot be read (${error.code ?? error.message}).`);
  });
  try {
    const { size } = await handle.stat();
    const length = Buffer.alloc(8);
    if (size < 8 || (await handle.read(length, 0, 8, 0)).bytesRead < 8) throw new LoupeError('file_truncated', `${basename(path)} has only ${size} bytes.`);
    const headBytes = length.readBigUInt64LE();
    if (headBytes > BigInt(maxJsonBytes)) throw new LoupeError('checkpoint_header', `${basename(path)} is no safetensors file.`);
    const head = Buffer.alloc(Number(headBytes));
    const { bytesRead } = await handle.read(head, 0, head.length, 8);
    if (bytesRead < head.length) throw new LoupeError('file_truncated', `${basename(path)} ends inside its head, after ${size} bytes.`);
    const tensors = parse(head.toString('utf8'));
    if (!tensors) throw new LoupeError('checkpoint_header', `${basename(path)} is no safetensors file.`);
    let end = 0;
    const dtypes: string[] = [];
    for (const [name, tensor] of Object.entries(tensors)) {
      if (name === '__metadata__') continue;
      const { dtype, data_offsets: offsets } = tensor as { dtype?: unknown; data_offsets?: unknown };
      if (typeof dtype !== 'string' || !Array.isArray(offsets) || typeof offsets[1] !== 'number') throw new LoupeError('checkpoint_header', `${basename(path)} describes ${name} in an unknown form.`);
      dtypes.push(dtype);
      end = Math.max(end, offsets[1]);
    }
    return { path, dtypes, bytes: size, expectedBytes: 8 + head.length + end };
  } finally {
    await handle.close();
  }
}

interface Shape {
  hidden: unknown;
  layers: unknown;
  imageSize: unknown;
}

function shapeOfConfig(config: Record<string, unknown>): Shape {
  const { text, vision } = sectionsOf(config);
  return { hidden: text['hidden_size'], layers: text['num_hidden_layers'], imageSize: vision?.['image_size'] ?? null };
}

function shapeOfGguf(heads: GgufSummary[]): Shape {
  const find = (key: string): unknown => heads.map(({ metadata }) => metadata.get(key)).find((value) => value !== undefined);
  const of = (key: string): unknown => find(`mllama.${key}`) ?? find(`llama.${key}`);
  return { hidden: of('embedding_length'), layers: of('block_count'), imageSize: find('mllama.vision.image_size') ?? null };
}

/** Shapes tell sizes apart, names the rest: base or Instruct, Guard, 3.1 or 3.3. */
export function identify({ hidden, layers, imageSize }: Shape, name: string): CatalogueModel | null {
  const like = catalogue().filter(({ architecture: { text, vision } }) => text.hidden === hidden && text.layers === layers && (vision?.imageSize ?? null) === imageSize);
  const guard = /guard/i.test(name);
  const version = /3[._-]?([123])(?!\d)/.exec(name)?.[1];
  const instruct = /instruct|[-_]it\b|chat/i.test(name);
  const candidates = like.filter((model) => (model.kind === 'guard') === guard && (version === undefined || model.name.includes(`3.${version}`) || guard));
  const exact = candidates.filter(({ use }) => use === (guard ? 'guard' : instruct ? 'chat' : 'complete'));
  const [only] = exact.length > 0 ? exact : candidates;
  return (exact.length > 0 ? exact : candidates).length === 1 ? only! : null;
}

/** The most frequent; "" of none. */
function mostOf(values: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? '';
}

async function readJson(path: string): Promise<Record<string, unknown> | null> {
  const found = await stat(path).catch(() => null);
  if (!found?.isFile() || found.size > maxJsonBytes) return null;
  return parse(await readFile(path, 'utf8').catch(() => ''));
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
