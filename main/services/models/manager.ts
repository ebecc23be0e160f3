/** Everything about models but running them: what there is, what is here, what is on its way. */
import { totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import {
  liesIn,
  type CatalogueView,
  type Download,
  type EventMessage,
  type FileFit,
  type FoundModel,
  type Licence,
  type LicenceId,
  type ModelChoice,
  type Quantising,
  type Settings,
  type Verification,
} from '../../contract.ts';
import { LoupeError } from '../../errors.ts';
import type { Clock, DownloadRecord, Engine, SecretStore, SanityCheckRecord, Store } from '../ports.ts';
import { catalogue, catalogueModel, type CatalogueModel } from './catalogue.ts';
import { testModel, type ModelTest } from './check/sanity-checks.ts';
import { createVerifications } from './check/verifications.ts';
import { catalogueFits, fileFit, usableDevices, type Machine } from './fit/file-fit.ts';
import { createDownloads, removeDownloaded, type DownloadsOptions } from './hub/downloads.ts';
import { isOffline } from '../network.ts';
import { spareBytes } from './hub/pull.ts';
import { accept, licenceFor, licenceView, requireAcceptance, writeNotice } from './hub/licence.ts';
import { hubToken } from './hub/secrets.ts';
import { findAt, findModels, ofInterest, type FoundModel as FoundFiles } from './local/find.ts';
import { freeBytesAbove, usableFolder } from './local/folder.ts';
import { inspectedBy, type Inspector } from './local/inspect.ts';
import { usableModel, type Models } from './models.ts';
import { createQuantisings, type QuantiseRun, type Quantisings } from './quantisings.ts';
import type { QuantisedForm } from './quantise.ts';

export interface ManagerOptions {
  store: Pick<Store, 'models' | 'downloads' | 'licences' | 'ledger' | 'lockDownload' | 'settings' | 'saveSettings'>;
  models: Models;
  devices: Engine['devices'];
  /**
   * For work that takes minutes, and for files from unknown sources: so that the engine that answers stays free and intact.
   * Absent = no such work, and files are not inspected by an engine.
   */
  startEngine?: (() => Engine) | undefined;
  secrets: SecretStore;
  /** Where downloads go unless the settings name another folder. */
  directory: string;
  emit: (event: EventMessage) => void;
  clock?: Clock;
  environment?: NodeJS.ProcessEnv;
  /** Bytes; absent = asks the system. */
  hostMemoryBytes?: number;
  downloads?: Pick<DownloadsOptions, 'timing' | 'freeBytes'>;
}

export interface ModelManager {
  catalogue(): Promise<CatalogueView>;
  /** `path` null: in the usual places. */
  find(path: string | null): Promise<FoundModel[]>;
  /** How the files at a path would run here; null where it is not known. Rejects as `add` for what cannot be used. */
  fit(path: string): Promise<FileFit | null>;
  add(path: string): Promise<ModelChoice>;
  /** Forgets it; with `files` also deletes what Loupe downloaded. Rejects with `usage` for files that it did not. */
  remove(id: string, files: boolean): Promise<void>;
  downloads(): Download[];
  download(model: string, repository: string | null, directory: string | null): Promise<Download>;
  pause(id: number): void;
  resume(id: number): void;
  cancel(id: number): Promise<void>;
  quantise: Quantisings['quantise'];
  /** As `quantise`, one at a time, reported by `quantisings.changed`. */
  startQuantising(id: string, form: QuantisedForm): void;
  stopQuantising(id: string): void;
  quantisings(): Quantising[];
  /** The results of earlier tests. */
  tested(): SanityCheckRecord[];
  /** Loads a model into an engine of its own, tests it, and stores the result. */
  test(id: string, run: QuantiseRun): Promise<ModelTest>;
  /** Resolves with the finding when it is done; `verifications` reports meanwhile. */
  verify(id: string): Promise<Verification>;
  verifications(): Verification[];
  licence(id: LicenceId): Licence;
  acceptLicence(id: LicenceId, version: string): Licence;
  setToken(token: string | null): Promise<CatalogueView['token']>;
  /** Where downloads and quantised copies go. */
  folder(): Promise<Pick<CatalogueView, 'directory' | 'freeBytes'>>;
  /** Models that are here stay where they are. Null: the usual folder. Rejects where nothing can be written. */
  setFolder(path: string | null): Promise<Settings>;
  /** "Never connect" was switched on: downloads end, and can be resumed later. */
  stayHere(): void;
  /** Resumes what an earlier process was downloading. */
  recover(): void;
  close(): Promise<void>;
}

export function createModelManager(options: ManagerOptions): ModelManager {
  const { store, models, startEngine, secrets, emit, clock = { now: Date.now }, environment = process.env } = options;
  const machine: Machine = {
    devices: options.devices,
    settings: () => store.settings(),
    hostMemoryBytes: options.hostMemoryBytes ?? totalmem(),
  };
  const directory = (): string => store.settings().modelsDirectory ?? options.directory;
  const closing = new AbortController();
  const usable = (path: string): Promise<FoundFiles> => withInspector(startEngine, (inspector) => usableModel(path, inspector));
  const modelsChanged = (): void => emit({ event: 'models.changed', payload: models.list() });
  const token = (): ReturnType<typeof hubToken> => hubToken(secrets, environment);

  const common = { store, models, usable, emit, closing: closing.signal };
  const verifications = createVerifications({ ...common, clock });
  const quantisings = createQuantisings({ ...common, startEngine, directory, onAdded: modelsChanged });
  const downloads = createDownloads({
    store,
    token: async () => (await token())?.value ?? null,
    clock,
    environment,
    neverConnects: () => store.settings().neverConnect,
    onChange: (list) => emit({ event: 'downloads.changed', payload: list }),
    async onComplete({ directory, model }) {
      await writeNotice(directory, catalogueModel(model).licence);
      models.add(await usable(directory));
      modelsChanged();
    },
    ...options.downloads,
  });

  const folder = async (): ReturnType<ModelManager['folder']> => ({
    directory: directory(),
    freeBytes: await freeBytesAbove(directory(), options.downloads?.freeBytes),
  });

  async function tokenView(): Promise<CatalogueView['token']> {
    return { source: (await token())?.source ?? null, kept: secrets.kept, problem: secrets.problem('hub-token') };
  }

  return {
    async catalogue() {
      const place = await folder();
      const entries = await catalogueEntries({ machine, list: models.list(), records: store.downloads.list(), freeBytes: place.freeBytes });
      const downloaded = store.downloads.list().filter(({ state }) => state === 'complete');
      return {
        ...entries,
        ...place,
        downloaded: models.list().flatMap(({ id }) => (downloaded.some(({ directory }) => liesIn(id, directory)) ? [id] : [])),
        token: await tokenView(),
        offline: isOffline(environment) ? 'environment' : store.settings().neverConnect ? 'setting' : null,
      };
    },
    async find(path) {
      const found = await findInspected(path, { startEngine, environment, signal: closing.signal });
      const ids = new Set(models.list().map(({ id }) => id));
      return found.map((model) => viewOf(model, ids.has(model.path)));
    },
    fit: async (path) => (path === 'demo' ? null : fileFit(await usable(path), machine)),
    async add(path) {
      const found = await usable(path);
      requireAcceptance(licenceFor(found.known, found.kind, found.name), store.licences);
      const choice = models.add(found);
      modelsChanged();
      return choice;
    },
    async remove(id, files) {
      const record = downloadOf(id, store.downloads.list());
      if (files && !record) throw notDownloaded(id);
      models.remove(id);
      verifications.forget(id);
      if (files && record) {
        store.downloads.remove(record.id);
        await removeDownloaded(record);
      }
      modelsChanged();
    },
    downloads: downloads.list,
    async download(model, repository, folder) {
      const entry = catalogueModel(model);
      requireAcceptance(entry.licence, store.licences);
      const usual = (await token()) === null ? (entry.mirrors[0] ?? entry.repository) : entry.repository;
      return downloads.start({
        model,
        repository: knownSource(entry, repository ?? usual),
        directory: folder === null ? join(directory(), entry.library?.folder ?? entry.repository.split('/')[1]!) : resolve(folder),
      });
    },
    pause: downloads.pause,
    resume: downloads.resume,
    cancel: downloads.cancel,
    quantise: quantisings.quantise,
    startQuantising: quantisings.start,
    stopQuantising: quantisings.stop,
    quantisings: quantisings.list,
    tested: () => store.models.sanityChecks(),
    test: (id, { signal, onProgress }) =>
      testModel(
        { store, machine, startEngine, clock },
        { model: models.chosen(id), signal: AbortSignal.any([signal, closing.signal]), onProgress },
      ),
    verify: verifications.verify,
    verifications: verifications.list,
    licence: (id) => licenceView(id, store.licences),
    acceptLicence(id, version) {
      accept(id, version, store.licences);
      return licenceView(id, store.licences);
    },
    async setToken(value) {
      await secrets.set('hub-token', value);
      return tokenView();
    },
    folder,
    async setFolder(path) {
      const settings = store.saveSettings({ modelsDirectory: path === null ? null : await usableFolder(path) });
      modelsChanged();
      return settings;
    },
    stayHere: downloads.stayHere,
    recover: downloads.recover,
    async close() {
      closing.abort(new LoupeError('cancelled', 'Loupe is closing.'));
      await downloads.close();
    },
  };
}

/** Lets the loader inspect files in a process of its own, which ends with the question. */
async function withInspector<Result>(
  startEngine: (() => Engine) | undefined,
  use: (inspector: Inspector | undefined) => Promise<Result>,
): Promise<Result> {
  const engine = startEngine?.();
  try {
    return await use(engine && ((place, options) => engine.inspect(place, options)));
  } finally {
    await engine?.close();
  }
}

async function findInspected(
  path: string | null,
  { startEngine, environment, signal }: { startEngine: (() => Engine) | undefined; environment: NodeJS.ProcessEnv; signal: AbortSignal },
): Promise<FoundFiles[]> {
  const seen = path === null ? await findModels({ environment, signal }) : await findAt(path, { signal });
  if (seen.length === 0) return [];
  const found = await withInspector(startEngine, (inspector) => inspectInTurn(seen, inspector, signal));
  return path === null ? ofInterest(found) : found;
}

/** One after the other: a file that ends the engine's process spoils the inspection of no other. */
async function inspectInTurn(found: FoundFiles[], inspector: Inspector | undefined, signal: AbortSignal): Promise<FoundFiles[]> {
  if (!inspector) return found;
  const inspected: FoundFiles[] = [];
  for (const model of found) inspected.push(await inspectedBy(inspector, model, signal));
  return inspected;
}

function viewOf({ path, source, name, kind, format, precision, bytes, known, problem }: FoundFiles, added: boolean): FoundModel {
  return {
    path,
    source,
    name,
    kind,
    format,
    precision,
    bytes,
    licence: licenceFor(known, kind, name),
    added,
    problem: problem && { state: problem.state, message: `${problem.message} ${problem.nextStep}`.trim() },
  };
}

interface Surroundings {
  machine: Machine;
  list: ModelChoice[];
  records: DownloadRecord[];
  /** Of the disk that downloads go to. */
  freeBytes: number | null;
}

async function catalogueEntries({
  machine,
  list,
  records,
  freeBytes,
}: Surroundings): Promise<Pick<CatalogueView, 'entries' | 'devicesFailure'>> {
  const { devices, failure } = await usableDevices(machine);
  const entries = catalogue().map((entry) => ({
    ...described(entry),
    missingBytes: freeBytes === null ? 0 : Math.max(0, entry.weightBytes + spareBytes - freeBytes),
    fits: catalogueFits(entry, devices, machine),
    model: choiceFor(entry, list, records)?.id ?? null,
  }));
  return { entries, devicesFailure: failure };
}

function described({ id, name, kind, use, purpose, licence, weightBytes: bytes, repository, mirrors, library }: CatalogueModel) {
  return { id, name, kind, use, purpose, licence, bytes, repository, mirrors, source: library ? ('ollama' as const) : ('hub' as const) };
}

/** What Loupe downloaded is known by its folder, what was found by what is in it. */
function choiceFor(entry: CatalogueModel, list: ModelChoice[], records: DownloadRecord[]): ModelChoice | undefined {
  const folders = records.flatMap((record) => (record.model === entry.id ? [record.directory] : []));
  const names = [entry.repository, ...entry.mirrors].map((repository) => repository.split('/')[1]!.toLowerCase());
  return list.find(({ id, name }) => folders.some((folder) => liesIn(id, folder)) || names.includes(name.toLowerCase()));
}

function downloadOf(id: string, records: DownloadRecord[]): DownloadRecord | undefined {
  return records.find((download) => liesIn(id, download.directory) && download.state === 'complete');
}

function notDownloaded(id: string): LoupeError {
  return new LoupeError(
    'usage',
    `The files of ${id} were not downloaded by Loupe, so Loupe does not delete them.`,
    'Delete them yourself, or remove the model from the list only.',
  );
}

function knownSource({ name, repository, mirrors }: CatalogueModel, source: string): string {
  const known = [repository, ...mirrors];
  if (known.includes(source)) return source;
  throw new LoupeError('not_found', `${source} is not a source of ${name} that Loupe knows.`, `Known: ${known.join(', ')}.`);
}
