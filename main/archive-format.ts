/**
 * The file that `loupe export` writes: a ZIP of JSON and of the pictures and documents as they came (docs/decisions/0051). What names
 * something says which by its SHA-256, or by its place in the same file; ids of a database are in none.
 */
import * as v from 'valibot';
import {
  answeredBySchema,
  cellStateSchema,
  countSchema as count,
  differencesSchema,
  doubtsSchema,
  extractionFieldsSchema,
  extractionLimits,
  failureSchema,
  findingSchema,
  hashSchema as hash,
  judgementSchema,
  limits,
  lookOutcomeSchema,
  mostDocumentBytes,
  notedSchema,
  originSchema,
  pageFlagSchema,
  pageStateSchema,
  settingsSchema,
  statisticsSchema,
  timeSchema as time,
} from './contract.ts';

export const archiveFormat = 'loupe-archive';
/** Counts up where a Loupe of before could not read it. */
export const archiveVersion = 1;

/** What an entry may hold once it is unpacked, in bytes. */
export const archiveLimits = { json: 128_000_000, picture: 512_000_000, document: mostDocumentBytes } as const;

const side = v.pipe(count, v.minValue(1));
const text = (most: number) => v.pipe(v.string(), v.maxLength(most));

/** Looked at before all else; what a newer version adds is of no interest. */
export const archiveManifest = v.object({
  format: v.literal(archiveFormat),
  version: side,
  /** The version of Loupe. */
  madeBy: text(100),
  madeAt: time,
});

/** `hash` null: the document was removed from the library. `of`: tells documents of one name apart, within one entry. */
const documentReference = v.strictObject({ of: count, hash: v.nullable(hash), name: text(1024) });

const look = v.strictObject({
  document: documentReference,
  number: side,
  label: text(1024),
  outcome: lookOutcomeSchema,
  length: count,
  noted: v.nullable(notedSchema),
  note: v.nullable(v.string()),
});

const coverage = v.strictObject({
  named: v.boolean(),
  documents: count,
  pages: count,
  outside: count,
  searched: count,
  waiting: count,
  picture: count,
  failed: count,
  blank: count,
  words: v.array(v.string()),
  checked: v.boolean(),
  looks: v.array(look),
});

const citation = v.strictObject({
  offset: count,
  length: count,
  page: v.string(),
  quote: v.nullable(v.string()),
  finding: findingSchema,
  document: v.nullable(documentReference),
  number: v.nullable(side),
  label: v.nullable(v.string()),
  found: v.nullable(v.string()),
});

const message = v.strictObject({
  /** The place of the message that it follows, in this list and before it; null: the first. */
  parent: v.nullable(count),
  role: v.picklist(['user', 'assistant']),
  text: v.string(),
  pictures: v.pipe(v.array(hash), v.maxLength(100)),
  /** An answer that was being written is `interrupted`. */
  state: v.picklist(['complete', 'interrupted', 'stopped', 'failed']),
  failure: v.nullable(failureSchema),
  finish: v.nullable(v.picklist(['stop', 'length', 'context', 'cancelled'])),
  model: v.nullable(v.string()),
  server: v.nullable(answeredBySchema),
  compared: v.nullable(v.string()),
  statistics: v.nullable(statisticsSchema),
  judgement: v.nullable(judgementSchema),
  differences: v.nullable(differencesSchema),
  createdAt: time,
  /** Of a question about documents; `document` null: about all of them. */
  scope: v.nullable(
    v.strictObject({
      document: v.nullable(documentReference),
      pages: v.nullable(text(100)),
      every: v.boolean(),
      words: v.nullable(v.array(v.string())),
    }),
  ),
  coverage: v.nullable(coverage),
  /** None where there is no coverage. */
  citations: v.array(citation),
});

