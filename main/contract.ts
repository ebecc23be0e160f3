/**
 * Everything that the window and the app say to each other: each request and each event once,
 * with the parser of what it carries. Both ends are derived from `requests` and `events`.
 *
 * Times are milliseconds since 1970, sizes bytes, lengths pixels, unless a name says otherwise.
 * A picture is named by the SHA-256 of its file, in hexadecimal; `pictureUrl` shows it.
 */
import * as v from 'valibot';

// --- what is named

const id = v.pipe(v.number(), v.integer(), v.minValue(1));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const time = count;
const hash = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const text = (most: number) => v.pipe(v.string(), v.maxLength(most));
const side = v.pipe(v.number(), v.integer(), v.minValue(1));
const size = v.strictObject({ width: side, height: side });
/** Whole pixels, inside the picture or display that it is part of. */
const region = v.strictObject({ x: count, y: count, width: side, height: side });

/** Longest texts, in UTF-16 units. A pasted book is a document, not a message. */
export const limits = {
  message: 200_000,
  title: 200,
  systemPrompt: 20_000,
  search: 200,
  pictureBytes: 64 * 1024 * 1024,
  picturesPerMessage: 6,
} as const;

const failure = v.strictObject({ ok: v.literal(false), code: v.string(), message: v.string(), nextStep: v.string() });

// --- pictures

/** Which page, frame or size it is of a file that holds several; numbers from 1 on. */
const pagePart = v.strictObject({ unit: v.picklist(['page', 'frame', 'size']), number: side, count: side });

/** What became of a file when it was read, where there is something to say. */
const reading = {
  /** What lies under its transparent parts. */
  ground: v.optional(v.picklist(['white', 'black', 'grey'])),
  /** The file ends before its picture does. */
  cutOff: v.optional(v.literal(true)),
};

/** Where a picture came from; `of` are the pictures that it was made of. */
const origin = v.variant('kind', [
  v.strictObject({ kind: v.picklist(['paste', 'drop', 'file', 'capture']), ...reading }),
  /** A picture of its own; `of` is the whole file. */
  v.strictObject({ kind: v.literal('page'), of: hash, ...pagePart.entries, ...reading }),
  v.strictObject({ kind: v.literal('crop'), of: hash, region, ...reading }),
  v.strictObject({
    kind: v.literal('compose'),
    of: v.array(hash),
    layout: v.picklist(['row', 'column', 'grid']),
    labels: v.boolean(),
    ...reading,
  }),
]);

const picture = v.strictObject({
  hash,
  /** The file's name, or "Pasted picture". */
  name: v.string(),
  /** Upright. */
  width: side,
  height: side,
  bytes: count,
  origin,
});

/** Pages of a file, six at most at a time. */
const pages = v.strictObject({
  unit: pagePart.entries.unit,
  count: side,
  /** That can be chosen, from the first on: long animations are not followed to their end. */
  offered: side,
  /** WebP in base64; null where that page cannot be read. */
  previews: v.array(v.strictObject({ number: side, width: count, height: count, preview: v.nullable(v.string()) })),
});

const point = v.tuple([v.number(), v.number()]);
/** Corners of a rectangle that may be turned, from its upper left clockwise as one reads; pixels of the picture. */
const quad = v.tuple([point, point, point, point]);

/** A piece of text that stands by itself in a picture: a line, or a cell of a table. In the order of reading. */
const textLine = v.strictObject({
  /** What stands between it and the one before: "", " ", tabs, one or two line ends. All of them after another are the text. */
  before: v.string(),
  text: v.string(),
  /** Mean probability of its characters, from 0 to 1. */
  confidence: v.number(),
  quad,
  words: v.array(v.strictObject({ text: v.string(), quad })),
});

/**
 * What the model sees of a picture. It lies, scaled to `resized`, in the upper left corner of
 * `canvas`, which is cut into `grid` tiles of `tileSize`.
 */
const modelView = v.strictObject({
  picture: size,
  resized: size,
  canvas: size,
  /** Columns and rows of tiles. */
  grid: v.strictObject({ columns: side, rows: side }),
  tileSize: side,
  /** resized / picture; below 1 detail is lost. */
  scale: v.number(),
  /** How small text may be, in pixels of the picture, to be still read. */
  smallestText: v.number(),
  verdict: v.picklist(['sharp', 'soft', 'blurred']),
});

// --- conversations

const turnStatistics = v.strictObject({
  promptTokens: count,
  reusedTokens: count,
  generatedTokens: count,
  imagesEncoded: count,
  imagesCached: count,
  prepareMs: v.number(),
  encodeMs: v.number(),
  prefillMs: v.number(),
  firstTokenMs: v.number(),
  decodeMs: v.number(),
  /** Of the last token; null where fewer than two leave nothing to measure. */
  tokensPerSecond: v.nullable(v.number()),
  contextLength: count,
  /** Oldest messages that were left out of the prompt because they no longer fit. */
  forgottenMessages: count,
});

