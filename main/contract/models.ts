/** The engine, and models from the catalogue to the one that is loaded. */
import * as v from 'valibot';
import { id, count, time, side, failure } from './common.ts';
import { choiceServer, serverChoiceId, type Server } from './servers.ts';

/** Enough for two paths in a list. */
export const mostPathCharacters = 10_000;

export const modelChoice = v.strictObject({
  /** "demo", what `modelPaths` reads, or what `serverIdOf` reads. */
  id: v.string(),
  name: v.string(),
  kind: v.picklist(['demo', 'vision', 'text', 'guard', 'server']),
  bytes: v.nullable(count),
  /** False when its files are gone. */
  present: v.boolean(),
  /** Absent: it runs on this computer. */
  server: v.exactOptional(choiceServer),
});

export const engineState = v.strictObject({
  status: v.picklist(['stopped', 'loading', 'ready', 'failed']),
  model: v.nullable(modelChoice),
  /** While loading. */
  doneBytes: count,
  totalBytes: count,
  /** Before it is loaded for the first time on a device: kernels that are timed on it, once. Null otherwise. */
  timing: v.nullable(v.strictObject({ done: count, total: count })),
  device: v.nullable(v.strictObject({ name: v.string(), kind: v.picklist(['discrete', 'integrated', 'virtual', 'cpu', 'other']) })),
  contextLength: v.nullable(count),
  /** Weights that are in the computer's memory because the device has no room for them; null unless a model is loaded. */
  hostBytes: v.nullable(count),
  /** Null when the model cannot see. */
  vision: v.nullable(v.strictObject({ tileSize: side, maxTiles: side })),
  /** What the loaded model does with a question: answers it, continues it as text, or judges it. Null while none is loaded. */
  use: v.nullable(v.picklist(['chat', 'complete', 'guard'])),
  failure: v.nullable(failure),
  /** Why something else is loaded than was chosen, and the way back; null where it is what was chosen. */
  instead: v.nullable(v.strictObject({ message: v.string(), nextStep: v.string() })),
});

export const device = v.strictObject({
  index: count,
  name: v.string(),
  kind: v.picklist(['discrete', 'integrated', 'virtual', 'cpu', 'other']),
  memoryBytes: v.number(),
  suitable: v.boolean(),
  /** Why not, when it is not suitable. */
  reason: v.string(),
});

const quantisation = v.picklist(['bf16', 'q8_0', 'q4_k_m']);
const modelKind = v.picklist(['vision', 'text', 'guard']);
export const licenceId = v.picklist(['llama3.1', 'llama3.2', 'llama3.3']);

/** How a model would run on a device in one form of its weights. */
const fitting = v.strictObject({
  quantisation,
  outcome: v.picklist(['fits', 'slow', 'no']),
  /** One sentence. */
  reason: v.string(),
  /** An estimate, with a picture in force where the model sees; null where it does not run. */
  tokensPerSecond: v.nullable(v.number()),
  /** Weights, caches and working memory. */
  totalBytes: count,
});

const catalogueEntry = v.strictObject({
  id: v.string(),
  name: v.string(),
  kind: modelKind,
  /** What its prompts are: a conversation, a text to continue, a question of safety. */
  use: v.picklist(['chat', 'complete', 'guard']),
  purpose: v.string(),
  licence: licenceId,
  /** As published. */
  bytes: count,
  /** Its makers' repository, which requires an access token, or the name in Ollama's library, which requires none. */
  repository: v.string(),
  source: v.picklist(['hub', 'ollama']),
  /** Open copies. */
  mirrors: v.array(v.string()),
  /** What the disk of the usual folder lacks for a download; 0 where it has room, or where that is not known. */
  missingBytes: count,
  /** By device, the one that is used first. */
  fits: v.array(v.strictObject({ device: v.string(), recommended: v.nullable(quantisation), all: v.array(fitting) })),
  /** `id` of the ModelChoice that is this model, if one is. */
  model: v.nullable(v.string()),
});

