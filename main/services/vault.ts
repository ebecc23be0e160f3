/** Locking what is kept: by command, after a time without use, and when the host says that nobody sits here any more. */
import { LoupeError } from '../errors.ts';
import type { EventMessage, Handlers, RequestName } from '../contract.ts';
import type { Chat } from './chat/chat.ts';
import type { Maintenance } from './maintenance.ts';
import type { Store } from './ports.ts';

export interface VaultServiceOptions {
  store: Pick<Store, 'vault' | 'care' | 'settings'>;
  chat: Pick<Chat, 'isBusy'>;
  /** Ends what writes into the store, in order; what can go on does so once it is open again. */
  maintenance: Pick<Maintenance, 'settle'>;
  emit: (event: EventMessage) => void;
  /** Another folder's settings hold from now on. */
  onOpened: () => void;
  lookEveryMs?: number;
  now?: () => number;
}

export interface VaultService extends Omit<Store['vault'], 'onChange'> {
  /** Nothing that is kept may be asked for. */
  isLocked(): boolean;
  /** Somebody uses Loupe. */
  used(): void;
  close(): void;
}

/** What a window may ask for while nothing of what is kept may be known. */
const withoutContent: readonly RequestName[] = [
  'app.info',
  'storage.state',
  'settings.get',
  'windows.openMain',
  'windows.grow',
  'windows.close',
  'capture.cancel',
  'capture.stopCopying',
];

export function createVaultService({
  store,
  chat,
  maintenance,
  emit,
  onOpened,
  lookEveryMs = 5_000,
  now = () => performance.now(),
}: VaultServiceOptions): VaultService {
  const { vault } = store;
  let usedAt = now();

  vault.onChange((payload) => emit({ event: 'vault.changed', payload }));

  /** All that is written is written before the store is closed. */
  const settled = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    await maintenance.settle();
    return work();
  };

  const isLocked = (): boolean => store.care.state().problem?.code === 'vault_locked';

  const timer = setInterval(() => {
    if (vault.state().state !== 'open' || isLocked()) return;
    const { lockMinutes } = store.settings();
    if (chat.isBusy()) usedAt = now();
    else if (lockMinutes > 0 && now() - usedAt >= lockMinutes * 60_000) void lock().catch(() => {});
  }, lookEveryMs);
  timer.unref();

  async function lock(): Promise<void> {
    const { state, by } = vault.state();
    if (state === 'open' && by === 'passphrase') await settled(() => vault.lock());
  }

  return {
    state: () => vault.state(),
    newRecoveryCode: () => vault.newRecoveryCode(),
    turnOn: (way) => settled(() => vault.turnOn(way)),
    turnOff: (words) => settled(() => vault.turnOff(words)),
    change: (words, way) => vault.change(words, way),
    async unlock(words) {
      await vault.unlock(words);
      usedAt = now();
      if (!isLocked()) onOpened();
    },
    lock,
    isLocked,
    used: () => {
      usedAt = now();
    },
    close: () => clearInterval(timer),
  };
}

/** While it is locked, every request is refused that could tell or change something of what is kept. */
export function lockable(handlers: Handlers, { isLocked, used }: Pick<VaultService, 'isLocked' | 'used'>): Handlers {
  type Handler = (input: unknown) => unknown;
  const guarded = Object.entries(handlers).map(([name, handle]) => {
    const isOpen = name.startsWith('vault.') || withoutContent.some((allowed) => allowed === name);
    const guard: Handler = (input) => {
      if (!isOpen && isLocked()) throw new LoupeError('vault_locked', 'Loupe is locked.');
      if (name !== 'vault.state') used();
      return (handle as Handler)(input);
    };
    return [name, guard] as const;
  });
  return Object.fromEntries(guarded) as Handlers;
}
