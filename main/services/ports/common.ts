/** What several ports speak of. */

export type { ImageSource } from '../../protocol.ts';

/** Fields that may be absent, or present and undefined. */
export type Loose<T> = { [Key in keyof T]?: T[Key] | undefined };

export interface Abortable {
  signal?: AbortSignal | undefined;
}

/** Milliseconds since 1970. */
export interface Clock {
  now(): number;
}
