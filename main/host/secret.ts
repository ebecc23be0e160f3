/** What lets a browser or a program in. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** 256 bits, in letters that an address and a header take as they are. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** Takes the same time wherever they differ. */
export function isSecret(given: string, secret: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(secret));
}
