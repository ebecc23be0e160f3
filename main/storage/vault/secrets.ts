/** What opens a folder: its one key, wrapped by a passphrase, a recovery code or the system's keychain, each in a slot of its own. */
import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto';
import * as v from 'valibot';

/** https://www.rfc-editor.org/rfc/rfc7914; `cost` is its N, `blocks` its r. */
export interface Stretching {
  cost: number;
  blocks: number;
}

/** 128 MiB and about half a second for each guess. */
export const usualStretching: Stretching = { cost: 2 ** 17, blocks: 8 };

const base64 = (bytes: number) =>
  v.pipe(
    v.string(),
    v.check((text) => Buffer.from(text, 'base64').length === bytes, `not ${bytes} bytes`),
  );

const wordSlot = v.strictObject({
  kind: v.picklist(['passphrase', 'recovery']),
  // More than a gigabyte is somebody's joke.
  cost: v.pipe(v.number(), v.integer(), v.minValue(2), v.maxValue(2 ** 20)),
  blocks: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(8)),
  salt: base64(16),
  nonce: base64(12),
  key: base64(32 + 16),
});
const keychainSlot = v.strictObject({ kind: v.literal('keychain'), sealed: v.pipe(v.string(), v.maxLength(10_000)) });

export const slotSchema = v.variant('kind', [wordSlot, keychainSlot]);
export type WordSlot = v.InferOutput<typeof wordSlot>;
export type Slot = v.InferOutput<typeof slotSchema>;

export async function wordSlotOf(kind: WordSlot['kind'], words: string, key: Buffer, { cost, blocks }: Stretching): Promise<WordSlot> {
  const salt = randomBytes(16);
  const nonce = randomBytes(12);
  const wrapping = await stretched(words, salt, { cost, blocks });
  const cipher = createCipheriv('aes-256-gcm', wrapping, nonce);
  const wrapped = Buffer.concat([cipher.update(key), cipher.final(), cipher.getAuthTag()]);
  wrapping.fill(0);
  const text = (bytes: Buffer): string => bytes.toString('base64');
  return { kind, cost, blocks, salt: text(salt), nonce: text(nonce), key: text(wrapped) };
}

/** Null where the words are others. */
export async function openWordSlot({ cost, blocks, salt, nonce, key }: WordSlot, words: string): Promise<Buffer | null> {
  const wrapping = await stretched(words, Buffer.from(salt, 'base64'), { cost, blocks });
  const wrapped = Buffer.from(key, 'base64');
  const decipher = createDecipheriv('aes-256-gcm', wrapping, Buffer.from(nonce, 'base64'), { authTagLength: 16 });
  decipher.setAuthTag(wrapped.subarray(-16));
  try {
    return Buffer.concat([decipher.update(wrapped.subarray(0, -16)), decipher.final()]);
  } catch {
    return null;
  } finally {
    wrapping.fill(0);
  }
}

/** The same letters, whichever way a keyboard composes them. */
function stretched(words: string, salt: Buffer, { cost, blocks }: Stretching): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(words.normalize('NFKC'), salt, 32, { N: cost, r: blocks, p: 1, maxmem: 2 ** 20 + 256 * cost * blocks }, (error, key) => {
      if (error) reject(error);
      else resolve(key);
    });
  });
}

/** Without letters that are taken for others: https://www.crockford.com/base32.html */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const codeLength = 28;

/** 140 random bits, as "ABCD-EFGH-...". */
export function newRecoveryCode(): string {
  const letters = [...randomBytes(codeLength)].map((byte) => alphabet[byte % alphabet.length]).join('');
  return letters.match(/.{4}/g)!.join('-');
}

/** As it was given out, whichever way it was typed; null for what is no such code. */
export function recoveryCodeIn(typed: string): string | null {
  const letters = typed.toUpperCase().replace(/[\s-]/g, '').replaceAll('O', '0').replace(/[IL]/g, '1');
  if (letters.length !== codeLength || ![...letters].every((letter) => alphabet.includes(letter))) return null;
  return letters.match(/.{4}/g)!.join('-');
}
