/**
 * Everything that the window and the app say to each other: each request and each event once,
 * with the parser of what it carries. Both ends are derived from `requests` and `events`.
 *
 * Times are milliseconds since 1970, sizes bytes, lengths pixels, unless a name says otherwise.
 * A picture is named by the SHA-256 of its file, in hexadecimal; `pictureUrl` shows it.
 */
import * as v from 'valibot';
import { difference } from './contract/differences.ts';
import { id, count, time, hash, text, side, size, region, limits } from './contract/common.ts';
import { foundWords, picture, pages, textLine, modelView } from './contract/pictures.ts';
import { message, conversationSummary, tag, draft, checkState, conversation, searchHit, turnState } from './contract/conversations.ts';
import {
  mostPathCharacters,
  modelChoice,
  engineState,
  device,
  licenceId,
  hubToken,
  catalogueView,
  foundModel,
  fileFit,
  download,
  verification,
  quantising,
  sanityCheck,
  licence,
  abilities,
} from './contract/models.ts';
import { settings, type Settings } from './contract/settings.ts';
import { archiveState, storageState, backup, vaultState } from './contract/storage.ts';
import { marks } from './contract/marks.ts';
import { captured, captureMode, display, captureState, copying } from './contract/capture.ts';
import { pin, pinFade, pinFaded, pinMove, pinResize } from './contract/pins.ts';
import { questionScope } from './contract/asking.ts';
import { extraction, extractionCell, extractionFields, extractionLimits, extractionSummary } from './contract/extraction.ts';
import { problem } from './contract/problems.ts';
import { programQuestion, programTool, programsState, mostProgramCharacters } from './contract/programs.ts';
import { newServer, offeredModel, server, serverAddress, serverChange, serverKey } from './contract/servers.ts';
import { openedFile } from './contract/opened.ts';
import { documentHit, documentPage, libraryDocument, mostPieceBytes, pageWord } from './contract/documents.ts';

export type { Region, Failure } from './contract/common.ts';
export type { Picture, PictureOrigin, PagePart, Pages, Quad, FoundWords, TextLine, ModelView } from './contract/pictures.ts';
export type {
  Message,
  MessageState,
  TurnStatistics,
  Verdict,
  Judgement,
  CheckState,
  TurnState,
  ConversationSummary,
  Conversation,
  Draft,
  SearchHit,
} from './contract/conversations.ts';
export type {
  ModelChoice,
  CatalogueEntry,
  CatalogueView,
  FileFit,
  Fitting,
  FoundModel,
  Download,
  Verification,
  Quantising,
  SanityCheck,
  Licence,
  LicenceId,
  EngineState,
  Device,
  Abilities,
} from './contract/models.ts';
export type { Settings } from './contract/settings.ts';
export type { ArchiveCounts, ArchiveState, StorageState, BackupChoice, VaultState } from './contract/storage.ts';
export type { Captured, CaptureMode, Display, CaptureState, Copying, HotkeyState } from './contract/capture.ts';
export type { Pin, PinFade, PinMove, PinResize } from './contract/pins.ts';
export type { AskedScope, Citation, Coverage, Finding, Look, QuestionScope } from './contract/asking.ts';
export type { Difference } from './contract/differences.ts';
export type { Problem } from './contract/problems.ts';
export type { ProgramConsent, ProgramQuestion, ProgramsState, ProgramTool } from './contract/programs.ts';
export type { AnsweredBy, NewServer, OfferedModel, Server, ServerChange } from './contract/servers.ts';
export type { OpenedFile } from './contract/opened.ts';
export type { LibraryDocument, DocumentPage, PageWord, DocumentHit } from './contract/documents.ts';
export type {
  CellState,
  ColumnSum,
  Doubt,
  Extraction,
  ExtractionCell,
  ExtractionField,
  ExtractionRow,
  ExtractionSummary,
} from './contract/extraction.ts';
export { formatBytes } from './contract/bytes.ts';
export { limits, usePictureKey } from './contract/common.ts';
export { arrowColours, arrowEdge, arrowShapes, drawMarks, mostMarks, redactColour } from './contract/marks.ts';
export { captureModes } from './contract/capture.ts';
export { archiveInWords } from './contract/storage.ts';
export type { Mark } from './contract/marks.ts';
export { textOf, partLabel, pictureAddress, pictureUrl } from './contract/pictures.ts';
export { isVerdict, privateTitle, shownMessages } from './contract/conversations.ts';
export { fileNameOf } from './contract/file-name.ts';
export { abilities, liesIn, modelPaths, serverChoice, serverState, usualServerContext } from './contract/models.ts';
export { mostProgramCharacters, programTool as programToolSchema } from './contract/programs.ts';
export { answeredByInWords, longestServerName, mostServers, serverChoiceId, serverIdOf } from './contract/servers.ts';
export { defaultSettings, hotkeySettings, mostConsents } from './contract/settings.ts';
export { citationInWords, coverageInWords, isOneByOne, scopeInWords } from './contract/asking.ts';
export { columnSum, doubtsInWords, extractionLimits, nameTwice, sumInWords } from './contract/extraction.ts';
export { dayIn, numberIn } from './contract/values.ts';
export { differenceInWords } from './contract/differences.ts';
export { mostDocumentBytes, mostPieceBytes, mostUploads, pageAddress, pageUrl, pageWidths } from './contract/documents.ts';

