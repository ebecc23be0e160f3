/**
 * An Ollama models folder: `manifests/HOST/NAMESPACE/MODEL/TAG` (JSON) lists which of the
 * `blobs/sha256-HEX` make up a model. Read only.
 * Source: ollama v0.6.8, server/manifest.go and modelpath.go.
 */
import { readdir, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';
import * as v from 'valibot';
import { LoupeError } from '../../../errors.ts';
import { isBounded } from '../../../json.ts';
import { readRegularFile, textOf } from '../../../regular-file.ts';
import type { SamplingAdvice } from '../../ports.ts';
import { blobName, layersOf, ollamaHost, ollamaManifest, type OllamaLayer, type OllamaManifest } from '../ollama-manifest.ts';

/** A model that a manifest names. */
export interface ListedModel {
  /** As Ollama lists it: "llama3.2-vision:latest"; with namespace and host where they are not the usual ones. */
  name: string;
  tag: string;
  manifest: string;
}

export interface StoredModel extends ListedModel {
  /** The text file, and the projector where there is one. */
  files: string[];
  bytes: number;
  /** Texts that came with the model. */
  licences: string[];
  /** Of its parameters those that say how to sample; the context is the settings'. */
  advice: SamplingAdvice;
  /** What ends an answer besides the tokenizer's own tokens: special tokens, or any text. */
  stops: string[];
}

const usualNamespace = 'library';
const maxManifestBytes = 1 << 20;
const maxTextBytes = 1 << 20;
const mostStops = 64;
const longestStop = 256;

/** OLLAMA_MODELS, or where Ollama keeps its models: the user's and, on Linux, its service's. */
export function defaultStores(environment: NodeJS.ProcessEnv = process.env): string[] {
  const named = environment['OLLAMA_MODELS'];
  if (named) return [named];
  return [join(homedir(), '.ollama', 'models'), '/usr/share/ollama/.ollama/models'];
}

export async function isStore(folder: string): Promise<boolean> {
  const both = await Promise.all(['manifests', 'blobs'].map((name) => stat(join(folder, name)).catch(() => null)));
  return both.every((found) => found?.isDirectory());
}

/** Every manifest of the store, by name. */
export async function modelsOf(store: string): Promise<ListedModel[]> {
  const root = join(store, 'manifests');
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const models: ListedModel[] = [];
  for (const entry of entries) {
    const model = entry.isFile() ? listedAs(root, join(entry.parentPath, entry.name)) : null;
    if (model) models.push(model);
  }
  return models.sort((a, b) => a.name.localeCompare(b.name));
}

/** The store and the model that a file belongs to; null when it is not a manifest of a store. */
export async function storeOfManifest(path: string): Promise<{ folder: string; model: ListedModel } | null> {
  const folder = dirname(dirname(dirname(dirname(dirname(path)))));
  const model = listedAs(join(folder, 'manifests'), path);
  return model && (await isStore(folder)) ? { folder, model } : null;
}

/** Manifests are four levels deep. */
function listedAs(root: string, path: string): ListedModel | null {
  const parts = relative(root, path).split(sep);
  const [host, namespace, model, tag] = parts;
  if (parts.length !== 4 || !tag || host === '..') return null;
  const owner = host === ollamaHost ? (namespace === usualNamespace ? [] : [namespace]) : [host, namespace];
  return { name: `${[...owner, model].join('/')}:${tag}`, tag, manifest: path };
}

/**
 * Reads a manifest and looks for its blobs.
 * Rejects with `file_missing` when one is missing, `checkpoint_unsupported` for anything but a GGUF model.
 */
export async function openManifest(store: string, model: ListedModel): Promise<StoredModel> {
  const manifest = await readManifest(model);
  const ofKind = (kind: string): OllamaLayer[] => layersOf(manifest, kind);
  const weights = [...ofKind('model'), ...ofKind('projector')];
  if (ofKind('model').length === 0)
    throw new LoupeError('checkpoint_unsupported', `${model.name} holds no GGUF model; Ollama runs it elsewhere or in another format.`);
  if (ofKind('adapter').length > 0)
    throw new LoupeError(
      'checkpoint_unsupported',
      `${model.name} adds an adapter to its model, which Loupe does not run.`,
      'Choose the model without its adapter.',
    );
  const files = await Promise.all(weights.map((one) => blobOf(store, model, one)));
  const licences = await Promise.all(ofKind('license').map(async (one) => readText(await blobOf(store, model, one))));
  const [parameters] = await Promise.all(ofKind('params').map(async (one) => readText(await blobOf(store, model, one))));
  return { ...model, files, bytes: weights.reduce((sum, { size }) => sum + size, 0), licences, ...parametersIn(parameters) };
}

async function readManifest({ name, manifest }: ListedModel): Promise<OllamaManifest> {
  const damaged = new LoupeError(
    'checkpoint_header',
    `The manifest of ${name} (${manifest}) is damaged.`,
    `Run \`ollama pull ${name}\` again.`,
  );
  try {
    const text = (await readRegularFile(manifest, { mostBytes: maxManifestBytes })).toString('utf8');
    if (isBounded(text)) return v.parse(ollamaManifest, JSON.parse(text));
  } catch {
    // Said below.
  }
  throw damaged;
}

/** Older versions of Ollama wrote the colon into the file's name. */
async function blobOf(store: string, { name }: ListedModel, { digest }: OllamaLayer): Promise<string> {
  for (const file of [blobName(digest), digest]) {
    const path = join(store, 'blobs', file);
    if (await stat(path).catch(() => null)) return path;
  }
  throw new LoupeError(
    'file_missing',
    `A file of ${name} is missing from Ollama's store (blob ${digest.slice(7, 19)}).`,
    `Run \`ollama pull ${name}\`, or connect the drive that the store is on.`,
  );
}

const share = v.fallback(v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1))), undefined);
const stop = v.pipe(v.string(), v.minLength(1), v.maxLength(longestStop));
const parametersSchema = v.object({
  temperature: v.fallback(v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(2))), undefined),
  top_k: v.fallback(v.optional(v.pipe(v.number(), v.integer(), v.minValue(0))), undefined),
  top_p: share,
  min_p: share,
  repeat_penalty: v.fallback(v.optional(v.pipe(v.number(), v.gtValue(0), v.maxValue(4))), undefined),
  stop: v.fallback(
    v.optional(
      v.pipe(
        v.union([
          v.array(stop),
          v.pipe(
            stop,
            v.transform((text) => [text]),
          ),
        ]),
        v.maxLength(mostStops),
      ),
    ),
    undefined,
  ),
});

/** What is malformed is no advice. */
function parametersIn(text = '{}'): Pick<StoredModel, 'advice' | 'stops'> {
  const found = v.safeParse(v.pipe(v.string(), v.parseJson(), parametersSchema), text);
  if (!found.success) return { advice: {}, stops: [] };
  const { temperature, top_k: topK, top_p: topP, min_p: minP, repeat_penalty: repetitionPenalty, stop: stops = [] } = found.output;
  const advice = { temperature, topK, topP, minP, repetitionPenalty };
  return { advice: Object.fromEntries(Object.entries(advice).filter(([, value]) => value !== undefined)), stops };
}

async function readText(path: string): Promise<string> {
  return (await textOf(path, { mostBytes: maxTextBytes })) ?? '';
}
