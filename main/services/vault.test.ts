import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { defaultSettings, requests, type EventMessage, type Handlers, type VaultState } from '../contract.ts';
import type { StoreCare, StoreVault } from './ports.ts';
import { createVaultService, lockable } from './vault.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const open: VaultState = { state: 'open', by: 'passphrase', problem: null, progress: null, hasKeychain: false, possible: true };

function service(state: VaultState = open) {
  const said: string[] = [];
  const events: EventMessage[] = [];
  let problem: { code: string } | null = null;
  let busy = false;
  let now = 0;
  const settings = { ...defaultSettings, lockMinutes: 5 };
  const vault = {
    state: () => state,
    onChange: () => {},
    lock: async () => {
      said.push('lock');
      problem = { code: 'vault_locked' };
    },
    unlock: async () => {
      said.push('unlock');
      problem = null;
    },
  } as Partial<StoreVault> as StoreVault;
  const care = { state: () => ({ problem }) } as unknown as StoreCare;
  const made = createVaultService({
    store: { vault, care, settings: () => settings },
    chat: { isBusy: () => busy },
    maintenance: { settle: async () => void said.push('settled') },
    emit: (event) => events.push(event),
    onOpened: () => said.push('opened'),
    now: () => now,
  });
  return {
    ...made,
    said,
    settings,
    setBusy: (is: boolean) => (busy = is),
    async pass(minutes: number) {
      now += minutes * 60_000;
      await vi.advanceTimersByTimeAsync(5_000);
    },
  };
}

test('after the time that was chosen it locks, once all that was being written is written; using it begins the time again', async () => {
  const { pass, used, said } = service();
  await pass(4);
  used();
  await pass(4);
  expect(said).toEqual([]);
  await pass(1);
  expect(said).toEqual(['settled', 'lock']);
  await pass(60);
  expect(said).toEqual(['settled', 'lock']);
});

test('an answer that is being written is waited for; 0 minutes is never; the keychain is not asked', async () => {
  const busy = service();
  busy.setBusy(true);
  await busy.pass(60);
  busy.setBusy(false);
  await busy.pass(4);
  expect(busy.said).toEqual([]);
  await busy.pass(1);
  expect(busy.said).toEqual(['settled', 'lock']);

  const never = service();
  never.settings.lockMinutes = 0;
  await never.pass(10_000);
  expect(never.said).toEqual([]);

  const byKeychain = service({ ...open, by: 'keychain' });
  await byKeychain.pass(60);
  await byKeychain.lock();
  expect(byKeychain.said).toEqual([]);
});

test('unlocked, the settings of what is kept hold again', async () => {
  const { lock, unlock, said } = service();
  await lock();
  await unlock('words');
  expect(said).toEqual(['settled', 'lock', 'unlock', 'opened']);
});

test('locked, every request is refused but those that tell and change nothing of what is kept', async () => {
  const { lock, isLocked, used } = service();
  const names = Object.keys(requests) as (keyof Handlers)[];
  const handlers = Object.fromEntries(names.map((name) => [name, () => name])) as unknown as Handlers;
  const guarded = lockable(handlers, { isLocked, used }) as unknown as Record<string, (input: unknown) => unknown>;
  const answered = (): string[] =>
    names.filter((name) => {
      try {
        return guarded[name]!({}) === name;
      } catch (error) {
        expect(error).toMatchObject({ code: 'vault_locked' });
        return false;
      }
    });
  expect(answered()).toEqual(names);
  await lock();
  expect(new Set(answered().filter((name) => !name.startsWith('vault.')))).toEqual(
    new Set([
      'app.info',
      'storage.state',
      'settings.get',
      'windows.openMain',
      'windows.grow',
      'windows.close',
      'capture.cancel',
      'capture.stopCopying',
    ]),
  );
});