/**
 * `streaming`: being written by this process. `interrupted`: the process ended meanwhile; it
 * can be continued. `stopped`: by the reader. `failed`: see `failure`; what there is stays.
 */
const messageState = v.picklist(['complete', 'streaming', 'interrupted', 'stopped', 'failed']);

/** `unclear`: the guard wrote neither word. Categories as the guard names them: "S1" to "S14". */
const verdict = v.strictObject({ finding: v.picklist(['safe', 'unsafe', 'unclear']), categories: v.array(v.string()) });

/** What a guard says of a question and its answer, with the picture in force. */
const judgement = v.strictObject({
  /** Name of the guard. Where it is also who answered, the answer's text is the verdict on the question. */
  by: v.string(),
  question: verdict,
  answer: v.nullable(verdict),
  /** From the first to the last word of it, loading the guard included where it had to be. */
  ms: v.number(),
});

const message = v.strictObject({
  id,
  conversationId: id,
  /** Null for the first message. Siblings (same parent) are branches. */
  parentId: v.nullable(id),
  role: v.picklist(['user', 'assistant']),
  text: v.string(),
  /** In order; of several, the model sees the last. */
  pictures: v.array(picture),
  state: messageState,
  failure: v.nullable(failure),
  /** Why an answer ended: a stop token, the length asked for, or a full context. */
  finish: v.nullable(v.picklist(['stop', 'length', 'context', 'cancelled'])),
  /** Who answered; null for users. */
  model: v.nullable(v.string()),
  statistics: v.nullable(turnStatistics),
  /** Null where no guard was asked. */
  judgement: v.nullable(judgement),
  createdAt: time,
});

const conversationSummary = v.strictObject({
  id,
  title: v.string(),
  pinned: v.boolean(),
  createdAt: time,
  /** Of the last message. */
  updatedAt: time,
  messageCount: count,
  /** The last picture, for the list. */
  picture: v.nullable(hash),
  /** An answer is being written. */
  busy: v.boolean(),
});

const draft = v.strictObject({ text: text(limits.message), pictures: v.array(picture) });

/** How far the check of an answer by a guard is; what comes of it is told by `message.changed`. */
const checkState = v.strictObject({
  messageId: id,
  conversationId: id,
  phase: v.picklist(['waiting', 'judging', 'failed']),
  failure: v.nullable(failure),
});

const conversation = v.strictObject({
  ...conversationSummary.entries,
  /** The whole tree, parents before children. */
  messages: v.array(message),
  /** The last message of the branch that is shown; null while there is none. */
  leafId: v.nullable(id),
  /** Stays in force whatever is attached later; null = the last picture is in force. */
  pinnedPicture: v.nullable(picture),
  /** Of answers that wait for a guard, or could not be checked. */
  checks: v.array(checkState),
  draft,
});

const searchHit = v.strictObject({
  conversationId: id,
  /** Null when the title was found. */
  messageId: v.nullable(id),
  title: v.string(),
  /** Text around the hit, in pieces; the marked ones matched. */
  snippet: v.array(v.strictObject({ text: v.string(), hit: v.boolean() })),
  at: time,
});

// --- engine and models

/** Of two paths in a list. */
const mostPathCharacters = 10_000;

const modelChoice = v.strictObject({
  /** "demo", or what `modelPaths` reads. */
  id: v.string(),
  name: v.string(),
  kind: v.picklist(['demo', 'vision', 'text', 'guard']),
  bytes: v.nullable(count),
  /** False when its files are gone. */
  present: v.boolean(),
});

const engineState = v.strictObject({
  status: v.picklist(['stopped', 'loading', 'ready', 'failed']),
  model: v.nullable(modelChoice),
  /** While loading. */
  doneBytes: count,
  totalBytes: count,
  device: v.nullable(v.strictObject({ name: v.string(), kind: v.picklist(['discrete', 'integrated', 'virtual', 'cpu', 'other']) })),
  contextLength: v.nullable(count),
  /** Weights that lie in the computer's memory because the device has no room for them; null unless a model is loaded. */
  hostBytes: v.nullable(count),
  /** Null when the model cannot see. */
  vision: v.nullable(v.strictObject({ tileSize: side, maxTiles: side })),
  /** What the loaded model does with a question: answers it, continues it as text, or judges it. Null while none is loaded. */
  use: v.nullable(v.picklist(['chat', 'complete', 'guard'])),
  failure: v.nullable(failure),
});

