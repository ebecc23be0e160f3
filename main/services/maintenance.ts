/** What keeps the store in order while the app runs: recovery at the start, checks, backups, sweeping. */
import type { EventMessage } from '../contract.ts';
import type { Chat } from './chat/chat.ts';
import type { ModelManager } from './models/manager.ts';
import type { Store } from './ports.ts';

export interface MaintenanceOptions {
  store: Store;
  chat: Pick<Chat, 'isBusy' | 'forget' | 'interrupt' | 'checkRest'>;
  manager: Pick<ModelManager, 'recover' | 'pause'>;
  /** What else writes into the store: it ends for a while. */
  pause?: () => Promise<void>;
  emit: (event: EventMessage) => void;
  onFault?: ((error: unknown) => void) | undefined;
}

export interface Maintenance {
  /** Puts another database in the place of this one, once nothing of this process can be written into it. */
  replaceStore(replace: () => Promise<string | null> | string | null): Promise<{ keptAside: string | null }>;
  /** All that is being written is written: the store is about to be closed for a while. */
  settle(): Promise<void>;
  close(): void;
}

/** Nobody who has just started the app waits for a check. */
const firstRunMs = 5_000;
const runEveryMs = 10 * 60_000;
/** How often a disk that is full or cannot be written to is tried again. */
const retryEveryMs = 5_000;

export function startMaintenance({
  store,
  chat,
  manager,
  pause = async () => {},
  emit,
  onFault = () => {},
}: MaintenanceOptions): Maintenance {
  let recovered = false;

  /** Once the store can be written to: at the start, or when the disk has room again. */
  function recover(): void {
    if (recovered) return;
    try {
      store.conversations.markInterrupted();
      if (store.care.state().access === 'writable') chat.checkRest();
      manager.recover();
      recovered = store.care.state().access === 'writable';
    } catch (error) {
      // What keeps the store from being written to is shown in the window already.
      if (store.care.state().access === 'writable') onFault(error);
    }
  }

  function sweep(): void {
    try {
      store.sweep();
    } catch (error) {
      // A full disk, as a rule: nothing is lost, and the next time may do.
      onFault(error);
    }
  }

  /** Takes a moment: not while somebody waits for words. */
  function run(): void {
    if (chat.isBusy()) return;
    if (store.care.state().access === 'writable') sweep();
    void store.care.maintain();
  }

  let { generation } = store.care.state();
  store.care.onChange((state) => {
    if (state.generation !== generation) recovered = false;
    ({ generation } = state);
    if (state.access === 'writable') recover();
    emit({ event: 'storage.changed', payload: state });
  });
  recover();

  const timers = [
    setTimeout(run, firstRunMs),
    setInterval(run, runEveryMs),
    setInterval(() => {
      if (/full|readOnly/.test(store.care.state().access)) store.care.retry();
    }, retryEveryMs),
  ];
  for (const timer of timers) timer.unref();

  function pauseDownloads(): void {
    for (const { id, state } of store.downloads.list()) if (state === 'running' || state === 'queued') manager.pause(id);
  }

  return {
    async settle() {
      if (store.care.state().access === 'closed') return;
      chat.interrupt();
      pauseDownloads();
      await pause();
    },
    // Ids mean something else in another database.
    async replaceStore(replace) {
      if (store.care.state().access !== 'closed') {
        chat.forget();
        pauseDownloads();
      }
      return { keptAside: await replace() };
    },
    close() {
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
