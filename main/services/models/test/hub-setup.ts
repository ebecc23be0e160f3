/** What tests of downloads share. */
import Database from 'better-sqlite3';
import { downloadCommands, downloadQueries } from '../../../storage/downloads.ts';
import { readHandle, writeHandle } from '../../../storage/handles.ts';
import { ledgerCommands, ledgerQueries } from '../../../storage/ledger.ts';
import { migrations } from '../../../storage/migrations/index.ts';
import type { DownloadStore, Ledger } from '../../ports.ts';
import { createHttp, type Http } from '../../network.ts';
import type { Timing } from '../hub/timing.ts';

export interface MemoryStore {
  downloads: DownloadStore;
  ledger: Ledger;
}

/** The real tables, in memory. */
export function memoryStore(): MemoryStore {
  const database = new Database(':memory:');
  for (const migration of migrations) migration.up(database);
  database.pragma('foreign_keys = on');
  const clock = { now: Date.now };
  const [reading, writing] = [readHandle(database), writeHandle(database)];
  const downloads = downloadQueries(reading);
  return {
    downloads: { ...downloads, ...downloadCommands(writing, clock, downloads) },
    ledger: { ...ledgerQueries(reading, clock), ...ledgerCommands(writing, clock) },
  };
}

/** Short enough for hundreds of faults in a minute. */
export const quick: Timing = {
  stallMs: 250,
  leastBytes: 16,
  pauseMs: 1,
  longestPauseMs: 8,
  tries: 6,
  progressBytes: 2048,
  random: Math.random,
};

export function httpOf({ ledger }: Pick<MemoryStore, 'ledger'>, environment: NodeJS.ProcessEnv = {}, neverConnects = () => false): Http {
  return createHttp({ purpose: 'test', ledger, clock: { now: Date.now }, environment, neverConnects });
}