/** For what is kept as JSON and parsed again when it is read. */
export { count as countSchema, failure as failureSchema, hash as hashSchema, time as timeSchema } from './contract/common.ts';
export {
  finding as findingSchema,
  lookOutcome as lookOutcomeSchema,
  noted as notedSchema,
  questionScope as questionScopeSchema,
} from './contract/asking.ts';
export { origin as originSchema, pagePart as pagePartSchema, pages as pagesSchema } from './contract/pictures.ts';
export { answeredBy as answeredBySchema } from './contract/servers.ts';
export { judgement as judgementSchema, turnStatistics as statisticsSchema } from './contract/conversations.ts';
export { pageFlag as pageFlagSchema, pageState as pageStateSchema } from './contract/documents.ts';
export { settings as settingsSchema } from './contract/settings.ts';
export { cellState as cellStateSchema, doubts as doubtsSchema, extractionFields as extractionFieldsSchema } from './contract/extraction.ts';
export const differencesSchema = v.array(difference);

// --- requests

const none = v.strictObject({});
const done = v.null();
/** Which conversation a picture is for: of a private one it lies with it, and no byte of it reaches a disk. Absent or null: it is kept. */
const madeFor = { conversationId: v.exactOptional(v.nullable(id)) };

/**
 * Every request with its input and output. Failures come back as `Failure` in place of the output.
 * Each request gets one reply.
 */
