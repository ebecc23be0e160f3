/**
 * `loupe.vault`: that a data folder is encrypted, and the slots that open it. A second copy lies beside the backups: without either the key is
 * lost, and everything with it. What it says is signed with the key, so that nobody who only has the disk can have Loupe decrypt it again.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { LoupeError } from '../../errors.ts';
import { makeFolderSync } from '../../make-folder.ts';
import { slotSchema } from './secrets.ts';

/** `sealing` and `opening`: files are being changed into the new form; some may have it already. */
const headerSchema = v.strictObject({
  version: v.literal(1),
  state: v.picklist(['sealed', 'sealing', 'opening']),
  slots: v.pipe(v.array(slotSchema), v.minLength(1), v.maxLength(8)),
  signature: v.string(),
});

export type Header = v.InferOutput<typeof headerSchema>;
export type UnsignedHeader = Omit<Header, 'signature' | 'version'>;

const mostBytes = 64 * 1024;

export function headerPath(directory: string): string {
  return join(directory, 'loupe.vault');
}

function copyPath(directory: string): string {
  return join(directory, 'backups', 'loupe.vault');
}

/** Null where the folder is not encrypted. Throws `store_failed` where it says that it is, and not how. */
export function readHeader(directory: string): Header | null {
  const path = headerPath(directory);
  const found = parsed(path) ?? parsed(copyPath(directory));
  if (found) return found;
  if (!existsSync(path) && !existsSync(copyPath(directory))) return null;
  throw new LoupeError(
    'store_failed',
    `${path} is damaged, and without it nothing in ${directory} can be decrypted. Nothing was changed.`,
    'Copy loupe.vault from a backup of the whole folder, and start Loupe again.',
  );
}

/** Both copies, each whole or not at all. */
export function writeHeader(directory: string, { state, slots }: UnsignedHeader, key: Buffer): void {
  const header: Header = { version: 1, state, slots, signature: signatureOf({ state, slots }, key).toString('base64') };
  const text = `${JSON.stringify(header, null, 2)}\n`;
  for (const path of [headerPath(directory), copyPath(directory)]) writeWhole(path, text);
}

/** The copy first: without the first one it would be taken for the last word. */
export function removeHeader(directory: string): void {
  rmSync(copyPath(directory), { force: true });
  rmSync(headerPath(directory), { force: true });
}

export function isSigned({ state, slots, signature }: Header, key: Buffer): boolean {
  const wanted = signatureOf({ state, slots }, key);
  const given = Buffer.from(signature, 'base64');
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/** After a kill between the two writes, or when one was lost. */
export function repairCopies(directory: string): void {
  const main = textOf(headerPath(directory));
  const copy = textOf(copyPath(directory));
  if (main !== null && parsed(headerPath(directory)) !== null) {
    if (main !== copy) writeWhole(copyPath(directory), main);
  } else if (copy !== null) writeWhole(headerPath(directory), copy);
}

function signatureOf({ state, slots }: UnsignedHeader, key: Buffer): Buffer {
  return createHmac('sha256', key)
    .update(JSON.stringify([state, slots]))
    .digest();
}

function parsed(path: string): Header | null {
  try {
    const result = v.safeParse(headerSchema, JSON.parse(textOf(path) ?? 'null'));
    return result.success ? result.output : null;
  } catch {
    return null;
  }
}

function textOf(path: string): string | null {
  try {
    return statSync(path).size > mostBytes ? null : readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

function writeWhole(path: string, text: string): void {
  makeFolderSync(dirname(path), 0o700);
  const part = `${path}.part`;
  const file = openSync(part, 'w', 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(part, path);
  flushFolder(dirname(path));
}

export function flushFolder(path: string): void {
  // Windows neither needs nor allows it.
  if (process.platform === 'win32') return;
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
