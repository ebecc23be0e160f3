/** What a folder or GGUF files seem to be, by their configuration and heads; `inspectedBy` asks the engine whether they load. */
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Engine, ModelPlace, ModelRecord } from '../../ports.ts';
import { toLoupeError, type ErrorCode } from '../../../errors.ts';
import { parseJsonObject } from '../../../json.ts';
import { textOf } from '../../../regular-file.ts';
import { catalogue, type CatalogueModel } from '../catalogue.ts';
import { readGgufSummary, type GgufSummary } from './gguf-summary.ts';
import { architectureOfConfig, architectureOfGguf, sectionsOf } from './shape.ts';
import type { Architecture } from '../fit/sizes.ts';

export interface Inspection {
  kind: ModelRecord['kind'];
  format: 'safetensors' | 'gguf';
  /** "BF16", "Q4_K": the form of most weights; "" before the engine has inspected it. */
  precision: string;
  /** Of its files. */
  bytes: number;
  /** Of its weights on a device; 0 before the engine has inspected it. */
  deviceBytes: number;
  /** Weight files, absolute. */
  files: string[];
  /** From its files, or from the catalogue; null where neither is enough. */
  architecture: Architecture | null;
  /** The catalogue's entry, where shape and name leave no doubt. */
  known: CatalogueModel | null;
  /** Why it cannot be used; null where it can, or where the engine has not inspected it. */
  problem: Problem | null;
}

export interface Problem {
  state: 'incomplete' | 'unsupported';
  code: ErrorCode;
  message: string;
  nextStep: string;
}

/** The engine's `inspect`: what the loader makes of the files. */
export type Inspector = Engine['inspect'];

/** Of config.json, as in native/src/model/config.cpp; real ones have a few kilobytes. */
const mostJsonBytes = 4 * 1024 * 1024;

/** A problem that is put right by fetching more, or one of the files that are here. */
export function problemOf(error: unknown): Problem {
  const { code, message, nextStep } = toLoupeError(error);
  const incomplete: readonly ErrorCode[] = ['file_truncated', 'file_missing', 'model_missing', 'tokenizer_missing'];
  return { state: incomplete.includes(code) ? 'incomplete' : 'unsupported', code, message, nextStep };
}

/** Adds what the loader finds, which overrides what the files seemed to be. What has no files to load keeps its problem. */
export async function inspectedBy<Found extends Inspection & { path: string; name: string }>(
  inspector: Inspector,
  found: Found,
  signal?: AbortSignal,
): Promise<Found> {
  if (found.format === 'gguf' && (found.files.length === 0 || found.problem?.code === 'model_missing')) return found;
  const place: ModelPlace = found.format === 'gguf' ? { gguf: found.files } : { directory: found.path };
  try {
    const { precision, files, fileBytes, deviceBytes } = await inspector(place, { signal });
    return { ...found, precision, files, bytes: fileBytes, deviceBytes, problem: null };
  } catch (error) {
    signal?.throwIfAborted();
    const problem = problemOf(error);
    // Without an engine nothing can be inspected, and nothing run either.
    if (problem.code === 'engine_missing') return found;
    if (problem.code !== 'engine_crashed') return { ...found, problem };
    return {
      ...found,
      problem: {
        ...problem,
        message: `The engine stopped while it read the files of ${found.name}.`,
        nextStep: 'Download them again, or use another copy of the model.',
      },
    };
  }
}

/** What makes a folder one of a model: anything else named config.json is some program's. */
function holdsModel(names: readonly string[]): boolean {
  return names.some(
    (name) => /\.(safetensors|bin|pth?)$/.test(name) || name === 'adapter_config.json' || name === 'model.safetensors.index.json',
  );
}

/**
 * A folder with a model's configuration, an adapter or Meta's original files in it;
 * null for any other. Rejects where it cannot be read.
 */