const device = v.strictObject({
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
const licenceId = v.picklist(['llama3.1', 'llama3.2', 'llama3.3']);

/** How a model would run on a device in one form of its weights. */
const fitting = v.strictObject({
  quantisation,
  verdict: v.picklist(['fits', 'slow', 'no']),
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
  /** Its makers' repository; wants an access token. */
  repository: v.string(),
  /** Open copies. */
  mirrors: v.array(v.string()),
  /** By device, the one that is used first. */
  fits: v.array(v.strictObject({ device: v.string(), recommended: v.nullable(quantisation), all: v.array(fitting) })),
  /** `id` of the ModelChoice that is this model, if one is. */
  model: v.nullable(v.string()),
});

/** The access token for the makers' repositories. It is never told. */
const hubToken = v.strictObject({
  /** `own`: given to Loupe. `environment`: HF_TOKEN. `tools`: kept by the tools of Hugging Face. Null: there is none. */
  source: v.nullable(v.picklist(['own', 'environment', 'tools'])),
  /** How long Loupe keeps one that it is given. */
  kept: v.picklist(['keychain', 'session']),
  /** Why not in the keychain, or why what was kept is gone. */
  problem: v.nullable(v.string()),
});

const catalogueView = v.strictObject({
  entries: v.array(catalogueEntry),
  /** Where downloads go unless another folder is named. */
  directory: v.string(),
  /** On that disk; null where it is not known. */
  freeBytes: v.nullable(count),
  /** `id` of models whose files Loupe downloaded, and may delete. */
  downloaded: v.array(v.string()),
  token: hubToken,
  /** Nothing may be fetched. */
  offline: v.boolean(),
  /** Why there are no fits; null where there are. */
  devicesFailure: v.nullable(failure),
});

/** A model on this machine that is used where it lies. */
const foundModel = v.strictObject({
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
const fileFit = v.strictObject({
  device: v.string(),
  verdict: v.picklist(['fits', 'slow', 'no']),
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

const download = v.strictObject({
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
  failure: v.nullable(failure),
});

/** The files of a model being read from end to end. */
const verification = v.strictObject({
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

/** A smaller copy of a model being written. */
const shrinking = v.strictObject({
  /** `id` of the ModelChoice that it is made from. */
  model: v.string(),
  form: v.picklist(['q4_k_m', 'q8_0']),
  state: v.picklist(['running', 'done', 'failed']),
  /** Of the weights that are read. */
  doneBytes: count,
  totalBytes: count,
  failure: v.nullable(failure),
});

/** Whether a model answers as it should on this computer. Warns, and keeps nobody from using it. */
const selfTest = v.strictObject({
  /** `id` of a ModelChoice. */
  model: v.string(),
  /** `failed`: it could not be tried; see `failure`. */
  state: v.picklist(['running', 'sound', 'wrong', 'failed']),
  /** What is wrong, a sentence each. */
  findings: v.array(v.string()),
  testedAt: v.nullable(time),
  /** Where it was tried. */
  device: v.string(),
  failure: v.nullable(failure),
});

const licence = v.strictObject({
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

/** What a model that comes with the app says of itself, and what it may be asked. */
export const abilities = v.strictObject({
  introduction: v.string(),
  prompts: v.array(v.strictObject({ label: v.string(), text: v.string() })),
});

// --- settings

const prompt = v.strictObject({ label: text(60), text: text(limits.message) });

const settings = v.strictObject({
  theme: v.picklist(['system', 'light', 'dark']),
  /** Electron's notation, as in "CommandOrControl+Shift+Space"; null = none. */
  hotkey: v.nullable(text(100)),
  /** `id` of a ModelChoice. */
  model: v.string(),
  /** Part of a device's name or its index; null chooses by itself. */
  device: v.nullable(text(200)),
  /** Tokens; null = as the model and the memory allow. */
  contextLength: v.nullable(v.pipe(v.number(), v.integer(), v.minValue(256), v.maxValue(131_072))),
  /** Where downloads and smaller copies go; null = the usual folder. Set by `models.setFolder`, which looks whether it can be. */
  modelsDirectory: v.nullable(text(4096)),
  maxTokens: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(16_384)),
  /** Null = as the model's makers advise. */
  temperature: v.nullable(v.pipe(v.number(), v.minValue(0), v.maxValue(2))),
  topP: v.nullable(v.pipe(v.number(), v.gtValue(0), v.maxValue(1))),
  systemPrompt: text(limits.systemPrompt),
  /** `id` of the guard that checks every answer; null = none. */
  guard: v.nullable(text(mostPathCharacters)),
  /** Offered in the quick-ask window and the composer. */
  prompts: v.pipe(v.array(prompt), v.maxLength(20)),
  autostart: v.boolean(),
  startMinimised: v.boolean(),
  closeToTray: v.boolean(),
  sendWith: v.picklist(['enter', 'mod-enter']),
  /** How often the hints of the capture overlay were shown. */
  captureHintsShown: count,
  /** The first-run page was left. */
  welcomed: v.boolean(),
});

export const defaultSettings: Settings = {
  theme: 'system',
  hotkey: 'CommandOrControl+Shift+Space',
  model: 'demo',
  device: null,
  contextLength: null,
  modelsDirectory: null,
  maxTokens: 1024,
  temperature: null,
  topP: null,
  systemPrompt: '',
  guard: null,
  prompts: [
    { label: 'Summarise', text: 'Summarise what this shows.' },
    { label: 'Read the text', text: 'Read the text in this picture.' },
    { label: 'Explain', text: 'Explain what this shows.' },
    { label: 'What’s wrong here?', text: 'What is wrong here, and how can it be fixed?' },
  ],
  autostart: false,
  startMinimised: false,
  closeToTray: true,
  sendWith: 'enter',
  captureHintsShown: 0,
  welcomed: false,
};

// --- what is kept, and in what state it is

const storageState = v.strictObject({
  /**
   * `writable`: as it should be. `full` and `readOnly`: what is kept can be read, searched and exported, and on a full
   * disk deleted. `closed`: it could not be opened; requests that need it fail with `problem`.
   */
  access: v.picklist(['writable', 'full', 'readOnly', 'closed']),
  /** Why it is not writable; null where it is. */
  problem: v.nullable(failure),
  /** What was found wrong in a database that is open; null where nothing is known. */
  damage: v.nullable(v.strictObject({ ...failure.entries, /** It can be read whole, and be used as it is. */ usable: v.boolean() })),
  /** Counts up when another database takes the place of the one that windows have seen. */
  generation: count,
});

const backup = v.strictObject({
  /** Of its file. */
  name: v.string(),
  /** By the clock of that time. */
  at: time,
  /** `update`: made before a new version of Loupe changed the database. */
  reason: v.picklist(['daily', 'update']),
  bytes: count,
  /** Null where they cannot be counted. */
  conversations: v.nullable(count),
  /** Only `sound` ones can be restored. `newer`: of a Loupe that knows more. */
  state: v.picklist(['sound', 'damaged', 'newer']),
});

// --- capture

const display = v.strictObject({
  id: v.string(),
  name: v.string(),
  /** Of the frozen frame, in its own pixels. */
  size,
  /** The frozen frame, as a picture address. */
  url: v.string(),
  /** The region captured last on this display. */
  last: v.nullable(region),
});

const captureState = v.strictObject({
  /** `app`: the app freezes the screen. `browser`: the window asks the browser. `none`: see `reason`. */
  by: v.picklist(['app', 'browser', 'none']),
  reason: v.nullable(v.string()),
  hotkey: v.strictObject({
    accelerator: v.nullable(v.string()),
    /** `unsure`: the system says yes, but may never deliver it (Wayland). */
    status: v.picklist(['registered', 'unsure', 'taken', 'off', 'unsupported']),
    /** What to do, in words; empty when there is nothing to do. */
    advice: v.string(),
  }),
  permission: v.picklist(['granted', 'missing', 'not-needed']),
});

// --- requests

const none = v.strictObject({});
const done = v.null();

/**
 * Every request: what it takes and what it answers. Failures come back as `Failure` in place of
 * the answer. Nothing is answered twice.
 */
export const requests = {
  'app.info': {
    input: none,
    output: v.strictObject({
      version: v.string(),
      host: v.picklist(['electron', 'web']),
      platform: v.string(),
      dataDirectory: v.string(),
      logsDirectory: v.string(),
      /** The demo model's, or null where it is not installed. */
      abilities: v.nullable(abilities),
      recentPrompts: v.array(v.string()),
    }),
  },
  /** Opens a folder in the file manager where the host can; `opened` says whether it did. */
  'app.openFolder': {
    input: v.strictObject({ which: v.picklist(['data', 'logs']) }),
    output: v.strictObject({ path: v.string(), opened: v.boolean() }),
  },
  /** Text of a licence or notice that comes with the app. */
  'app.licences': { input: none, output: v.array(v.strictObject({ name: v.string(), text: v.string() })) },

  'storage.state': { input: none, output: storageState },
  /** Looks again: whether it can be written to, or opened. */
  'storage.retry': { input: none, output: storageState },
  /** Newest first, by their order, not by the clock. Each is read and checked, which takes a moment. */
  'storage.backups': { input: none, output: v.array(backup) },
  /** Puts a backup in the place of what is there now, which is kept aside; `storage.changed` tells of another generation. */
  'storage.restore': { input: v.strictObject({ name: text(255) }), output: v.strictObject({ keptAside: v.nullable(v.string()) }) },
  /** An empty database in the place of one that cannot be opened, which is kept aside. */
  'storage.startAnew': { input: none, output: v.strictObject({ keptAside: v.nullable(v.string()) }) },
  /** Uses a database that was changed while Loupe was closed, and is sound in itself. */
  'storage.accept': { input: none, output: storageState },
  /** Deletes for good what was deleted and could still be brought back. */
  'storage.emptyBin': { input: none, output: v.strictObject({ freedBytes: count }) },

  'settings.get': { input: none, output: settings },
  /** But for the folder of models: `models.setFolder` looks at it first. */
  'settings.set': { input: v.partial(v.omit(settings, ['modelsDirectory'])), output: settings },

  'engine.state': { input: none, output: engineState },
  /** Loads the chosen model (again), as after a failure. Answers at once; `engine.changed` tells the rest. */
  'engine.load': { input: none, output: done },
  'engine.devices': { input: none, output: v.array(device) },

  'models.list': { input: none, output: v.array(modelChoice) },
  /** Records a model where it lies, after looking into it. Fails with `licence_needed` until its licence is agreed to. */
  'models.add': { input: v.strictObject({ path: text(mostPathCharacters) }), output: modelChoice },
  /** Forgets the record; files stay, unless Loupe downloaded them and `files` is true. */
  'models.remove': { input: v.strictObject({ id: v.string(), files: v.optional(v.boolean()) }), output: done },
  /** What can be downloaded, and how it would run here. */
  'models.catalogue': { input: none, output: catalogueView },
  /** Models on this machine: in the usual places, or at a path. */
  'models.find': { input: v.strictObject({ path: v.nullable(text(mostPathCharacters)) }), output: v.array(foundModel) },
  /** To be asked before a model is chosen. Null where it is not known: of the demo model, of unknown shapes, without a device. */
  'models.fit': { input: v.strictObject({ path: text(mostPathCharacters) }), output: v.nullable(fileFit) },
  'models.downloads': { input: none, output: v.array(download) },
  /**
   * `repository` null: the makers' with a token, else the first open copy. `directory` null: the
   * usual place. Fails with `licence_needed` until the licence is agreed to; answers when it is queued.
   */
  'models.download': {
    input: v.strictObject({ model: v.string(), repository: v.nullable(text(200)), directory: v.nullable(text(4096)) }),
    output: download,
  },
  'models.pause': { input: v.strictObject({ id }), output: done },
  'models.resume': { input: v.strictObject({ id }), output: done },
  /** Deletes what has arrived. */
  'models.cancel': { input: v.strictObject({ id }), output: done },
  /** Answers at once; `verifications.changed` tells the rest. */
  'models.verify': { input: v.strictObject({ id: v.string() }), output: done },
  'models.verifications': { input: none, output: v.array(verification) },
  /** Writes a smaller copy of a published model below the models folder. Answers at once; `shrinkings.changed` tells the rest. */
  'models.shrink': { input: v.strictObject({ id: v.string(), form: v.picklist(['q4_k_m', 'q8_0']) }), output: done },
  /** What is written is kept, and gone on with the next time. */
  'models.stopShrinking': { input: v.strictObject({ id: v.string() }), output: done },
  'models.shrinkings': { input: none, output: v.array(shrinking) },
  /** Of models that were tried: by themselves, when they are first loaded, and again with other files, another device or driver. */
  'models.selfTests': { input: none, output: v.array(selfTest) },
  /** Asks the person for a folder; null where none was chosen or the host cannot ask (only `electron` can). */
  'models.chooseFolder': { input: none, output: v.nullable(v.string()) },
  /** Where downloads go, and how many bytes are free there. */
  'models.folder': { input: none, output: v.strictObject({ directory: v.string(), freeBytes: v.nullable(count) }) },
  'models.setFolder': { input: v.strictObject({ path: v.nullable(text(4096)) }), output: settings },
  'models.licence': { input: v.strictObject({ licence: licenceId }), output: licence },
  'models.acceptLicence': { input: v.strictObject({ licence: licenceId, version: text(40) }), output: licence },
  /** The access token for the makers' repositories; null forgets it. It is never answered. */
  'models.token': {
    input: v.strictObject({ token: v.nullable(v.pipe(text(300), v.trim(), v.regex(/^[\x21-\x7e]+$/))) }),
    output: hubToken,
  },

  /** Newest first, pinned ones before them. */
  'conversations.list': { input: none, output: v.array(conversationSummary) },
  'conversations.open': { input: v.strictObject({ id }), output: conversation },
  /** Words in any order; the last may be unfinished. Best first. */
  'conversations.search': {
    input: v.strictObject({ query: text(limits.search), limit: v.pipe(side, v.maxValue(200)) }),
    output: v.array(searchHit),
  },
  'conversations.rename': {
    input: v.strictObject({ id, title: v.pipe(v.string(), v.trim(), v.minLength(1), v.maxLength(limits.title)) }),
    output: done,
  },
  'conversations.pin': { input: v.strictObject({ id, pinned: v.boolean() }), output: done },
  /** Can be undone with `conversations.restore` for 30 days. Stops an answer that is being written. */
  'conversations.delete': { input: v.strictObject({ id }), output: done },
  'conversations.restore': { input: v.strictObject({ id }), output: done },
  /** Shows the newest branch that holds this message. Answers the new leaf. */
  'conversations.selectBranch': { input: v.strictObject({ messageId: id }), output: v.strictObject({ leafId: id }) },
  'conversations.pinPicture': { input: v.strictObject({ id, hash: v.nullable(hash) }), output: done },
  /** What stands in the composer; `id` null is the composer of a conversation that does not exist yet. */
  'conversations.saveDraft': {
    input: v.strictObject({ id: v.nullable(id), text: text(limits.message), pictures: v.array(hash) }),
    output: done,
  },
  'conversations.draft': { input: none, output: draft },
  'conversations.export': {
    input: v.strictObject({ id, format: v.picklist(['markdown', 'json']) }),
    output: v.strictObject({ fileName: v.string(), text: v.string() }),
  },

  /**
   * Asks. `conversationId` null begins a conversation; `parentId` is the message that this one
   * follows (null: the first), so that an edited question becomes a branch beside the old one.
   * Answers when both messages are stored; the answer then streams.
   */
  'chat.send': {
    input: v.strictObject({
      conversationId: v.nullable(id),
      parentId: v.nullable(id),
      text: v.pipe(text(limits.message), v.trim(), v.minLength(1)),
      pictures: v.pipe(v.array(hash), v.maxLength(limits.picturesPerMessage)),
    }),
    output: v.strictObject({ conversation: conversationSummary, question: message, answer: message }),
  },
  /** Another answer to the same question, beside the one named. */
  'chat.regenerate': { input: v.strictObject({ messageId: id }), output: message },
  /** Goes on where an interrupted, stopped, failed or cut answer ends. */
  'chat.continue': { input: v.strictObject({ messageId: id }), output: message },
  'chat.stop': { input: v.strictObject({ messageId: id }), output: done },
  /** How full the context would be with this question; null while no model is loaded. */
  'chat.measure': {
    input: v.strictObject({ conversationId: v.nullable(id), parentId: v.nullable(id), text: text(limits.message), pictures: count }),
    output: v.nullable(v.strictObject({ promptTokens: count, contextLength: count, forgottenMessages: count })),
  },

  /** Of a file that holds several pictures, the one that is looked at where nobody chose. */
  'pictures.add': {
    input: v.strictObject({
      bytes: v.pipe(v.instance(Uint8Array), v.maxLength(limits.pictureBytes)),
      name: text(255),
      kind: v.picklist(['paste', 'drop', 'file', 'capture']),
    }),
    output: picture,
  },
  /** Some pages of the file that a page is of, from a number on. */
  'pictures.pages': { input: v.strictObject({ hash, from: side }), output: pages },
  /** Another page of that file. */
  'pictures.page': { input: v.strictObject({ hash, number: side }), output: picture },
  'pictures.crop': { input: v.strictObject({ hash, region }), output: picture },
  /** Two to six pictures beside each other, one below the other, or as a grid; labels are A, B, C ... */
  'pictures.compose': {
    input: v.strictObject({
      hashes: v.pipe(v.array(hash), v.minLength(2), v.maxLength(6)),
      layout: v.picklist(['row', 'column', 'grid']),
      labels: v.boolean(),
    }),
    output: picture,
  },
  /** Reads the text in it, which needs no model; `text.line` tells of each line meanwhile. Rejects with `cancelled` after `pictures.stopText`. */
  'pictures.text': { input: v.strictObject({ hash }), output: v.array(textLine) },
  'pictures.stopText': { input: v.strictObject({ hash }), output: done },
  /** For the model that is loaded, else for the published one (560-pixel tiles). */
  'pictures.view': { input: size, output: modelView },

  'capture.state': { input: none, output: captureState },
  /** Freezes the screen and shows the overlay. `last` captures the last region again without one. Only where `by` is `app`. */
  'capture.start': { input: v.strictObject({ mode: v.picklist(['region', 'display', 'last']) }), output: done },
  /** For the overlay window: what it shows. */
  'capture.display': { input: v.strictObject({ displayId: v.string() }), output: display },
  /** The frozen display is on the page: its window can be shown. */
  'capture.drawn': { input: v.strictObject({ displayId: v.string() }), output: done },
  'capture.finish': { input: v.strictObject({ displayId: v.string(), region }), output: done },
  /** Reads the text of a region; `text.line` tells of each line meanwhile. The capture goes on; its end stops it. */
  'capture.text': { input: v.strictObject({ displayId: v.string(), region }), output: v.array(textLine) },
  'capture.cancel': { input: none, output: done },
  /** For the quick-ask window: the picture that it asks about. */
  'capture.current': { input: none, output: v.nullable(picture) },
  /** Waits up to ten seconds for the hotkey; true when it came. */
  'capture.testHotkey': { input: none, output: v.strictObject({ pressed: v.boolean() }) },
  /** While a combination is being recorded, the window gets all keys, that of the present hotkey too. Ends by itself after a minute. */
  'capture.pauseHotkey': { input: v.strictObject({ paused: v.boolean() }), output: done },

  /** Shows the main window, at a conversation if one is named. */
  'windows.openMain': { input: v.strictObject({ conversationId: v.nullable(id) }), output: done },
  /** Closes the window that asks. */
  'windows.close': { input: none, output: done },

  /** Every connection that this installation ever opened to another machine. */
  'privacy.ledger': {
    input: none,
    output: v.strictObject({
      installedAt: time,
      entries: v.array(v.strictObject({ at: time, host: v.string(), purpose: v.string(), sentBytes: count, receivedBytes: count })),
    }),
  },
} as const satisfies Record<string, { input: v.GenericSchema; output: v.GenericSchema }>;

// --- events

/** What an answer is busy with. `done` of `total`: vision layers while looking, tokens while reading. */
const turnState = v.strictObject({
  messageId: id,
  conversationId: id,
  phase: v.picklist(['waiting', 'loading', 'restarting', 'preparing', 'looking', 'reading', 'writing']),
  done: count,
  total: count,
});

export const events = {
  /** Begins at `offset` (UTF-16 units) of the answer's text; after a gap the message is asked for again. */
  'answer.text': v.strictObject({ messageId: id, conversationId: id, offset: count, text: v.string() }),
  'answer.state': turnState,
  'answer.check': checkState,
  /** Stored anew: created, finished, failed, continued. */
  'message.changed': message,
  /** Created, renamed, pinned, restored, another last message, busy or not. */
  'conversation.changed': conversationSummary,
  'conversation.deleted': v.strictObject({ id }),
  /** The model looks at this picture whatever comes after it; null: at the last one again. */
  'picture.pinned': v.strictObject({ conversationId: id, picture: v.nullable(picture) }),
  /** Read in the picture of this hash, or on this display of a capture. */
  'text.line': v.strictObject({ of: v.string(), line: textLine }),
  'engine.changed': engineState,
  'models.changed': v.array(modelChoice),
  /** Those that are not finished. */
  'downloads.changed': v.array(download),
  'verifications.changed': v.array(verification),
  'shrinkings.changed': v.array(shrinking),
  'selfTests.changed': v.array(selfTest),
  'settings.changed': settings,
  'storage.changed': storageState,
  'capture.changed': captureState,
  /** The picture of the quick-ask window changed, as when a second region was captured. */
  'capture.taken': picture,
  /** The host asks the window to show this conversation (tray, deep link, second start). */
  'windows.show': v.strictObject({ conversationId: v.nullable(id) }),
} as const satisfies Record<string, v.GenericSchema>;

// --- derived

/** For what is kept as JSON and parsed again when it is read. */
export {
  failure as failureSchema,
  origin as originSchema,
  pagePart as pagePartSchema,
  pages as pagesSchema,
  settings as settingsSchema,
  judgement as judgementSchema,
  turnStatistics as statisticsSchema,
};

export type Picture = v.InferOutput<typeof picture>;
export type PictureOrigin = v.InferOutput<typeof origin>;
export type PagePart = v.InferOutput<typeof pagePart>;
export type Pages = v.InferOutput<typeof pages>;
export type Region = v.InferOutput<typeof region>;
export type Quad = v.InferOutput<typeof quad>;
export type TextLine = v.InferOutput<typeof textLine>;
export type ModelView = v.InferOutput<typeof modelView>;
export type Message = v.InferOutput<typeof message>;
export type MessageState = v.InferOutput<typeof messageState>;
export type TurnStatistics = v.InferOutput<typeof turnStatistics>;
export type Verdict = v.InferOutput<typeof verdict>;
export type Judgement = v.InferOutput<typeof judgement>;
export type CheckState = v.InferOutput<typeof checkState>;
export type TurnState = v.InferOutput<typeof turnState>;
export type ConversationSummary = v.InferOutput<typeof conversationSummary>;
export type Conversation = v.InferOutput<typeof conversation>;
export type Draft = v.InferOutput<typeof draft>;
export type SearchHit = v.InferOutput<typeof searchHit>;
export type ModelChoice = v.InferOutput<typeof modelChoice>;
export type CatalogueEntry = v.InferOutput<typeof catalogueEntry>;
export type CatalogueView = v.InferOutput<typeof catalogueView>;
export type FileFit = v.InferOutput<typeof fileFit>;
export type Fitting = v.InferOutput<typeof fitting>;
export type FoundModel = v.InferOutput<typeof foundModel>;
export type Download = v.InferOutput<typeof download>;
export type Verification = v.InferOutput<typeof verification>;
export type Shrinking = v.InferOutput<typeof shrinking>;
export type SelfTest = v.InferOutput<typeof selfTest>;
export type Licence = v.InferOutput<typeof licence>;
export type LicenceId = v.InferOutput<typeof licenceId>;
export type EngineState = v.InferOutput<typeof engineState>;
export type Device = v.InferOutput<typeof device>;
export type Abilities = v.InferOutput<typeof abilities>;
export type Settings = v.InferOutput<typeof settings>;
export type StorageState = v.InferOutput<typeof storageState>;
export type BackupChoice = v.InferOutput<typeof backup>;
export type Display = v.InferOutput<typeof display>;
export type CaptureState = v.InferOutput<typeof captureState>;
export type Failure = v.InferOutput<typeof failure>;

export type RequestName = keyof typeof requests;
export type Input<Name extends RequestName> = v.InferOutput<(typeof requests)[Name]['input']>;
export type Output<Name extends RequestName> = v.InferOutput<(typeof requests)[Name]['output']>;
export type EventName = keyof typeof events;
export type Payload<Name extends EventName> = v.InferOutput<(typeof events)[Name]>;

/** An event as it travels. */
export type EventMessage = { [Name in EventName]: { event: Name; payload: Payload<Name> } }[EventName];

/** Answers a request, or throws. */
export type Handlers = { [Name in RequestName]: (input: Input<Name>) => Promise<Output<Name>> | Output<Name> };

export function isRequestName(value: unknown): value is RequestName {
  return typeof value === 'string' && Object.hasOwn(requests, value);
}

/** Throws `ContractError` naming the field. */
export function parseInput<Name extends RequestName>(name: Name, value: unknown): Input<Name> {
  return parse(requests[name].input, value, name) as Input<Name>;
}

/** Throws `ContractError` naming the field. */
export function parseOutput<Name extends RequestName>(name: Name, value: unknown): Output<Name> {
  return parse(requests[name].output, value, `the answer to ${name}`) as Output<Name>;
}

/** Throws `ContractError` for an unknown event or payload. */
export function parseEvent(value: unknown): EventMessage {
  const { event, payload } = (value ?? {}) as { event?: unknown; payload?: unknown };
  if (typeof event !== 'string' || !Object.hasOwn(events, event)) throw new ContractError(`There is no event ${String(event)}.`);
  const name = event as EventName;
  return { event: name, payload: parse(events[name], payload, name) } as EventMessage;
}

export class ContractError extends Error {
  override readonly name = 'ContractError';
}

/** What is stored of the settings. Throws `ContractError` naming the field. */
export function parseSettingsChange(value: unknown): { [Field in keyof Settings]?: Settings[Field] | undefined } {
  return parse(v.partial(settings), value, 'settings');
}

function parse<Schema extends v.GenericSchema>(schema: Schema, value: unknown, what: string): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = v.getDotPath(issue);
  throw new ContractError(`${what}: ${path ? `${path}: ` : ''}${issue.message}`);
}

/** A guard wrote this answer: what counts of its words is the verdict. */
export function isVerdict({ judgement, model }: Pick<Message, 'judgement' | 'model'>): boolean {
  return judgement !== null && judgement.by === model;
}

/** All the text that was read in a picture, as it is copied: tables separated by tabs, paragraphs by empty lines. */
export function textOf(lines: readonly Pick<TextLine, 'before' | 'text'>[]): string {
  return lines.map(({ before, text }) => before + text).join('');
}

/** "page 2 of 3". */
export function partLabel({ unit, number, count: all }: PagePart): string {
  return `${unit} ${number} of ${all}`;
}

/** Where a host serves a picture: as it is, or at most 320 pixels wide and high. Displayable in any browser either way. */
/** The paths behind a model's id: it is one, or a JSON list of the files of a model that lies in several. */
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

export function pictureUrl(picture: string, scale: 'full' | 'thumb'): string {
  return scale === 'full' ? `/pictures/${picture}` : `/pictures/${picture}/thumb`;
}
