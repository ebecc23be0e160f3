/** The servers that a person added: their list, and asking them. Nothing here connects but where somebody asked for it. */
import { mostServers, serverChoice, serverIdOf, type Input, type ModelChoice, type OfferedModel, type Server } from '../../contract.ts';
import { LoupeError } from '../../errors.ts';
import { createHttp, isOffline, whyNotConnect, type Http } from '../network.ts';
import type { AnsweringEngine, Clock, PictureWorker, SecretName, SecretStore, ServerRecord, Store } from '../ports.ts';
import { readAddress, requirePrivacy, type ServerAddress } from './address.ts';
import { offeredModels, serverEngine, usualServerTiming, type ServerConnection, type ServerTiming } from './server-engine.ts';
import { connectionError } from './words.ts';

export interface ServersOptions {
  store: Pick<Store, 'servers' | 'ledger' | 'settings'>;
  secrets: SecretStore;
  /** Writes what is sent. */
  pictures: Pick<PictureWorker, 'bare'>;
  onChange: (servers: Server[]) => void;
  clock?: Clock;
  environment?: NodeJS.ProcessEnv;
  timing?: ServerTiming;
}

/** A server's model, as the engine service takes it. */
export interface ServerModel {
  choice: ModelChoice;
  engine: AnsweringEngine;
}

export interface Servers {
  list(): Promise<Server[]>;
  /** As models among others. */
  choices(): ModelChoice[];
  /** Null for the id of a model on this computer; throws `model_missing` for a server that is gone. */
  find(id: string): ServerModel | null;
  /** Whether a person agreed that this server gets pages of documents. */
  mayHaveDocuments(id: string): boolean;
  models(input: Input<'servers.models'>): Promise<OfferedModel[]>;
  add(input: Input<'servers.add'>): Promise<Server>;
  change(input: Input<'servers.change'>): Promise<Server>;
  test(id: number): Promise<{ text: string; ms: number }>;
  remove(id: number): Promise<void>;
  /** "Never connect" was switched on: what runs to another computer ends at once. */
  stayHere(): void;
  close(): void;
}

const nameOf = (id: number): SecretName => `server-key-${id}`;
/** A test is waited for. */
const testMs = 60_000;
const testQuestion = 'Answer with the single word: ready';
const shownOfTest = 200;

