/** What the server asks of a dialect, and what it gives it. */
import type { ErrorCode, LoupeError } from '../errors.ts';

export interface Reply {
  json(value: unknown, status?: number): void;
  /** The first begins the stream; `end` follows the last. */
  write(text: string): void;
  end(): void;
}

export interface Call {
  /** Parsed JSON; null for GET. */
  body: unknown;
  reply: Reply;
  /** Aborted when the program closes the connection. */
  signal: AbortSignal;
}

export interface Dialect {
  /** What its paths begin with. */
  prefix: string;
  /** The media type of its streams. */
  streamType: string;
  find(method: string, path: string): ((call: Call) => void | Promise<void>) | null;
  failure(error: LoupeError): object;
  /** A failure after a stream has begun, as it is written. */
  failureInStream(error: LoupeError): string;
}

/** Of what a program can do something about; anything else is 500. */
const statuses: Partial<Record<ErrorCode, number>> = {
  request_invalid: 400,
  prompt_invalid: 400,
  context_full: 400,
  template_failed: 400,
  image_missing: 400,
  image_empty: 400,
  image_unreadable: 400,
  image_too_large: 400,
  image_several: 400,
  image_unseen: 400,
  key_wrong: 401,
  request_refused: 403,
  model_missing: 404,
  not_found: 404,
  request_too_large: 413,
  queue_full: 429,
  engine_crashed: 503,
  device_lost: 503,
  cancelled: 503,
};

/** Of the answers that fail. */
export function statusOf({ code }: LoupeError): number {
  return statuses[code] ?? 500;
}

export function wordsOf({ message, nextStep }: LoupeError): string {
  return nextStep ? `${message} ${nextStep}` : message;
}
