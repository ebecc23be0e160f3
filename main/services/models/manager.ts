/** Everything about models but running them: what there is, what is here, what is on its way. */
import { totalmem } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type {
  CatalogueView,
  Download,
  EventMessage,
  FileFit,
  FoundModel,
  Licence,
  LicenceId,
  ModelChoice,
  Settings,
  Shrinking,
  Verification,
} from '../../contract.ts';
import { LoupeError, toFailure, toLoupeError, type Failure } from '../../errors.ts';
import type { Clock, DownloadRecord, Engine, SecretStore, SelfTestRecord, Store } from '../ports.ts';
import { catalogue, catalogueModel, type CatalogueModel } from './catalogue.ts';
import { createDownloads, removeDownloaded, type DownloadsOptions } from './hub/downloads.ts';
import { findAt, findModels, ofInterest } from './local/find.ts';
import { freeBytesAbove, usableFolder } from './local/folder.ts';
import { adviceFor, deviceBudget, fitFiles, recommend, usualContext, type FitDevice } from './fit/fit.ts';
import { isOffline } from './hub/http.ts';
import { accept, acceptanceOf, licenceFor, licenceOf, requireAcceptance, writeNotice } from './hub/licence.ts';
import { judged, type Judge } from './local/inspect.ts';
import { usableModel, type Models } from './models.ts';
import { loadPlanned } from './fit/placement.ts';
import { quantiseModel, smallerForms, smallerTarget, type SmallerForm } from './quantise.ts';
import { hubToken } from './hub/secrets.ts';
import { readReferences, runSelfTest, type SelfTestReport } from './check/self-test.ts';
import { modelToTry, recordOf } from './check/self-tests.ts';
import { verifyFiles } from './check/verify.ts';

export interface ManagerOptions {
  store: Pick<Store, 'models' | 'downloads' | 'licences' | 'ledger' | 'lockDownload' | 'settings' | 'saveSettings'>;
  models: Models;
  devices: Engine['devices'];
  /**
   * For work that takes minutes, and for files that nobody vouches for: the one that answers stays free and whole.
   * Absent = no such work, and files are taken for what they look like.
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
  /** Writes a smaller copy of a published model and adds it to the list. `target` null: below the models folder. */
  quantise(
    id: string,
    form: SmallerForm,
    target: string | null,
    options: { signal: AbortSignal; onProgress: (doneBytes: number, totalBytes: number) => void },
  ): Promise<{ model: ModelChoice; report: Awaited<ReturnType<Engine['quantise']>> }>;
  /** As `quantise`, one at a time, told by `shrinkings.changed`. */
  shrink(id: string, form: SmallerForm): void;
  stopShrinking(id: string): void;
  shrinkings(): Shrinking[];
  /** What came of trying models. */
  tested(): SelfTestRecord[];
  /** Loads it into an engine of its own, tries it, and keeps what came of it. */
  test(
    id: string,
    options: { signal: AbortSignal; onProgress: (doneBytes: number, totalBytes: number) => void },
  ): Promise<SelfTestReport & SelfTestRecord>;
  /** Resolves with the finding when it is done; `verifications` tells meanwhile. */
  verify(id: string): Promise<Verification>;
  verifications(): Verification[];
  licence(id: LicenceId): Licence;
  acceptLicence(id: LicenceId, version: string): Licence;
  setToken(token: string | null): Promise<CatalogueView['token']>;
  /** Where downloads and smaller copies go. */
  folder(): Promise<Pick<CatalogueView, 'directory' | 'freeBytes'>>;
  /** Models that are here stay where they are. Null: the usual folder. Rejects where nothing can be written. */
  setFolder(path: string | null): Promise<Settings>;
  /** Goes on with what an earlier process was downloading. */
  recover(): void;
  close(): Promise<void>;
}

/** Tokens; more than any question of the self-test takes. */
const testContext = 512;

