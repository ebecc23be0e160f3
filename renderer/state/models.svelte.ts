import {
  liesIn,
  type CatalogueEntry,
  type CatalogueView,
  type Download,
  type FoundModel,
  type Licence,
  type LicenceId,
  type ModelChoice,
  type Quantising,
  type Verification,
} from '../../main/contract.ts';
import { toRequestFailure, type Client } from '../api/client.ts';
import type { RequestFailure } from '../api/transport.ts';
import { strings } from '../strings.ts';
import type { AppState } from './app.svelte.ts';
import { ChooseModel } from './choose-model.svelte.ts';
import type { Toasts } from './toasts.svelte.ts';

/** What the page of models shows, while it is open. */
export class ModelsPage {
  readonly #client: Client;
  readonly #app: AppState;
  readonly #toasts: Toasts;
  readonly #off: (() => void)[];
  readonly choosing: ChooseModel;
  #view = $state.raw<CatalogueView | null>(null);
  #viewFailure = $state.raw<RequestFailure | null>(null);
  #found = $state.raw<FoundModel[] | null>(null);
  /** Found where the reader looked, kept above what is found by itself. */
  #foundAt = $state.raw<FoundModel[]>([]);
  #downloads = $state.raw<Download[]>([]);
  #verifications = $state.raw<Verification[]>([]);
  #quantisings = $state.raw<Quantising[]>([]);
  #licence = $state.raw<{ licence: Licence; then: () => Promise<void> } | null>(null);
  #busy = $state.raw<ReadonlySet<string>>(new Set());

