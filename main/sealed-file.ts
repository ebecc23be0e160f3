/**
 * Files that nobody reads without their key: AES-256-GCM in pieces of 64 KiB, so that one of a gigabyte is written as it comes and read at
 * any place. After "LoupeV1\0" and a salt of 16 bytes, from which the file's own key follows (HKDF), come the pieces, each with its tag of
 * 16 bytes. A piece's nonce is its number and whether it is the last one (the STREAM construction, https://eprint.iacr.org/2015/189): pieces
 * that are exchanged, repeated or cut off are noticed.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { fstatSync, readSync } from 'node:fs';

const magic = Buffer.from('LoupeV1\0', 'latin1');
const saltBytes = 16;
const tagBytes = 16;
const pieceBytes = 64 * 1024;
export const sealedHeadBytes = magic.length + saltBytes;

/** The file begins as a sealed one does. */
export function isSealedHead(head: Uint8Array): boolean {
  return head.length >= sealedHeadBytes && magic.equals(head.subarray(0, magic.length));
}

/** Of the one file that begins like this; `key`: of all of them. */
export function keyOfFile(key: Uint8Array, head: Uint8Array): Buffer {
  return Buffer.from(hkdfSync('sha256', key, head.subarray(magic.length, sealedHeadBytes), 'loupe file', 32));
}

/** What a sealed file of this many bytes holds. */
export function openedLength(bytes: number): number {
  const body = Math.max(0, bytes - sealedHeadBytes);
  return Math.max(0, body - Math.ceil(body / (pieceBytes + tagBytes)) * tagBytes);
}

export interface Sealing {
  /** What can be written so far. The first call returns the head, too. */
  add(bytes: Uint8Array): Buffer;
  /** The rest. */
  end(): Buffer;
  /** Of the file itself: for who may read this one and no other. */
  readonly fileKey: Buffer;
}

export function seal(key: Uint8Array): Sealing {
  const head = Buffer.concat([magic, randomBytes(saltBytes)]);
  const fileKey = keyOfFile(key, head);
  let rest: Buffer = Buffer.alloc(0);
  let number = 0;
  let begun = false;

  const piece = (bytes: Uint8Array, last: boolean): Buffer => {
    const cipher = createCipheriv('aes-256-gcm', fileKey, nonce(number++, last));
    return Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
  };
  const before = (): Buffer[] => {
    if (begun) return [];
    begun = true;
    return [head];
  };

  return {
    fileKey,
    add(bytes) {
      const done = before();
      rest = Buffer.concat([rest, bytes]);
      let at = 0;
      // One piece is always held back: the last has to be marked.
      for (; rest.length - at > pieceBytes; at += pieceBytes) done.push(piece(rest.subarray(at, at + pieceBytes), false));
      rest = Buffer.from(rest.subarray(at));
      return Buffer.concat(done);
    },
    end: () => Buffer.concat([...before(), piece(rest, true)]),
  };
}

/** A whole file at once. */
export function sealed(key: Uint8Array, bytes: Uint8Array): Buffer {
  const sealing = seal(key);
  return Buffer.concat([sealing.add(bytes), sealing.end()]);
}

export interface SealedSource {
  /** Of the sealed file. */
  length: number;
  /** Fills `target`; false where that cannot be read. */
  read(position: number, target: Uint8Array): boolean;
}

/** Of a file that is open, sealed or not. `read` throws what the file system does. */
export function sourceOf(descriptor: number): SealedSource {
  return { length: fstatSync(descriptor).size, read: (position, target) => readAt(descriptor, position, target) };
}

/** Fills `target`; false where the file ends before it is full. Throws what the file system does. */
export function readAt(descriptor: number, position: number, target: Uint8Array): boolean {
  for (let done = 0; done < target.length;) {
    const count = readSync(descriptor, target, done, target.length - done, position + done);
    if (count === 0) return false;
    done += count;
  }
  return true;
}

/** What is in it, at any place. `read` is false for what was changed. `fileKey`: `keyOfFile`. */
export function openSealed(source: SealedSource, fileKey: Uint8Array): SealedSource {
  const length = openedLength(source.length);
  const count = Math.max(1, Math.ceil((source.length - sealedHeadBytes) / (pieceBytes + tagBytes)));
  /** The last one stays: what reads goes on from there. */
  let held: { number: number; bytes: Buffer } | null = null;

  function piece(number: number): Buffer | null {
    if (held?.number === number) return held.bytes;
    const at = sealedHeadBytes + number * (pieceBytes + tagBytes);
    const bytes = Buffer.alloc(Math.min(pieceBytes + tagBytes, source.length - at));
    if (bytes.length < tagBytes || !source.read(at, bytes)) return null;
    const decipher = createDecipheriv('aes-256-gcm', fileKey, nonce(number, number === count - 1), { authTagLength: tagBytes });
    decipher.setAuthTag(bytes.subarray(-tagBytes));
    try {
      held = { number, bytes: Buffer.concat([decipher.update(bytes.subarray(0, -tagBytes)), decipher.final()]) };
      return held.bytes;
    } catch {
      return null;
    }
  }

  return {
    length,
    read(position, target) {
      if (position < 0 || position + target.length > length) return false;
      for (let done = 0; done < target.length;) {
        const number = Math.floor((position + done) / pieceBytes);
        const from = piece(number)?.subarray(position + done - number * pieceBytes);
        if (!from || from.length === 0) return false;
        const taken = from.subarray(0, target.length - done);
        target.set(taken, done);
        done += taken.length;
      }
      return true;
    },
  };
}

/** What is in the whole file; null for what is no sealed file of this key, or was changed. */
export function opened(key: Uint8Array, file: Uint8Array): Buffer | null {
  if (!isSealedHead(file)) return null;
  const source: SealedSource = {
    length: file.length,
    read(position, target) {
      target.set(file.subarray(position, position + target.length));
      return true;
    },
  };
  const inside = openSealed(source, keyOfFile(key, file));
  // A file of one empty piece has a tag to be checked as well.
  const bytes = Buffer.alloc(inside.length);
  if (inside.length === 0) return file.length === sealedHeadBytes + tagBytes && isEmptyPiece(key, file) ? bytes : null;
  return inside.read(0, bytes) ? bytes : null;
}

function isEmptyPiece(key: Uint8Array, file: Uint8Array): boolean {
  const decipher = createDecipheriv('aes-256-gcm', keyOfFile(key, file), nonce(0, true), { authTagLength: tagBytes });
  decipher.setAuthTag(file.subarray(sealedHeadBytes));
  try {
    decipher.final();
    return true;
  } catch {
    return false;
  }
}

function nonce(number: number, last: boolean): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeUIntBE(number, 5, 6);
  bytes[11] = Number(last);
  return bytes;
}