export function createModelManager({
  store,
  models,
  devices,
  startEngine,
  secrets,
  directory: usualDirectory,
  emit,
  clock = { now: Date.now },
  environment = process.env,
  hostMemoryBytes = totalmem(),
  downloads: more = {},
}: ManagerOptions): ModelManager {
  const directory = (): string => store.settings().modelsDirectory ?? usualDirectory;
  const verifications = new Map<string, Verification>();
  const shrinkings = new Map<string, Shrinking>();
  let shrinkingStop: { id: string; stop: AbortController } | null = null;
  const closing = new AbortController();
  const downloads = createDownloads({
    store,
    token: async () => (await hubToken(secrets, environment))?.value ?? null,
    clock,
    environment,
    onChange: (list) => emit({ event: 'downloads.changed', payload: list }),
    onComplete: completed,
    ...more,
  });

  /** With the loader's judgement, made in a process of its own that ends with the question. */
  async function withJudge<Result>(use: (judge: Judge | undefined) => Promise<Result>): Promise<Result> {
    const engine = startEngine?.();
    try {
      return await use(engine && ((place, options) => engine.inspect(place, options)));
    } finally {
      await engine?.close();
    }
  }
  const usable = (path: string): Promise<Awaited<ReturnType<typeof usableModel>>> => withJudge((judge) => usableModel(path, judge));

  const modelsChanged = (): void => emit({ event: 'models.changed', payload: models.list() });

  async function completed({ directory, model }: DownloadRecord): Promise<void> {
    await writeNotice(directory, catalogueModel(model).licence);
    models.add(await usable(directory));
    modelsChanged();
  }

  async function fits(): Promise<{ devices: FitDevice[]; failure: Failure | null }> {
    try {
      const suitable = (await devices()).filter((device) => device.suitable);
      return { devices: inOrder(suitable, store.settings()), failure: null };
    } catch (error) {
      return { devices: [], failure: toFailure(error) };
    }
  }

  const folder = async (): ReturnType<ModelManager['folder']> => ({ directory: directory(), freeBytes: await freeBytesAbove(directory()) });

  async function token(): Promise<CatalogueView['token']> {
    const found = await hubToken(secrets, environment);
    return { source: found?.source ?? null, kept: secrets.kept, problem: secrets.problem() };
  }

  /** What Loupe downloaded is known by its folder, what was found by what is in it. */
  function choiceFor(entry: CatalogueModel, list: ModelChoice[]): ModelChoice | undefined {
    const folders = store.downloads.list().flatMap((record) => (record.model === entry.id ? [record.directory] : []));
    const names = [entry.repository, ...entry.mirrors].map((repository) => repository.split('/')[1]!.toLowerCase());
    return list.find(({ id, name }) => folders.includes(id) || names.includes(name.toLowerCase()));
  }

  function showLicence(id: LicenceId): Licence {
    const { notice: _, ...licence } = licenceOf(id);
    return { ...licence, acceptedAt: acceptanceOf(id, store.licences)?.at ?? null };
  }

  function become(model: string, change: Partial<Verification>): Verification {
    const before = verifications.get(model) ?? {
      model,
      state: 'running',
      doneBytes: 0,
      totalBytes: 0,
      intact: 0,
      changed: [],
      unknown: 0,
      failure: null,
    };
    const now = { ...before, ...change };
    verifications.set(model, now);
    emit({ event: 'verifications.changed', payload: [...verifications.values()] });
    return now;
  }

  function shrinkingBecomes(model: string, change: Partial<Shrinking>): void {
    const before = shrinkings.get(model);
    if (!before) return;
    shrinkings.set(model, { ...before, ...change });
    emit({ event: 'shrinkings.changed', payload: [...shrinkings.values()] });
  }

  async function quantise(
    ...[id, form, target, { signal, onProgress }]: Parameters<ModelManager['quantise']>
  ): ReturnType<ModelManager['quantise']> {
    const found = await usable(id);
    if (found.format !== 'safetensors')
      throw new LoupeError('usage', `${found.name} is a GGUF file already; a smaller copy is made from the published files.`);
    const licence = licenceFor(found.known, found.kind, found.name);
    requireAcceptance(licence, store.licences);
    if (!startEngine) throw new LoupeError('engine_missing', 'This Loupe cannot make smaller copies.', 'Use `loupe models quantise`.');
    const file = target ?? smallerTarget(directory(), found.name, form);
    const engine = startEngine();
    try {
      const report = await quantiseModel(
        engine,
        { directory: found.path, target: file, form, model: found },
        { signal: AbortSignal.any([signal, closing.signal]), onProgress },
      );
      await writeNotice(dirname(file), licence);
      const model = models.add(await usable(file));
      modelsChanged();
      return { model, report };
    } finally {
      await engine.close();
    }
  }

  async function shrink(id: string, form: SmallerForm, stop: AbortController): Promise<void> {
    let told = 0;
    try {
      await quantise(id, form, null, {
        signal: stop.signal,
        onProgress: (doneBytes, totalBytes) => {
          const now = performance.now();
          if (now - told < 250) return;
          told = now;
          shrinkingBecomes(id, { doneBytes, totalBytes });
        },
      });
      shrinkingBecomes(id, { state: 'done' });
    } catch (error) {
      if (stop.signal.aborted) {
        shrinkings.delete(id);
        emit({ event: 'shrinkings.changed', payload: [...shrinkings.values()] });
      } else if (!closing.signal.aborted) shrinkingBecomes(id, { state: 'failed', failure: toFailure(error) });
    } finally {
      shrinkingStop = null;
    }
  }

  return {
    async catalogue() {
      const { devices: usable, failure } = await fits();
      const list = models.list();
      const context = store.settings().contextLength ?? usualContext;
      return {
        entries: catalogue().map((entry) => {
          const { id, name, kind, use, purpose, licence, weightBytes, repository, mirrors, architecture } = entry;
          return {
            id,
            name,
            kind,
            use,
            purpose,
            licence,
            repository,
            mirrors,
            bytes: weightBytes,
            fits: usable.map((device) => {
              const { recommended, all } = recommend({ architecture, context, device, host: { memoryBytes: hostMemoryBytes } });
              return {
                device: device.name,
                recommended: recommended?.quantisation ?? null,
                all: all.map(({ quantisation, verdict, reason, tokensPerSecond, totalBytes }) => ({
                  quantisation,
                  verdict,
                  reason,
                  tokensPerSecond,
                  totalBytes,
                })),
              };
            }),
            model: choiceFor(entry, list)?.id ?? null,
          };
        }),
        ...(await folder()),
        downloaded: store.downloads.list().flatMap((record) => (record.state === 'complete' ? [record.directory] : [])),
        token: await token(),
        offline: isOffline(environment),
        devicesFailure: failure,
      };
    },

    async find(path) {
      const { signal } = closing;
      const seen = path === null ? await findModels({ environment, signal }) : await findAt(path, { signal });
      // One after the other: a file that ends the engine's process ends no other's judgement.
      const judgeAll = async (judge: Judge | undefined): Promise<typeof seen> =>
        judge ? inTurn(seen, (model) => judged(model, judge, signal)) : seen;
      const found = seen.length === 0 ? [] : await withJudge(judgeAll);
      const ids = new Set(models.list().map(({ id }) => id));
      return (path === null ? ofInterest(found) : found).map(({ path, source, name, kind, format, precision, bytes, known, problem }) => ({
        path,
        source,
        name,
        kind,
        format,
        precision,
        bytes,
        licence: licenceFor(known, kind, name),
        added: ids.has(path),
        problem: problem && { state: problem.state, message: `${problem.message} ${problem.nextStep}`.trim() },
      }));
    },

    async fit(path) {
      if (path === 'demo') return null;
      const { architecture, precision, deviceBytes: bytes, format } = await usable(path);
      const [device] = (await fits()).devices;
      if (!architecture || !device || bytes === 0) return null;
      const request = {
        architecture,
        precision,
        bytes,
        context: store.settings().contextLength ?? usualContext,
        device,
        host: { memoryBytes: hostMemoryBytes },
      };
      const { verdict, reason, totalBytes } = fitFiles(request);
      const advice = verdict === 'fits' ? null : adviceFor(request);
      // Smaller copies are made from the published files.
      const copy = format === 'safetensors' ? (smallerForms.find((form) => form === advice?.form) ?? null) : null;
      return {
        device: device.name,
        verdict,
        reason,
        advice: advice?.words ?? null,
        copy,
        totalBytes: Math.round(totalBytes),
        roomBytes: deviceBudget(device),
      };
    },

    async add(path) {
      const found = await usable(path);
      requireAcceptance(licenceFor(found.known, found.kind, found.name), store.licences);
      const choice = models.add(found);
      modelsChanged();
      return choice;
    },

    async remove(id, files) {
      const record = store.downloads.list().find((download) => download.directory === id && download.state === 'complete');
      if (files && !record)
        throw new LoupeError(
          'usage',
          `The files of ${id} were not downloaded by Loupe, so Loupe does not delete them.`,
          'Delete them yourself, or remove the model from the list only.',
        );
      models.remove(id);
      verifications.delete(id);
      if (files && record) {
        store.downloads.remove(record.id);
        await removeDownloaded(
          record.directory,
          record.files.map(({ path }) => path),
        );
      }
      modelsChanged();
    },

    downloads: downloads.list,

    async download(model, repository, folder) {
      const entry = catalogueModel(model);
      requireAcceptance(entry.licence, store.licences);
      const source =
        repository ?? ((await hubToken(secrets, environment)) === null ? (entry.mirrors[0] ?? entry.repository) : entry.repository);
      if (source !== entry.repository && !entry.mirrors.includes(source))
        throw new LoupeError(
          'not_found',
          `${source} is not a source of ${entry.name} that Loupe knows.`,
          `Known: ${[entry.repository, ...entry.mirrors].join(', ')}.`,
        );
      return downloads.start({
        model,
        repository: source,
        directory: folder === null ? join(directory(), entry.repository.split('/')[1]!) : resolve(folder),
      });
    },
    pause: downloads.pause,
    resume: downloads.resume,
    cancel: downloads.cancel,

    quantise,
    shrink(id, form) {
      const { choice } = models.chosen(id);
      if (shrinkingStop)
        throw new LoupeError('engine_busy', 'A smaller copy is being written already.', 'Wait until that is done, or stop it.');
      const stop = new AbortController();
      shrinkingStop = { id, stop };
      shrinkings.set(id, { model: id, form, state: 'running', doneBytes: 0, totalBytes: choice.bytes ?? 0, failure: null });
      shrinkingBecomes(id, {});
      void shrink(id, form, stop);
    },
    stopShrinking(id) {
      if (shrinkingStop?.id === id) shrinkingStop.stop.abort(new LoupeError('cancelled', 'The smaller copy was stopped.'));
    },
    shrinkings: () => [...shrinkings.values()],

    tested: () => store.models.selfTests(),
    async test(id, { signal, onProgress }) {
      const { choice, place } = models.chosen(id);
      if (!startEngine) throw new LoupeError('engine_missing', 'This Loupe cannot try models by itself.', 'Use `loupe models test`.');
      const engine = startEngine();
      try {
        const files = await place();
        const both = AbortSignal.any([signal, closing.signal]);
        const loaded = await loadPlanned(
          engine,
          { ...files, contextLength: testContext, engine: { device: store.settings().device ?? undefined } },
          { model: choice.name, hostMemoryBytes, signal: both, onProgress },
        );
        const report = await runSelfTest(engine, modelToTry(choice, loaded), { references: await readReferences(files), signal: both });
        const record = recordOf(choice, loaded, report, clock);
        store.models.saveSelfTest(record);
        return { ...report, ...record };
      } finally {
        await engine.close();
      }
    },

    async verify(id) {
      const { choice } = models.chosen(id);
      if (choice.kind === 'demo') throw new LoupeError('usage', 'The demo model comes with Loupe and is checked when Loupe is built.');
      if (verifications.get(id)?.state === 'running')
        throw new LoupeError('engine_busy', `The files of ${choice.name} are being read already.`, 'Wait until that is done.');
      become(id, { state: 'running', doneBytes: 0, totalBytes: choice.bytes ?? 0, intact: 0, changed: [], unknown: 0, failure: null });
      let told = 0;
      try {
        const { files } = await usable(id);
        const found = await verifyFiles({
          model: id,
          files: files.map((file) => resolve(file)),
          models: store.models,
          downloads: store.downloads,
          clock,
          signal: closing.signal,
          onBytes: (doneBytes, totalBytes) => {
            const now = performance.now();
            if (now - told < 250) return;
            told = now;
            become(id, { doneBytes, totalBytes });
          },
        });
        const of = (finding: string): typeof found => found.filter((check) => check.finding === finding);
        const bytes = found.reduce((sum, check) => sum + check.bytes, 0);
        return become(id, {
          state: 'done',
          doneBytes: bytes,
          totalBytes: bytes,
          intact: of('intact').length,
          changed: of('changed').map(({ file }) => file),
          unknown: of('unknown').length,
        });
      } catch (error) {
        const failure = toLoupeError(error);
        if (!closing.signal.aborted) become(id, { state: 'failed', failure: failure.toFailure() });
        throw failure;
      }
    },
    verifications: () => [...verifications.values()],

    licence: showLicence,
    acceptLicence(id, version) {
      accept(id, version, store.licences);
      return showLicence(id);
    },
    async setToken(value) {
      await secrets.set('hub-token', value);
      return token();
    },
    folder,
    async setFolder(path) {
      const settings = store.saveSettings({ modelsDirectory: path === null ? null : await usableFolder(path) });
      modelsChanged();
      return settings;
    },
    recover: downloads.recover,
    async close() {
      closing.abort(new LoupeError('cancelled', 'Loupe is closing.'));
      await downloads.close();
    },
  };
}

async function inTurn<Item, Result>(items: readonly Item[], use: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  for (const item of items) results.push(await use(item));
  return results;
}

const kinds: FitDevice['kind'][] = ['discrete', 'integrated', 'virtual', 'cpu', 'other'];

/** The one that is set or would be chosen first; software last, and not at all beside a real one. */
function inOrder<Device extends FitDevice & { index: number }>(devices: Device[], { device: wanted }: Settings): Device[] {
  const isWanted = ({ name, index }: Device): boolean =>
    wanted !== null && (String(index) === wanted || name.toLowerCase().includes(wanted.toLowerCase()));
  const real = devices.filter((device) => device.kind !== 'cpu' || isWanted(device));
  return (real.length > 0 ? real : devices).toSorted(
    (a, b) => Number(isWanted(b)) - Number(isWanted(a)) || kinds.indexOf(a.kind) - kinds.indexOf(b.kind) || a.index - b.index,
  );
}
