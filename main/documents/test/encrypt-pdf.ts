/** The standard security handler of PDF (ISO 32000-2, 7.6.4), for files of tests: its oldest revision and its newest. */
import { createCipheriv, createHash } from 'node:crypto';

export interface Encryption {
  /** Entries of the trailer. */
  trailer: string;
  /** The stream of an object. */
  stream(number: number, data: Buffer): Buffer;
}

const none = Buffer.alloc(0);

/** Revision 2: 40 bits of RC4, the password in Latin letters. */
export function rc4Encryption(password: string): Encryption {
  const id = Buffer.from('0123456789abcdef');
  const key = rc4FileKey(password, id);
  const entries = `/Filter/Standard/V 1/R 2/P -4/O<${owner.toString('hex')}>/U<${rc4(key, padding).toString('hex')}>`;
  return {
    trailer: `/Encrypt<<${entries}>>/ID[<${id.toString('hex')}><${id.toString('hex')}>]`,
    stream: (number, data) => rc4(objectKey(key, number), data),
  };
}

/** Revision 6: AES with 256 bits. An empty `user`: whoever opens the file needs no password. */
export function aesEncryption(passwords: { user: string; owner: string }): Encryption {
  const key = Buffer.alloc(32, 'key of the file');
  const user = lock(passwords.user, 'validate', 'keysalt.', none, key);
  const ownerEntries = lock(passwords.owner, 'VALIDATE', 'KEYSALT.', user.check, key);
  const permissions = Buffer.from('fcffffffffffffff54616462', 'hex');
  const cipher = createCipheriv('aes-256-ecb', key, none).setAutoPadding(false);
  const hex = {
    U: user.check,
    UE: user.key,
    O: ownerEntries.check,
    OE: ownerEntries.key,
    Perms: Buffer.concat([cipher.update(Buffer.concat([permissions, Buffer.alloc(4, 1)])), cipher.final()]),
  };
  const strings = Object.entries(hex).map(([name, bytes]) => `/${name}<${bytes.toString('hex')}>`);
  const filters = '/CF<</StdCF<</AuthEvent/DocOpen/CFM/AESV3/Length 32>>>>/StmF/StdCF/StrF/StdCF';
  return {
    trailer: `/Encrypt<</Filter/Standard/V 5/R 6/Length 256/P -4${filters}${strings.join('')}>>`,
    stream: (_, data) => {
      const start = Buffer.alloc(16, 7);
      const encrypt = createCipheriv('aes-256-cbc', key, start);
      return Buffer.concat([start, encrypt.update(data), encrypt.final()]);
    },
  };
}

/** What a password is compared with, and the file's key below it. */
function lock(password: string, checkSalt: string, keySalt: string, user: Buffer, key: Buffer): { check: Buffer; key: Buffer } {
  const bytes = Buffer.from(password.normalize('NFKC'));
  const cipher = createCipheriv('aes-256-cbc', hardened(bytes, Buffer.from(keySalt), user), Buffer.alloc(16)).setAutoPadding(false);
  return {
    check: Buffer.concat([hardened(bytes, Buffer.from(checkSalt), user), Buffer.from(checkSalt + keySalt)]),
    key: Buffer.concat([cipher.update(key), cipher.final()]),
  };
}

/** Algorithm 2.B. */
function hardened(password: Buffer, salt: Buffer, user: Buffer): Buffer {
  let hash = createHash('sha256')
    .update(Buffer.concat([password, salt, user]))
    .digest();
  for (let round = 0, last = 0; round < 64 || last > round - 32; round++) {
    const repeated = Buffer.concat(Array<Buffer>(64).fill(Buffer.concat([password, hash, user])));
    const cipher = createCipheriv('aes-128-cbc', hash.subarray(0, 16), hash.subarray(16, 32)).setAutoPadding(false);
    const encrypted = Buffer.concat([cipher.update(repeated), cipher.final()]);
    // Sixteen bytes as one number, modulo 3: 256 is 1.
    const rest = encrypted.subarray(0, 16).reduce((sum, byte) => sum + byte, 0) % 3;
    hash = createHash(['sha256', 'sha384', 'sha512'][rest]!).update(encrypted).digest();
    last = encrypted.at(-1)!;
  }
  return hash.subarray(0, 32);
}

const padding = Buffer.from('28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a', 'hex');
const owner = Buffer.alloc(32, 7);

function rc4FileKey(password: string, id: Buffer): Buffer {
  const padded = Buffer.concat([Buffer.from(password, 'latin1'), padding]).subarray(0, 32);
  const permissions = Buffer.alloc(4);
  permissions.writeInt32LE(-4);
  return createHash('md5')
    .update(Buffer.concat([padded, owner, permissions, id]))
    .digest()
    .subarray(0, 5);
}

function objectKey(key: Buffer, number: number): Buffer {
  const salt = Buffer.from([number & 255, (number >> 8) & 255, (number >> 16) & 255, 0, 0]);
  return createHash('md5')
    .update(Buffer.concat([key, salt]))
    .digest()
    .subarray(0, 10);
}

function rc4(key: Buffer, data: Buffer): Buffer {
  const state = Array.from({ length: 256 }, (_, index) => index);
  const swap = (a: number, b: number): void => void ([state[a], state[b]] = [state[b]!, state[a]!]);
  for (let i = 0, j = 0; i < 256; i++) {
    j = (j + state[i]! + key[i % key.length]!) & 255;
    swap(i, j);
  }
  let i = 0;
  let j = 0;
  return Buffer.from(
    data.map((byte) => {
      i = (i + 1) & 255;
      j = (j + state[i]!) & 255;
      swap(i, j);
      return byte ^ state[(state[i]! + state[j]!) & 255]!;
    }),
  );
}