  constructor(client: Client, app: AppState, toasts: Toasts) {
    this.#client = client;
    this.#app = app;
    this.#toasts = toasts;
    this.choosing = new ChooseModel(client, app, toasts);
    this.#off = [
      client.on('downloads.changed', (downloads) => {
        const ended = this.#downloads.filter(({ id }) => !downloads.some((download) => download.id === id));
        this.#downloads = downloads;
        // Cancelled ones are not in the list of models.
        for (const { name, directory } of ended)
          if (app.models.some(({ id }) => liesIn(id, directory))) toasts.show({ message: strings.models.arrived(name) });
      }),
      client.on('verifications.changed', (verifications) => {
        this.#verifications = verifications;
      }),
      client.on('quantisings.changed', (quantisings) => {
        this.#quantisings = quantisings;
      }),
      client.on('models.changed', () => void this.#refresh()),
    ];
    void this.#refresh();
    void this.#ask('models.find', async () => {
      this.#found = await client.request('models.find', { path: null });
    });
    void this.#ask('models.downloads', async () => {
      [this.#downloads, this.#verifications, this.#quantisings] = await Promise.all([
        client.request('models.downloads', {}),
        client.request('models.verifications', {}),
        client.request('models.quantisings', {}),
      ]);
    });
  }

  /** Null until the app has answered. */
  get view(): CatalogueView | null {
    return this.#view;
  }

  get viewFailure(): RequestFailure | null {
    return this.#viewFailure;
  }

  /** For the makers' repositories. */
  get hasToken(): boolean {
    return (this.#view?.token.source ?? null) !== null;
  }

  /** Not in the list of models yet; null while it is being looked. */
  get found(): FoundModel[] | null {
    const known = new Set(this.#app.models.map(({ id }) => id));
    const all = [...this.#foundAt, ...(this.#found ?? [])].filter(({ path }) => !known.has(path));
    return this.#found === null && all.length === 0 ? null : [...new Map(all.map((model) => [model.path, model])).values()];
  }

  /** The licence that has to be agreed to before something begins. */
  get licence(): Licence | null {
    return this.#licence?.licence ?? null;
  }

  isBusy(what: string): boolean {
    return this.#busy.has(what);
  }

  downloadOf({ id }: CatalogueEntry): Download | undefined {
    return this.#downloads.find(({ model }) => model === id);
  }

  verificationOf({ id }: ModelChoice): Verification | undefined {
    return this.#verifications.find(({ model }) => model === id);
  }

  quantisingOf({ id }: ModelChoice): Quantising | undefined {
    return this.#quantisings.find(({ model }) => model === id);
  }

  /** Rejects with `RequestFailure` where there is nothing. */
  async look(path: string): Promise<void> {
    this.#foundAt = await this.#client.request('models.find', { path });
  }

  use(model: ModelChoice): Promise<void> {
    return this.#ask(model.id, () => this.choosing.choose(model));
  }

  useFound({ path, licence }: FoundModel): Promise<void> {
    return this.#agreed(path, licence, async () => {
      const model = await this.#client.request('models.add', { path });
      if (model.kind !== 'guard') await this.choosing.choose(model);
    });
  }

  download({ id, licence }: CatalogueEntry, repository: string): Promise<void> {
    return this.#agreed(id, licence, async () => {
      const started = await this.#client.request('models.download', { model: id, repository });
      // The event may have come before.
      if (!this.#downloads.some((download) => download.id === started.id)) this.#downloads = [...this.#downloads, started];
    });
  }

  control(action: 'models.pause' | 'models.resume' | 'models.cancel', { id, model }: Download): Promise<void> {
    return this.#ask(model, async () => {
      await this.#client.request(action, { id });
    });
  }

  verify({ id }: ModelChoice): Promise<void> {
    return this.#ask(id, async () => {
      await this.#client.request('models.verify', { id });
    });
  }

  quantise({ id }: ModelChoice, form: Quantising['form']): Promise<void> {
    return this.#ask(id, async () => {
      await this.#client.request('models.quantise', { id, form });
    });
  }

  stopQuantising({ id }: ModelChoice): Promise<void> {
    return this.#ask(id, async () => {
      await this.#client.request('models.stopQuantising', { id });
    });
  }

  remove({ id, name }: ModelChoice, files: boolean): Promise<void> {
    return this.#ask(id, async () => {
      await this.#client.request('models.remove', { id, files });
      this.#toasts.show({ message: files ? strings.models.deleted(name) : strings.models.forgotten(name) });
    });
  }

  setToken(token: string | null): Promise<void> {
    return this.#ask('token', async () => {
      const kept = await this.#client.request('models.token', { token });
      if (this.#view) this.#view = { ...this.#view, token: kept };
      this.#toasts.show({ message: token === null ? strings.models.tokenGone : strings.models.tokenSaved });
    });
  }

  async agree(): Promise<void> {
    const waiting = this.#licence;
    if (!waiting) return;
    const { id, version } = waiting.licence;
    this.#licence = null;
    await this.#ask('licence', async () => {
      await this.#client.request('models.acceptLicence', { licence: id, version });
      await waiting.then();
    });
  }

  decline(): void {
    this.#licence = null;
  }

  close(): void {
    for (const off of this.#off) off();
  }

  async #refresh(): Promise<void> {
    try {
      this.#view = await this.#client.request('models.catalogue', {});
      this.#viewFailure = null;
    } catch (error) {
      this.#viewFailure = toRequestFailure(error);
    }
  }

  /** Runs `then` now, or once the licence is agreed to. */
  #agreed(what: string, id: LicenceId, then: () => Promise<void>): Promise<void> {
    return this.#ask(what, async () => {
      const licence = await this.#client.request('models.licence', { licence: id });
      if (licence.acceptedAt === null) this.#licence = { licence, then };
      else await then();
    });
  }

  /** One thing at a time of a kind; a failure is shown. */
  async #ask(what: string, work: () => Promise<void>): Promise<void> {
    if (this.#busy.has(what)) return;
    this.#busy = new Set([...this.#busy, what]);
    try {
      await work();
    } catch (error) {
      this.#toasts.failure(error);
    } finally {
      this.#busy = new Set([...this.#busy].filter((other) => other !== what));
    }
  }
}