export const archivedConversation = v.pipe(
  v.strictObject({
    title: v.pipe(text(1024), v.minLength(1)),
    pinned: v.boolean(),
    createdAt: time,
    updatedAt: time,
    instructions: text(limits.systemPrompt),
    tags: v.pipe(v.array(v.pipe(text(limits.tag), v.minLength(1))), v.maxLength(limits.tagsPerConversation)),
    /** In the list. */
    picture: v.nullable(hash),
    pinnedPicture: v.nullable(hash),
    /** The place of the last message that is shown. */
    shown: v.nullable(count),
    messages: v.array(message),
  }),
  v.check(({ messages, shown }) => shown === null || shown < messages.length, 'shows a message that it does not have'),
  v.check(
    ({ messages }) => messages.every(({ parent }, place) => parent === null || parent < place),
    'has a message that follows one after it',
  ),
  v.check(({ messages }) => messages.every((one) => one.coverage !== null || one.citations.length === 0), 'has citations of no pages'),
);

export const archivedPicture = v.strictObject({
  name: v.pipe(text(1024), v.minLength(1)),
  origin: originSchema,
  /** What was read in it; null: it was not read. */
  text: v.nullable(v.string()),
});

const page = v.strictObject({
  number: side,
  label: text(1024),
  width: v.number(),
  height: v.number(),
  rotation: count,
  state: pageStateSchema,
  flags: v.array(pageFlagSchema),
  text: v.string(),
  hiddenWords: count,
  failure: v.nullable(failureSchema),
  /** Where the words are (main/storage/page-places.ts), as base64. */
  places: v.nullable(v.pipe(v.string(), v.base64())),
});

export const archivedDocument = v.pipe(
  v.strictObject({
    name: v.pipe(text(1024), v.minLength(1)),
    kind: v.picklist(['pdf', 'picture']),
    pageCount: count,
    failure: v.nullable(failureSchema),
    addedAt: time,
    /** False: its pages are here as if nobody had read them. */
    keepsText: v.boolean(),
    pages: v.array(page),
  }),
  v.check(({ pages }) => new Set(pages.map(({ number }) => number)).size === pages.length, 'has a page twice'),
);

const cell = v.strictObject({
  state: cellStateSchema,
  value: v.nullable(v.string()),
  quote: v.nullable(v.string()),
  page: v.nullable(side),
  doubts: doubtsSchema,
  reading: v.nullable(v.string()),
  failure: v.nullable(failureSchema),
});

export const archivedTable = v.pipe(
  v.strictObject({
    name: v.pipe(text(extractionLimits.name), v.minLength(1)),
    fields: extractionFieldsSchema,
    by: v.picklist(['document', 'page']),
    createdAt: time,
    failure: v.nullable(failureSchema),
    rows: v.pipe(
      v.array(v.strictObject({ document: documentReference, page: v.nullable(side), cells: v.array(cell) })),
      v.maxLength(extractionLimits.rows),
    ),
  }),
  v.check(({ fields, rows }) => rows.every(({ cells }) => cells.length === fields.length), 'has a row of another number of fields'),
);

/** Those that make sense on another computer: nothing of devices, folders, models, servers, programs or rights. */
export const archivedSettings = v.partial(
  v.pick(settingsSchema, [
    'theme',
    'textSize',
    'maxTokens',
    'temperature',
    'topP',
    'systemPrompt',
    'prompts',
    'sendWith',
    'searchPictures',
    'secondReader',
    'textHint',
  ]),
);

export type ArchivedConversation = v.InferOutput<typeof archivedConversation>;
export type ArchivedMessage = ArchivedConversation['messages'][number];
export type ArchivedPicture = v.InferOutput<typeof archivedPicture>;
export type ArchivedDocument = v.InferOutput<typeof archivedDocument>;
export type ArchivedTable = v.InferOutput<typeof archivedTable>;
export type ArchivedSettings = v.InferOutput<typeof archivedSettings>;
export type DocumentReference = v.InferOutput<typeof documentReference>;
