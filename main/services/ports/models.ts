/** What is kept of models, downloads and licences, and of secrets. */
import type { Failure } from '../../errors.ts';

export interface ModelRecord {
  /** Of the model's folder or file. */
  path: string;
  name: string;
  kind: 'vision' | 'text' | 'guard';
  bytes: number | null;
}

export interface ModelStore {
  list(): ModelRecord[];
  add(model: ModelRecord): void;
  remove(path: string): void;
  /** What was found when a file was last read from end to end. */
  saveCheck(check: FileCheck): void;
  checks(model: string): FileCheck[];
  /** Replaces what was found before. */
  saveSanityCheck(test: SanityCheckRecord): void;
  sanityChecks(): SanityCheckRecord[];
}

/** Whether a model answered as it should, with these bytes on this device by this driver. */
export interface SanityCheckRecord {
  /** `id` of the model's choice: its record's path, or "demo". */
  model: string;
  bytes: number | null;
  device: string;
  driver: string;
  sound: boolean;
  /** What was wrong, a sentence each. */
  findings: string[];
  testedAt: number;
}

/** `intact`: has the checksum that its source states. `changed`: has not. `unknown`: no source states one. */
export interface FileCheck {
  /** `path` of the model's record. */
  model: string;
  file: string;
  bytes: number;
  sha256: string;
  finding: 'intact' | 'changed' | 'unknown';
  checkedAt: number;
}

export interface FileChecksum {
  /** `git`: SHA-1 of the bytes behind "blob SIZE\0", as git names files. */
  algorithm: 'sha256' | 'git';
  /** Hexadecimal, lower case. */
  value: string;
}

export interface DownloadFile {
  /** Below the download's folder, with "/". */
  path: string;
  bytes: number;
  checksum: FileChecksum;
  /** Of the source that the part on disk came from. */
  etag: string | null;
  /** Whole, and its checksum right. */
  complete: boolean;
}

export type DownloadState = 'queued' | 'running' | 'paused' | 'failed' | 'complete';

export interface DownloadRecord {
  id: number;
  /** In the catalogue. */
  model: string;
  /** "ORGANISATION/NAME" on the Hub. */
  repository: string;
  /** Commit that the files are of; null until they are listed. */
  revision: string | null;
  /** Absolute. */
  directory: string;
  state: DownloadState;
  failure: Failure | null;
  createdAt: number;
  /** Empty until they are listed. */
  files: DownloadFile[];
}

/** What was asked for and is not finished; how much of a file has arrived is known by its part on the disk. */
export interface DownloadStore {
  /** Oldest first. */
  list(): DownloadRecord[];
  get(id: number): DownloadRecord;
  create(download: Pick<DownloadRecord, 'model' | 'repository' | 'directory'>): DownloadRecord;
  setState(id: number, state: DownloadState, failure: Failure | null): void;
  /** Replaces the files. */
  setPlan(id: number, revision: string, files: Pick<DownloadFile, 'path' | 'bytes' | 'checksum'>[]): void;
  setEtag(id: number, path: string, etag: string | null): void;
  setComplete(id: number, path: string): void;
  remove(id: number): void;
}

export interface Acceptance {
  licence: string;
  version: string;
  at: number;
}

/** What the user agreed to, and when. */
export interface LicenceStore {
  list(): Acceptance[];
  /** Keeps the first time. */
  accept(licence: string, version: string): Acceptance;
}

/** `hub-token`: for downloads. `api-key`: what programs have to send. `server-key-3`: what the server of this id wants to see. */
export type SecretName = 'hub-token' | 'api-key' | `server-key-${number}`;

/** Keeps short secrets out of database and logs. */
export interface SecretStore {
  /** `keychain`: by the system, encrypted. `session`: in memory, until Loupe ends. */
  readonly kept: 'keychain' | 'session';
  /** Why there is no keychain, or why what was kept cannot be read; null where there is nothing to say. */
  problem(name: SecretName): string | null;
  get(name: SecretName): Promise<string | null>;
  /** Null forgets it. */
  set(name: SecretName, value: string | null): Promise<void>;
}

/**
 * Locks a folder for this process and returns the function that unlocks it; throws `download_locked`.
 * The lock ends with the process, however that dies.
 */
export type LockFolder = (directory: string) => () => void;