/** The access token for the makers' repositories. The token itself is never sent to a window. */
export const hubToken = v.strictObject({
  /** `own`: given to Loupe. `environment`: HF_TOKEN. `tools`: kept by the tools of Hugging Face. Null: there is no token. */
  source: v.nullable(v.picklist(['own', 'environment', 'tools'])),
  /** How long Loupe keeps one that it is given. */
  kept: v.picklist(['keychain', 'session']),
  /** Why it is not in the keychain, or why the stored token is lost. */
  problem: v.nullable(v.string()),
});

export const catalogueView = v.strictObject({
  entries: v.array(catalogueEntry),
  /** Where downloads go unless another folder is named. */
  directory: v.string(),
  /** On that disk; null where it is not known. */
  freeBytes: v.nullable(count),
  /** `id` of models whose files Loupe downloaded, and may delete. */
  downloaded: v.array(v.string()),
  token: hubToken,
  /** Downloads are switched off. */
  offline: v.nullable(v.picklist(['environment', 'setting'])),
  /** Why there are no fits; null where there are. */
  devicesFailure: v.nullable(failure),
});

/** A model on this machine, which is used where it is. */
export const foundModel = v.strictObject({
  /** What `models.add` takes and `modelPaths` reads. */
  path: v.string(),
  source: v.picklist(['huggingface', 'ollama', 'lmstudio', 'llamacpp', 'folder']),
  name: v.string(),
  kind: modelKind,
  format: v.picklist(['safetensors', 'gguf']),
  /** Of most weights: "BF16", "Q4_K". */
  precision: v.string(),
  bytes: count,
  licence: licenceId,
  /** In the list of models already. */
  added: v.boolean(),
  problem: v.nullable(v.strictObject({ state: v.picklist(['incomplete', 'unsupported']), message: v.string() })),
});

/** How files that are here would run on the device that is used first. */
export const fileFit = v.strictObject({
  device: v.string(),
  outcome: v.picklist(['fits', 'slow', 'no']),
  /** One sentence. */
  reason: v.string(),
  /** What would help, a sentence; null where nothing is needed or known. */
  advice: v.nullable(v.string()),
  /** The form in which Loupe can make a copy that runs better. */
  copy: v.nullable(v.picklist(['q4_k_m', 'q8_0'])),
  /** Weights, caches and working memory, and what the device has room for. */
  totalBytes: count,
  roomBytes: count,
});

export const download = v.strictObject({
  id,
  /** In the catalogue. */
  model: v.string(),
  name: v.string(),
  repository: v.string(),
  directory: v.string(),
  state: v.picklist(['queued', 'running', 'paused', 'failed']),
  doneBytes: count,
  /** 0 until the files are listed. */
  totalBytes: count,
  /** Of the last seconds; null while it is not running. */
  bytesPerSecond: v.nullable(v.number()),
  /** Why it waits for another try while it is running: what the last met, and of how many tries in a row. */
  trouble: v.nullable(v.strictObject({ failure, tries: count, mostTries: count })),
  failure: v.nullable(failure),
});

/** The files of a model being read from end to end. */
export const verification = v.strictObject({
  /** `id` of a ModelChoice. */
  model: v.string(),
  state: v.picklist(['running', 'done', 'failed']),
  doneBytes: count,
  totalBytes: count,
  /** Files whose checksum is the stated one, is another, or is stated nowhere. */
  intact: count,
  changed: v.array(v.string()),
  unknown: count,
  failure: v.nullable(failure),
});

/** A model being quantised: a copy in fewer bits is written. */
export const quantising = v.strictObject({
  /** `id` of the ModelChoice that it is made from. */
  model: v.string(),
  form: v.picklist(['q4_k_m', 'q8_0']),
  state: v.picklist(['running', 'done', 'failed']),
  /** Of the weights that are read. */
  doneBytes: count,
  totalBytes: count,
  failure: v.nullable(failure),
});

