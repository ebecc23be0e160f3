/** What several ports speak of. */

/** A picture file on this machine, or its bytes with the name that messages use. */
export type ImageSource = { path: string } | { bytes: Uint8Array; name: string };

/** Fields that may be absent, or present and undefined. */
export type Loose<T> = { [Key in keyof T]?: T[Key] | undefined };

export interface Abortable {
  signal?: AbortSignal | undefined;
}

/** Milliseconds since 1970. */
export interface Clock {
  now(): number;
}