export function createServers({
  store,
  secrets,
  pictures,
  onChange,
  clock = { now: Date.now },
  environment = process.env,
  timing = usualServerTiming,
}: ServersOptions): Servers {
  const { servers } = store;
  /** What is being asked, by what would end it. */
  const running = new Set<{ id: number | null; place: ServerAddress; abort: AbortController }>();
  const network = { environment, neverConnects: () => store.settings().neverConnect };

  /** Kept with the address that it is for: a restored backup may give its number to another server. */
  async function keyOf({ id, address }: Pick<ServerRecord, 'id' | 'address'>): Promise<string | null> {
    const [base, key] = (await secrets.get(nameOf(id)))?.split('\n') ?? [];
    return base === address && key !== undefined ? key : null;
  }

  async function keepKey({ id, address }: Pick<ServerRecord, 'id' | 'address'>, key: string | null): Promise<void> {
    await secrets.set(nameOf(id), key === null ? null : `${address}\n${key}`);
  }

  function connect(host: string, address: string): Http {
    const refused = whyNotConnect(address, network);
    // LOUPE_OFFLINE is for everything, also on this computer.
    if (refused) throw offline(host, isOffline(environment));
    return createHttp({
      purpose: 'question to a server',
      ledger: store.ledger,
      clock,
      ...network,
      inWords: connectionError,
      directHere: true,
    });
  }

  function connectionTo({ base, host }: ServerAddress, model: string, key: ServerConnection['key']): ServerConnection {
    return { base, host, model, key, connect: () => connect(host, base), timing, pictures };
  }

  /** With a signal that ends it when it may no longer connect. */
  async function asking<Result>(
    about: { id: number | null; place: ServerAddress },
    work: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const abort = new AbortController();
    const one = { ...about, abort };
    running.add(one);
    try {
      return await work(abort.signal);
    } finally {
      running.delete(one);
    }
  }

  function engineOf(record: ServerRecord, within: ServerTiming = timing): AnsweringEngine {
    const { id, model } = record;
    const place = readAddress(record.address);
    const asked = serverEngine({ ...connectionTo(place, model, () => keyOf(record)), timing: within });
    return {
      countTokens: asked.countTokens,
      generate: (body, listeners = {}) =>
        asking({ id, place }, async (cut) => {
          const { signal } = listeners;
          const reply = await asked.generate(body, { ...listeners, signal: signal ? AbortSignal.any([signal, cut]) : cut });
          // Whoever stopped it gets what there is; what cut it off is said.
          if (cut.aborted && !signal?.aborted) throw cut.reason;
          return reply;
        }),
    };
  }

  async function view(record: ServerRecord): Promise<Server> {
    const { id, name, address, model, sees, documents, contextLength } = record;
    const { host, here, encrypted } = readAddress(address);
    const key = await keyOf(record);
    const kept = { key: key === null ? null : secrets.kept, keyProblem: secrets.problem(nameOf(id)) };
    return { id, name, address, host, here, encrypted, model, sees, documents, contextLength, ...kept };
  }

  const list = (): Promise<Server[]> => Promise.all(servers.list().map(view));

  async function changed(id: number): Promise<Server> {
    onChange(await list());
    return view(servers.get(id));
  }

  return {
    list,
    choices: () => servers.list().map(choiceOf),
    find(id) {
      const serverId = serverIdOf(id);
      if (serverId === null) return null;
      const record = servers.list().find((one) => one.id === serverId);
      if (!record) throw new LoupeError('model_missing', 'The server of the chosen model was removed.', 'Choose a model in the settings.');
      return { choice: choiceOf(record), engine: engineOf(record) };
    },
    mayHaveDocuments: (id) => servers.list().some((one) => one.id === serverIdOf(id) && one.documents),
    models({ address, key, id, unencrypted }) {
      const place = readAddress(address);
      requirePrivacy(place, unencrypted);
      const record = id === null ? null : servers.get(id);
      const kept = async (): Promise<string | null> => {
        if (key !== null || !record) return key;
        // Its key is for its own address alone.
        return record.address === place.base ? keyOf(record) : null;
      };
      return asking({ id, place }, (signal) =>
        offeredModels({ ...connectionTo(place, '', kept), timing: { ...timing, firstMs: Math.min(timing.firstMs, testMs) } }, signal),
      );
    },
    async add({ name, address, key, model, sees, contextLength, unencrypted }) {
      const place = readAddress(address);
      requirePrivacy(place, unencrypted);
      if (servers.list().length >= mostServers)
        throw new LoupeError('usage', `There are ${mostServers} servers already.`, 'Remove one that you do not need.');
      const record = servers.add({ name, address: place.base, model, sees, contextLength });
      try {
        if (key !== null) await keepKey(record, key);
      } catch (error) {
        servers.remove(record.id);
        throw error;
      }
      return changed(record.id);
    },
    async change({ id, key, ...fields }) {
      const record = { ...servers.get(id), ...fields };
      servers.save(record);
      if (key !== undefined) await keepKey(record, key);
      return changed(id);
    },
    async test(id) {
      const engine = engineOf(servers.get(id), { ...timing, firstMs: Math.min(timing.firstMs, testMs) });
      const began = performance.now();
      const { text } = await engine.generate({
        messages: [{ role: 'user', content: [{ type: 'text', text: testQuestion }] }],
        maxTokens: 32,
      });
      return { text: text.trim().slice(0, shownOfTest).toWellFormed(), ms: Math.round(performance.now() - began) };
    },
    async remove(id) {
      servers.remove(id);
      for (const one of running)
        if (one.id === id)
          one.abort.abort(new LoupeError('server_refused', 'The server was removed while it answered.', 'Choose another model.'));
      await secrets.set(nameOf(id), null);
      onChange(await list());
    },
    stayHere() {
      for (const { place, abort } of running) if (!place.here) abort.abort(offline(place.host, false));
    },
    close() {
      for (const { abort } of running) abort.abort(new LoupeError('cancelled', 'Loupe is closing.'));
    },
  };
}

function offline(host: string, byEnvironment: boolean): LoupeError {
  return byEnvironment
    ? new LoupeError(
        'offline',
        `Nothing was sent to ${host}: LOUPE_OFFLINE is set.`,
        'Choose a model on this computer, or start Loupe without it.',
      )
    : new LoupeError(
        'offline',
        `Nothing is sent to ${host}: “Never connect” is switched on.`,
        'Choose a model on this computer, or switch off “Never connect” in Settings > Privacy. Your question is kept.',
      );
}

function choiceOf(record: ServerRecord): ModelChoice {
  const { host, here } = readAddress(record.address);
  return serverChoice({ ...record, host, here });
}