/** A short one is guessed, however long each guess takes. */
export const shortestPassphrase = 8;
const passphrase = v.pipe(v.string(), v.minLength(shortestPassphrase), v.maxLength(1024));
const words = v.pipe(v.string(), v.minLength(1), v.maxLength(1024));
const vaultWay = v.strictObject({ passphrase: v.nullable(passphrase), recoveryCode: v.pipe(v.string(), v.maxLength(64)) });

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
  /** Ends Loupe; what is being written is kept. Only where `host` is `electron`: elsewhere it ends in its terminal. */
  'app.quit': { input: none, output: done },
  /** Text of a licence or notice that comes with the app. */
  'app.licences': { input: none, output: v.array(v.strictObject({ name: v.string(), text: v.string() })) },

  'storage.state': { input: none, output: storageState },
  /** Looks again: whether it can be written to, or opened. */
  'storage.retry': { input: none, output: storageState },
  /** Newest first, by their order, not by the clock. Each is read and checked, which takes a moment. */
  'storage.backups': { input: none, output: v.array(backup) },
  /** Puts a backup in the place of what is there now, which is kept under another name; `storage.changed` then reports a new generation. */
  'storage.restore': { input: v.strictObject({ name: text(255) }), output: v.strictObject({ keptAside: v.nullable(v.string()) }) },
  /** Puts an empty database in the place of one that cannot be opened, which is kept under another name. */
  'storage.startAnew': { input: none, output: v.strictObject({ keptAside: v.nullable(v.string()) }) },
  /** Uses a database that was changed while Loupe was closed, and is sound in itself. */
  'storage.accept': { input: none, output: storageState },
  /** Deletes for good what was deleted and could still be brought back. */
  'storage.emptyBin': { input: none, output: v.strictObject({ freedBytes: count }) },

  /** All that is kept, in one file that another Loupe takes (docs/decisions/0051). */
  'archive.state': { input: none, output: archiveState },
  /**
   * Begins, and returns whether it has; `archive.changed` reports the rest. `path` null: the person is asked, who may choose none (only
   * `electron` can ask, and there nothing else is taken). A path is written to where there is no file yet.
   */
  'archive.export': { input: v.strictObject({ path: v.nullable(text(4096)) }), output: v.strictObject({ begun: v.boolean() }) },
  /** Adds what is in the file and not here yet; what is here stays as it is. The rest as `archive.export`. */
  'archive.import': { input: v.strictObject({ path: v.nullable(text(4096)) }), output: v.strictObject({ begun: v.boolean() }) },
  'archive.stop': { input: none, output: done },

  /** Encryption of what is kept. */
  'vault.state': { input: none, output: vaultState },
  /** For `vault.turnOn` and `vault.change`: a person has it before anything needs it. Kept nowhere. */
  'vault.recoveryCode': { input: none, output: v.strictObject({ code: v.string() }) },
  /** Encrypts everything. `passphrase` null: the system's keychain keeps the key. */
  'vault.turnOn': { input: vaultWay, output: done },
  /** `words`: the passphrase or the recovery code; null where the keychain keeps the key. `left`: damaged files that stay encrypted. */
  'vault.turnOff': { input: v.strictObject({ words: v.nullable(words) }), output: v.strictObject({ left: count }) },
  /** The old passphrase and the old recovery code open nothing any more. */
  'vault.change': {
    input: v.strictObject({ words: v.nullable(words), way: vaultWay }),
    output: done,
  },
  /** Fails with `passphrase_wrong`, and says from the third time on how long to wait. */
  'vault.unlock': { input: v.strictObject({ words }), output: done },
  /** Answers that are being written are kept as far as they are. Nothing happens where nobody would be asked to unlock it. */
  'vault.lock': { input: none, output: done },

  'settings.get': { input: none, output: settings },
  /** Everything but the folder of models, which `models.setFolder` checks first, and what programs may do, which is asked one by one. */
  'settings.set': { input: v.partial(v.omit(settings, ['modelsDirectory', 'programTools'])), output: settings },

  'engine.state': { input: none, output: engineState },
  /** Loads the chosen model (again), as after a failure. Returns at once; `engine.changed` reports the rest. */
  'engine.load': { input: none, output: done },
  'engine.devices': { input: none, output: v.array(device) },

  'models.list': { input: none, output: v.array(modelChoice) },
  /** Inspects a model that `models.find` named, and records it where it is. Fails with `licence_needed` until its licence is agreed to. */
  'models.add': { input: v.strictObject({ path: text(mostPathCharacters) }), output: modelChoice },
  /** Forgets the record; files stay, unless Loupe downloaded them and `files` is true. */
  'models.remove': { input: v.strictObject({ id: v.string(), files: v.optional(v.boolean()) }), output: done },
  /** What can be downloaded, and how it would run here. */
  'models.catalogue': { input: none, output: catalogueView },
  /** Models on this machine: in the usual places, or at a path. */
  'models.find': { input: v.strictObject({ path: v.nullable(text(mostPathCharacters)) }), output: v.array(foundModel) },
  /** To be asked before a model is chosen. Null where it is not known: of the demo model, of unknown shapes, without a device. */
  'models.fit': { input: v.strictObject({ id: text(mostPathCharacters) }), output: v.nullable(fileFit) },
  'models.downloads': { input: none, output: v.array(download) },
  /**
   * `repository` null: the makers' with a token, else the first open copy. Into the folder of models. Fails with `licence_needed` until the licence is agreed to; returns when it is queued.
   */
  'models.download': {
    input: v.strictObject({ model: v.string(), repository: v.nullable(text(200)) }),
    output: download,
  },
  'models.pause': { input: v.strictObject({ id }), output: done },
  'models.resume': { input: v.strictObject({ id }), output: done },
  /** Deletes what has arrived. */
  'models.cancel': { input: v.strictObject({ id }), output: done },
  /** Returns at once; `verifications.changed` reports the rest. */
  'models.verify': { input: v.strictObject({ id: v.string() }), output: done },
  'models.verifications': { input: none, output: v.array(verification) },
  /** Writes a quantised copy of a published model below the models folder. Returns at once; `quantisings.changed` reports the rest. */
  'models.quantise': { input: v.strictObject({ id: v.string(), form: v.picklist(['q4_k_m', 'q8_0']) }), output: done },
  /** What is written is kept, and resumed the next time. */
  'models.stopQuantising': { input: v.strictObject({ id: v.string() }), output: done },
  'models.quantisings': { input: none, output: v.array(quantising) },
  /** Of models that were tried: by themselves, when they are first loaded, and again with other files, another device or driver. */
  'models.sanityChecks': { input: none, output: v.array(sanityCheck) },
  /** Asks the person for a folder; null where none was chosen or the host cannot ask (only `electron` can). */
  'models.chooseFolder': { input: none, output: v.nullable(v.string()) },
  /** Where downloads go, and how many bytes are free there. */
  'models.folder': { input: none, output: v.strictObject({ directory: v.string(), freeBytes: v.nullable(count) }) },
  'models.setFolder': { input: v.strictObject({ path: v.nullable(text(4096)) }), output: settings },
  'models.licence': { input: v.strictObject({ licence: licenceId }), output: licence },
  'models.acceptLicence': { input: v.strictObject({ licence: licenceId, version: text(40) }), output: licence },
  /** The access token for the makers' repositories; null forgets it. It is never returned. */
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
  /** Empty: none. They hold from the next answer on. */
  'conversations.instruct': { input: v.strictObject({ id, instructions: text(limits.systemPrompt) }), output: done },
  /**
   * Tags them, and takes tags away; what is not named stays. All of them or, where one is gone or would get more tags than it may have,
   * none.
   */
  'conversations.tag': {
    input: v.strictObject({ ids: v.array(id), add: v.array(tag), remove: v.array(tag) }),
    output: done,
  },
  'conversations.pin': { input: v.strictObject({ id, pinned: v.boolean() }), output: done },
  /** Can be undone with `conversations.restore` for 30 days. Stops an answer that is being written. */
  'conversations.delete': { input: v.strictObject({ id }), output: done },
  /** For good: no word and no picture of it is left, in no index, log or backup. Stops an answer that is being written. */
  'conversations.erase': { input: v.strictObject({ id }), output: done },
  'conversations.restore': { input: v.strictObject({ id }), output: done },
  /** A new one that nothing of reaches a disk. */
  'conversations.openPrivate': { input: none, output: conversationSummary },
  /** For good: nothing of it was kept. Stops an answer that is being written. */
  'conversations.closePrivate': { input: v.strictObject({ id }), output: done },
  /** A private conversation is stored, under another id. Rejects with `engine_busy` while an answer is being written. */
  'conversations.keep': { input: v.strictObject({ id }), output: conversationSummary },
  /** Shows the newest branch that holds this message. Returns the new leaf. */
  'conversations.selectBranch': { input: v.strictObject({ messageId: id }), output: v.strictObject({ leafId: id }) },
  'conversations.pinPicture': { input: v.strictObject({ id, hash: v.nullable(hash) }), output: done },
  /** The contents of the composer; `id` null is the composer of a conversation that does not exist yet. */
  'conversations.saveDraft': {
    input: v.strictObject({
      id: v.nullable(id),
      text: text(limits.message),
      pictures: v.array(hash),
      scope: v.exactOptional(v.nullable(questionScope)),
    }),
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
   * Returns when both messages are stored; the answer then streams.
   */
  'chat.send': {
    input: v.strictObject({
      conversationId: v.nullable(id),
      parentId: v.nullable(id),
      text: v.pipe(text(limits.message), v.trim(), v.minLength(1)),
      pictures: v.pipe(v.array(hash), v.maxLength(limits.picturesPerMessage)),
      /** The documents that it is about; null: none. */
      scope: v.nullable(questionScope),
    }),
    output: v.strictObject({ conversation: conversationSummary, question: message, answer: message }),
  },
  /**
   * Asks several models the same, each in an answer of its own; `id` of their choices. Those on this computer answer one after the
   * other, servers beside them.
   */
  'chat.compare': {
    input: v.strictObject({
      conversationId: v.nullable(id),
      parentId: v.nullable(id),
      text: v.pipe(text(limits.message), v.trim(), v.minLength(1)),
      pictures: v.pipe(v.array(hash), v.maxLength(limits.picturesPerMessage)),
      models: v.pipe(
        v.array(text(mostPathCharacters)),
        v.minLength(2),
        v.maxLength(3),
        v.check((models) => new Set(models).size === models.length, 'one model twice'),
      ),
    }),
    output: v.strictObject({ conversation: conversationSummary, question: message, answers: v.array(message) }),
  },
  /** Another answer to the same question, beside the one named; of a comparison by the same model. */
  'chat.regenerate': { input: v.strictObject({ messageId: id }), output: message },
  /** Continues an interrupted, stopped, failed or cut answer from its last word. */
  'chat.continue': { input: v.strictObject({ messageId: id }), output: message },
  'chat.stop': { input: v.strictObject({ messageId: id }), output: done },
  /** How full the context would be with this question; null while no model is loaded. */
  'chat.measure': {
    input: v.strictObject({ conversationId: v.nullable(id), parentId: v.nullable(id), text: text(limits.message), pictures: count }),
    /** `fits`: false where not even the question alone has room; null where no model is loaded. */
    output: v.nullable(v.strictObject({ promptTokens: count, contextLength: count, forgottenMessages: count, fits: v.boolean() })),
  },

  /** Of a file that holds several pictures, adds the default one. */
  'pictures.add': {
    input: v.strictObject({
      bytes: v.pipe(v.instance(Uint8Array), v.maxLength(limits.pictureBytes)),
      name: text(255),
      kind: v.picklist(['paste', 'drop', 'file', 'capture']),
      ...madeFor,
    }),
    output: picture,
  },
  /** Some pages of the file that a page is of, from a number on. */
  'pictures.pages': { input: v.strictObject({ hash, from: side }), output: pages },
  /** Another page of that file. */
  'pictures.page': { input: v.strictObject({ hash, number: side, ...madeFor }), output: picture },
  'pictures.crop': { input: v.strictObject({ hash, region, ...madeFor }), output: picture },
  /** Two to six pictures beside each other, one below the other, or as a grid; labels are A, B, C ... */
  'pictures.compose': {
    input: v.strictObject({
      hashes: v.pipe(v.array(hash), v.minLength(2), v.maxLength(6)),
      layout: v.picklist(['row', 'column', 'grid']),
      labels: v.boolean(),
      ...madeFor,
    }),
    output: picture,
  },
  /**
   * Reads the text in it, which needs no model; `text.line` reports each line meanwhile.
   * Rejects with `cancelled` after `pictures.stopText`.
   */
  'pictures.text': { input: v.strictObject({ hash }), output: v.array(textLine) },
  /**
   * Which words of an answer are in the text of the picture, in the order of the answer. Null where its text is not known:
   * nothing is read for it.
   */
  'pictures.find': { input: v.strictObject({ hash, answer: text(limits.message) }), output: v.nullable(v.array(foundWords)) },
  'pictures.stopText': { input: v.strictObject({ hash }), output: done },
  /** For the model that is loaded, else for the published one (560-pixel tiles). */
  'pictures.view': { input: size, output: modelView },

  /** What went wrong lately, newest first, as far as the log tells. */
  'problems.list': { input: none, output: v.array(problem) },
  /** A file for a report, with nothing in it that a person wrote, named or keeps. */
  'problems.bundle': { input: none, output: v.strictObject({ fileName: v.string(), text: v.string() }) },

  /** The last added first. */
  'documents.list': { input: none, output: v.array(libraryDocument) },
  'documents.pages': { input: v.strictObject({ id }), output: v.array(documentPage) },
  /**
   * What a person sees of it as text, and where its words are.
   * Both are empty for a page that is not read; there may be text without places.
   */
  'documents.page': {
    input: v.strictObject({ id, number: side }),
    output: v.strictObject({ text: v.string(), words: v.array(pageWord) }),
  },
  /** A window has no paths: a file comes in pieces, one after the other, and is then added or dropped. */
  'documents.begin': { input: v.strictObject({ name: text(255), bytes: count }), output: v.strictObject({ upload: v.string() }) },
  'documents.piece': {
    input: v.strictObject({ upload: v.string(), bytes: v.pipe(v.instance(Uint8Array), v.maxLength(mostPieceBytes)) }),
    output: done,
  },
  /**
   * Adds it, and begins to read it; `known`: the same bytes were there already. Fails with `document_locked` until the password is
   * right, and with `document_too_large` for more than 5,000 pages until some are named, as in "3-12": then the pieces stay.
   */
  'documents.finish': {
    input: v.strictObject({
      upload: v.string(),
      password: v.nullable(text(1024)),
      pages: v.nullable(text(100)),
      /** False: of what is locked, no word stays once Loupe closes. Absent: it stays. */
      keepsText: v.optional(v.boolean()),
    }),
    output: v.strictObject({ document: libraryDocument, known: v.boolean() }),
  },
  'documents.drop': { input: v.strictObject({ upload: v.string() }), output: done },
  /**
   * Reads what waits; `ocr`: and the text in pictures of pages; `keepsText`: as in `documents.finish`; absent: as it is. Pages that failed are tried again. Returns at once;
   * `document.changed` reports the rest.
   */
  'documents.read': {
    input: v.strictObject({ id, ocr: v.boolean(), password: v.nullable(text(1024)), keepsText: v.optional(v.boolean()) }),
    output: done,
  },
  'documents.stop': { input: v.strictObject({ id }), output: done },
  /** Its pages, their words, and Loupe's copy of the file. Cannot be undone. */
  'documents.remove': { input: v.strictObject({ id }), output: done },
  /** Any of the words, in any form that their stem has. Best first. */
  'documents.search': {
    input: v.strictObject({ query: text(limits.search), documentId: v.nullable(id), limit: v.pipe(side, v.maxValue(200)) }),
    output: v.array(documentHit),
  },

  /** Tables of what was taken from documents, the last begun first. */
  'extractions.list': { input: none, output: v.array(extractionSummary) },
  'extractions.open': { input: v.strictObject({ id }), output: extraction },
  /**
   * A row for each document, or for each of their pages that is not blank; all cells wait. The chosen model then fills them, one
   * after the other; `extraction.cell` reports each.
   */
  'extractions.create': {
    input: v.strictObject({
      name: v.pipe(text(extractionLimits.name), v.trim(), v.minLength(1)),
      fields: extractionFields,
      by: v.picklist(['document', 'page']),
      documents: v.pipe(v.array(id), v.minLength(1), v.maxLength(extractionLimits.rows)),
    }),
    output: extractionSummary,
  },
  /** Fills what waits, and tries again what failed. Returns at once. */
  'extractions.resume': { input: v.strictObject({ id }), output: done },
  /** What is filled stays. */
  'extractions.stop': { input: v.strictObject({ id }), output: done },
  'extractions.rename': {
    input: v.strictObject({ id, name: v.pipe(text(extractionLimits.name), v.trim(), v.minLength(1)) }),
    output: done,
  },
  'extractions.remove': { input: v.strictObject({ id }), output: done },
  /** What a person says of a cell: another value, or null: it is right as it is. An empty value: there is none. */
  'extractions.enter': {
    input: v.strictObject({ id, row: count, field: count, value: v.nullable(text(extractionLimits.value)) }),
    output: extractionCell,
  },
  /** CSV for spreadsheets: what they would take for a formula is marked as text. */
  'extractions.export': {
    input: v.strictObject({ id, format: v.picklist(['csv', 'json']) }),
    output: v.strictObject({ fileName: v.string(), text: v.string() }),
  },

  'capture.state': { input: none, output: captureState },
  /**
   * Freezes the screen and shows the overlay. `last` captures the last region again without one. Only where `by` is `app`. What is
   * captured for a conversation goes to its composer (`capture.attached`), all else to the quick-ask window.
   */
  'capture.start': { input: v.strictObject({ mode: captureMode, ...madeFor }), output: done },
  /** For the overlay window: what it shows; null while nothing is frozen. */
  'capture.display': { input: v.strictObject({ displayId: v.string() }), output: v.nullable(display) },
  /** The page has a tool in the hand, or no longer: Esc puts that away first. */
  'capture.hold': { input: v.strictObject({ displayId: v.string(), holds: v.boolean() }), output: done },
  /** The frozen display is on the page: its window can be shown. */
  'capture.drawn': { input: v.strictObject({ displayId: v.string() }), output: done },
  /** `marks`: drawn into the picture before anybody else gets it. */
  'capture.finish': { input: v.strictObject({ displayId: v.string(), region, marks }), output: done },
  /** Ends the capture and copies the text of a region to the clipboard; `capture.copying` reports the progress. */
  'capture.text': { input: v.strictObject({ displayId: v.string(), region, marks }), output: done },
  /** Ends the capture, and asks where the region is to be saved. */
  'capture.save': { input: v.strictObject({ displayId: v.string(), region, marks }), output: done },
  /** Ends the capture; the region stays on top of everything, where it was. Nothing of it is kept. */
  'capture.pin': { input: v.strictObject({ displayId: v.string(), region, marks }), output: done },
  /** For the notice: what is being copied, or was copied last. */
  'capture.copying': { input: none, output: v.nullable(copying) },
  /** Stops it, and closes the notice. */
  'capture.stopCopying': { input: none, output: done },
  'capture.cancel': { input: none, output: done },
  /** For the quick-ask window: the picture that it asks about. */
  'capture.current': { input: none, output: v.nullable(captured) },
  /** Waits up to ten seconds for a hotkey; true when it came. */
  'capture.testHotkey': { input: v.strictObject({ mode: captureMode }), output: v.strictObject({ pressed: v.boolean() }) },
  /** While a combination is being recorded, the window gets all keys, those of the hotkeys too. Ends by itself after a minute. */
  'capture.pauseHotkey': { input: v.strictObject({ paused: v.boolean() }), output: done },

  /** For the window of a pin. */
  'pins.picture': { input: v.strictObject({ pinId: id }), output: pin },
  'pins.move': { input: v.strictObject({ pinId: id, by: pinMove }), output: done },
  'pins.resize': { input: v.strictObject({ pinId: id, to: pinResize }), output: done },
  /** `pins.faded` says what came of it. */
  'pins.fade': { input: v.strictObject({ pinId: id, to: pinFade }), output: done },
  /** Gives the keyboard to the one that was pinned next, after the last to the first. */
  'pins.next': { input: v.strictObject({ pinId: id }), output: done },
  'pins.close': { input: v.strictObject({ pinId: id }), output: done },

  /** Shows the main window, at a conversation if one is named. */
  'windows.openMain': { input: v.strictObject({ conversationId: v.nullable(id) }), output: done },
  /** The small window needs to be this high, in DIP, for all that it holds; it gets as much of that as there is room for. */
  'windows.grow': { input: v.strictObject({ height: side }), output: done },
  /** Closes the window that asks. */
  'windows.close': { input: none, output: done },
  /** What the person opened with Loupe from outside, each file once; `leftOut`: how many more there were. */
  'windows.opened': { input: none, output: v.strictObject({ files: v.array(openedFile), leftOut: count }) },
  /** Of one of these, from this byte on. After its last piece it can be read no more. */
  'windows.openedPiece': {
    input: v.strictObject({ id, from: count }),
    output: v.pipe(v.instance(Uint8Array), v.maxLength(mostPieceBytes)),
  },

  'programs.state': { input: none, output: programsState },
  /** The old key no longer lets anybody in; this is the only time that the new one is told. */
  'programs.newKey': { input: none, output: v.strictObject({ key: v.string() }) },
  /** What programs want to do and the person has not answered yet, the first asked first. */
  'programs.questions': { input: none, output: v.array(programQuestion) },
  /** `remembered`: the answer also holds the next time that this program wants to use this tool. What nobody asks any more is ignored. */
  'programs.answer': { input: v.strictObject({ id, allowed: v.boolean(), remembered: v.boolean() }), output: done },
  /** The person is asked again when this program wants to use this tool. */
  'programs.forget': { input: v.strictObject({ program: text(mostProgramCharacters), tool: programTool }), output: done },

  'servers.list': { input: none, output: v.array(server) },
  /** What a server offers; asks it. `id`: of a server that is in the list, whose key counts where none is given. */
  'servers.models': {
    input: v.strictObject({ address: serverAddress, key: v.nullable(serverKey), id: v.nullable(id), unencrypted: v.boolean() }),
    output: v.array(offeredModel),
  },
  /** Fails with `server_unencrypted` where the address is another computer's, without encryption, and nobody agreed to that. */
  'servers.add': { input: newServer, output: server },
  /** Another address is another server. */
  'servers.change': { input: serverChange, output: server },
  /** Asks it a short question. Rejects with what is wrong. `ms`: until the answer had ended. */
  'servers.test': { input: v.strictObject({ id }), output: v.strictObject({ text: v.string(), ms: count }) },
  /** Ends what it is answering, and forgets its key. */
  'servers.remove': { input: v.strictObject({ id }), output: done },

  /** Every connection that this installation ever opened to another machine. */
  'privacy.ledger': {
    input: none,
    output: v.strictObject({
      installedAt: time,
      entries: v.array(v.strictObject({ at: time, host: v.string(), purpose: v.string(), sentBytes: count, receivedBytes: count })),
      /** What other programs on this computer asked and were answered; null: none was. */
      programs: v.nullable(v.strictObject({ since: time, questionBytes: count, answerBytes: count })),
    }),
  },
} as const satisfies Record<string, { input: v.GenericSchema; output: v.GenericSchema }>;

