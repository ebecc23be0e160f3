import {
  defaultSettings,
  serverChoice,
  serverState,
  type CaptureState,
  type EngineState,
  type ModelChoice,
  type Output,
  type SanityCheck,
  type Server,
  type Settings,
  type StorageState,
} from '../../main/contract.ts';
import { toRequestFailure, type Client } from '../api/client.ts';
import { RequestFailure } from '../api/transport.ts';

const unknownEngine: EngineState = {
  status: 'stopped',
  model: null,
  doneBytes: 0,
  totalBytes: 0,
  device: null,
  contextLength: null,
  hostBytes: null,
  instead: null,
  timing: null,
  vision: null,
  use: null,
  failure: null,
};

/** What every view knows: the app, its settings, the engine. Kept in step by the app's events. */
export class AppState {
  readonly #client: Client;
  #info = $state.raw<Output<'app.info'> | null>(null);
  #settings = $state.raw<Settings>(defaultSettings);
  #engine = $state.raw<EngineState>(unknownEngine);
  #models = $state.raw<ModelChoice[]>([]);
  #servers = $state.raw<Server[]>([]);
  #sanityChecks = $state.raw<SanityCheck[]>([]);
  #capture = $state.raw<CaptureState | null>(null);
  #storage = $state.raw<StorageState | null>(null);
  #replaced = $state(false);
  #connected = $state(true);
  #ready = $state(false);
  #failure = $state.raw<RequestFailure | null>(null);

  readonly #onServers = $derived(this.#servers.map(serverChoice));

  constructor(client: Client) {
    this.#client = client;
    client.on('settings.changed', (settings) => {
      this.#settings = settings;
    });
    client.on('engine.changed', (engine) => {
      this.#engine = engine;
    });
    client.on('models.changed', (models) => {
      this.#models = models;
    });
    client.on('servers.changed', (servers) => {
      this.#servers = servers;
    });
    client.on('sanityChecks.changed', (sanityChecks) => {
      this.#sanityChecks = sanityChecks;
    });
    client.on('capture.changed', (capture) => {
      this.#capture = capture;
    });
    client.on('storage.changed', (storage) => {
      this.#apply(storage);
    });
    client.onConnection((connected) => {
      const returned = connected && !this.#connected;
      this.#connected = connected;
      if (returned) void this.refresh();
    });
  }

  /** Null until the app has answered. */
  get info(): Output<'app.info'> | null {
    return this.#info;
  }

  get settings(): Settings {
    return this.#settings;
  }

  get engine(): EngineState {
    return this.#engine;
  }

  /** The engine while it is the chosen model's, or what stands for it where that is a server's; null while it is another's, as of a guard that only checks. */
  get chosenEngine(): EngineState | null {
    const chosen = this.#onServers.find(({ id }) => id === this.#settings.model);
    if (chosen) return serverState(chosen);
    return this.#engine.model?.id === this.#settings.model ? this.#engine : null;
  }

  /** On this computer. */
  get models(): ModelChoice[] {
    return this.#models;
  }

  /** Every model that a question can go to: those on this computer, then those of servers. */
  get choices(): ModelChoice[] {
    return [...this.#models, ...this.#onServers];
  }

  get servers(): readonly Server[] {
    return this.#servers;
  }

  /** Null where it is in no list any more. */
  get chosenModel(): ModelChoice | null {
    return this.chosenEngine?.model ?? this.choices.find(({ id }) => id === this.#settings.model) ?? null;
  }

  /** Whether a model answers as it should, once it was tried. */
  sanityCheckOf(model: string): SanityCheck | undefined {
    return this.#sanityChecks.find((test) => test.model === model);
  }

  /** Null until the app has answered. */
  get capture(): CaptureState | null {
    return this.#capture;
  }

  /** In what state the kept data is; null until the app has answered. */
  get storage(): StorageState | null {
    return this.#storage;
  }

  /** What this window has shown is no longer what is kept. */
  get replaced(): boolean {
    return this.#replaced;
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Everything above is known. */
  get ready(): boolean {
    return this.#ready;
  }

  /** Why it is not. */
  get failure(): RequestFailure | null {
    return this.#failure;
  }

  /** Asks for everything; at the start, and after events were missed. Does not reject. */
  async refresh(): Promise<void> {
    try {
      const storage = await this.#client.request('storage.state', {});
      this.#apply(storage);
      // Nothing else would be answered.
      if (storage.access === 'closed' && storage.problem) throw new RequestFailure(storage.problem);
      const [info, settings, engine, models, servers, sanityChecks, capture] = await Promise.all([
        this.#client.request('app.info', {}),
        this.#client.request('settings.get', {}),
        this.#client.request('engine.state', {}),
        this.#client.request('models.list', {}),
        this.#client.request('servers.list', {}),
        this.#client.request('models.sanityChecks', {}),
        this.#client.request('capture.state', {}),
      ]);
      this.#info = info;
      this.#settings = settings;
      this.#engine = engine;
      this.#models = models;
      this.#servers = servers;
      this.#sanityChecks = sanityChecks;
      this.#capture = capture;
      this.#failure = null;
      this.#ready = true;
    } catch (error) {
      this.#failure = toRequestFailure(error);
    }
  }

  #apply(storage: StorageState): void {
    const before = this.#storage;
    this.#storage = storage;
    const opened = before?.access === 'closed' && storage.access !== 'closed';
    if (before && (opened || before.generation !== storage.generation)) this.#replaced = true;
  }

  /** Rejects with `RequestFailure`; what was set stays then as it was. */
  async saveSettings(change: Partial<Settings>): Promise<void> {
    this.#settings = await this.#client.request('settings.set', change);
  }

  async loadEngine(): Promise<void> {
    await this.#client.request('engine.load', {});
  }
}