/** Whether a model answers as it should on this computer. Warns, but does not keep anybody from using it. */
export const sanityCheck = v.strictObject({
  /** `id` of a ModelChoice. */
  model: v.string(),
  /** `failed`: it could not be checked; see `failure`. */
  state: v.picklist(['running', 'sound', 'wrong', 'failed']),
  /** What is wrong, a sentence each. */
  findings: v.array(v.string()),
  testedAt: v.nullable(time),
  /** The device that it was checked on. */
  device: v.string(),
  failure: v.nullable(failure),
});

export const licence = v.strictObject({
  id: licenceId,
  name: v.string(),
  version: v.string(),
  /** Addresses of the texts themselves. */
  text: v.string(),
  usePolicy: v.string(),
  /** What it says, in short. */
  points: v.array(v.string()),
  mustNot: v.array(v.string()),
  europe: v.nullable(v.string()),
  /** When this version was agreed to. */
  acceptedAt: v.nullable(time),
});

/** How a model that comes with the app introduces itself, and prompts to try. */
export const abilities = v.strictObject({
  introduction: v.string(),
  prompts: v.array(v.strictObject({ label: v.string(), text: v.string() })),
});

export type ModelChoice = v.InferOutput<typeof modelChoice>;
export type CatalogueEntry = v.InferOutput<typeof catalogueEntry>;
export type CatalogueView = v.InferOutput<typeof catalogueView>;
export type FileFit = v.InferOutput<typeof fileFit>;
export type Fitting = v.InferOutput<typeof fitting>;
export type FoundModel = v.InferOutput<typeof foundModel>;
export type Download = v.InferOutput<typeof download>;
export type Verification = v.InferOutput<typeof verification>;
export type Quantising = v.InferOutput<typeof quantising>;
export type SanityCheck = v.InferOutput<typeof sanityCheck>;
export type Licence = v.InferOutput<typeof licence>;
export type LicenceId = v.InferOutput<typeof licenceId>;
export type EngineState = v.InferOutput<typeof engineState>;
export type Device = v.InferOutput<typeof device>;
export type Abilities = v.InferOutput<typeof abilities>;

/** A server's model, among the others. */
export function serverChoice({
  id,
  name,
  model,
  ...server
}: Pick<Server, 'id' | 'name' | 'model' | 'host' | 'here' | 'sees' | 'contextLength'>): ModelChoice {
  const { host, here, sees, contextLength } = server;
  return {
    id: serverChoiceId(id),
    name: `${model} at ${name}`,
    kind: 'server',
    bytes: null,
    present: true,
    server: { name, host, here, sees, contextLength },
  };
}

/** What a server is taken to hold where it does not say. Tokens. */
export const usualServerContext = 32_768;

/** The state of an engine that is a server's: always ready, for nothing is asked of it before a question. Null for a model that runs here. */
export function serverState(model: ModelChoice): EngineState | null {
  if (!model.server) return null;
  const { sees, contextLength } = model.server;
  return {
    ...{
      status: 'ready',
      model,
      doneBytes: 0,
      totalBytes: 0,
      timing: null,
      device: null,
      hostBytes: null,
      failure: null,
      instead: null,
      use: 'chat',
    },
    contextLength: contextLength ?? usualServerContext,
    // How a server cuts pictures is its own affair; what is shown of it is that it sees.
    vision: sees ? { tileSize: 560, maxTiles: 4 } : null,
  };
}

/** Whether the files of a model lie in a folder. */
export function liesIn(id: string, folder: string): boolean {
  const below = [`${folder}/`, `${folder}\\`];
  return modelPaths(id).every((path) => path === folder || below.some((start) => path.startsWith(start)));
}

/** The paths behind a model's id: it is one path, or a JSON list where a model consists of several files. */
export function modelPaths(id: string): string[] {
  if (!id.startsWith('[')) return [id];
  try {
    const paths: unknown = JSON.parse(id);
    return Array.isArray(paths) && paths.length > 0 && paths.every((path) => typeof path === 'string' && path !== '')
      ? (paths as string[])
      : [id];
  } catch {
    return [id];
  }
}