// --- events

export const events = {
  /** Begins at `offset` (UTF-16 units) of the answer's text; after a gap the window asks for the message again. */
  'answer.text': v.strictObject({ messageId: id, conversationId: id, offset: count, text: v.string() }),
  'answer.state': turnState,
  'answer.check': checkState,
  /** Stored again: created, finished, failed, continued. */
  'message.changed': message,
  /** Created, renamed, pinned, restored, another last message, busy or not. */
  'conversation.changed': conversationSummary,
  'conversation.deleted': v.strictObject({ id }),
  /** The model sees this picture whatever is attached later; null: the last one again. */
  'picture.pinned': v.strictObject({ conversationId: id, picture: v.nullable(picture) }),
  /** Read in the picture of this hash. */
  'text.line': v.strictObject({ of: v.string(), line: textLine }),
  /** Added, a page of it read, stopped, failed. */
  'document.changed': libraryDocument,
  'document.removed': v.strictObject({ id }),
  /** Begun, resumed, stopped, renamed, another cell filled. */
  'extraction.changed': extractionSummary,
  'extraction.cell': v.strictObject({ id, row: count, field: count, cell: extractionCell }),
  'extraction.removed': v.strictObject({ id }),
  'engine.changed': engineState,
  'programs.changed': programsState,
  'servers.changed': v.array(server),
  /** All that wait for the person now. */
  'programs.asked': v.array(programQuestion),
  'models.changed': v.array(modelChoice),
  /** Those that are not finished. */
  'downloads.changed': v.array(download),
  'verifications.changed': v.array(verification),
  'quantisings.changed': v.array(quantising),
  'sanityChecks.changed': v.array(sanityCheck),
  'settings.changed': settings,
  'storage.changed': storageState,
  'vault.changed': vaultState,
  'archive.changed': archiveState,
  'capture.changed': captureState,
  /** To the overlay of a display: what it shows from now on; null: nothing. */
  'capture.frozen': v.nullable(display),
  /** To the overlay that holds a tool: Esc was pressed. */
  'capture.back': v.null(),
  'capture.copying': v.nullable(copying),
  /** The picture of the quick-ask window changed, as when a second region was captured. */
  'capture.taken': captured,
  /** The quick-ask window was closed, by its page or from outside: nothing of a private conversation stays there. */
  'capture.left': v.null(),
  /** A capture that was started for this conversation. */
  'capture.attached': v.strictObject({ conversationId: id, picture }),
  'pins.faded': pinFaded,
  /** The host asks the window to show this conversation (tray, deep link, second start). */
  'windows.show': v.strictObject({ conversationId: v.nullable(id) }),
  /** There are files to take, by `windows.opened`. */
  'windows.opened': v.null(),
} as const satisfies Record<string, v.GenericSchema>;

// --- derived

export type RequestName = keyof typeof requests;
export type Input<Name extends RequestName> = v.InferOutput<(typeof requests)[Name]['input']>;
export type Output<Name extends RequestName> = v.InferOutput<(typeof requests)[Name]['output']>;
export type EventName = keyof typeof events;
export type Payload<Name extends EventName> = v.InferOutput<(typeof events)[Name]>;

/** An event as it travels. */
export type EventMessage = { [Name in EventName]: { event: Name; payload: Payload<Name> } }[EventName];

/** One for each request. Returns its output or throws. */
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