export async function inspectFolder(directory: string, name = basename(directory)): Promise<Inspection | null> {
  const names = await readdir(directory);
  const isNamed =
    names.includes('config.json') || names.includes('adapter_config.json') || names.some((file) => /^consolidated\..*\.pth$/.test(file));
  if (!isNamed) return null;
  const config = parseJsonObject((await textOf(join(directory, 'config.json'), { within: directory, mostBytes: mostJsonBytes })) ?? '');
  const architecture = config?.['model_type'];
  if (typeof architecture !== 'string' && !holdsModel(names)) return null;
  const files = names.filter((file) => file.endsWith('.safetensors')).map((file) => join(directory, file));
  const known = config && identify(shapeOfConfig(config), name);
  return {
    kind: kindOf(architecture === 'mllama', name),
    format: 'safetensors',
    precision: '',
    bytes: await bytesOf(files),
    deviceBytes: 0,
    files,
    known,
    architecture: known?.architecture ?? (config && architectureOfConfig(config)),
    problem: config ? foreign(architecture) : null,
  };
}

/** One GGUF file, a text file and its projector, or all parts of a large one. */
export async function inspectGguf(files: string[], name = basename(files[0]!, '.gguf')): Promise<Inspection> {
  const found = { format: 'gguf', precision: '', deviceBytes: 0, files, bytes: await bytesOf(files) } as const;
  const heads = await Promise.all(files.map(readGgufSummary)).catch(() => null);
  if (!heads) return { ...found, kind: kindOf(false, name), known: null, architecture: null, problem: null };
  const main = heads.find(({ metadata }) => metadata.has(`${String(metadata.get('general.architecture'))}.block_count`)) ?? heads[0]!;
  const architecture = main.metadata.get('general.architecture');
  const title = `${name} ${String(main.metadata.get('general.name') ?? '')}`;
  const known = identify(shapeOfGguf(heads), title);
  return {
    ...found,
    kind: kindOf(architecture === 'mllama', title),
    known,
    architecture: known?.architecture ?? architectureOfGguf(heads.map(({ metadata }) => metadata)),
    problem: foreign(architecture),
  };
}

/** Models of other makers, which are kept in the same places, can be recognised without the engine. */
function foreign(architecture: unknown): Problem | null {
  if (architecture === 'mllama' || architecture === 'llama' || architecture === undefined) return null;
  return {
    state: 'unsupported',
    code: 'checkpoint_unsupported',
    message: `It is a model of type ${JSON.stringify(architecture)}, which Loupe does not run.`,
    nextStep: '',
  };
}

function kindOf(vision: boolean, name: string): ModelRecord['kind'] {
  if (/guard/i.test(name)) return 'guard';
  return vision ? 'vision' : 'text';
}

async function bytesOf(files: string[]): Promise<number> {
  const sizes = await Promise.all(
    files.map((file) =>
      stat(file).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
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

/** Shapes tell the sizes apart, names the rest: base or Instruct, Guard, 3.1 or 3.3. */
export function identify({ hidden, layers, imageSize }: Shape, name: string): CatalogueModel | null {
  const like = catalogue().filter(
    // What a library has ready is another form of a model that is published.
    ({ library, architecture: { text, vision } }) =>
      !library && text.hidden === hidden && text.layers === layers && (vision?.imageSize ?? null) === imageSize,
  );
  const guard = /guard/i.test(name);
  const version = /3[._-]?([123])(?!\d)/.exec(name)?.[1];
  const instruct = /instruct|[-_]it\b|chat/i.test(name);
  const candidates = like.filter(
    (model) => (model.kind === 'guard') === guard && (version === undefined || model.name.includes(`3.${version}`) || guard),
  );
  const exact = candidates.filter(({ use }) => use === (guard ? 'guard' : instruct ? 'chat' : 'complete'));
  const [only] = exact.length > 0 ? exact : candidates;
  return (exact.length > 0 ? exact : candidates).length === 1 ? only! : null;
}
