/** JSON with bytes in it: a Uint8Array travels as `{"$bytes": base64}`. */
import { isBounded } from '../json.ts';

/** What a window asks is flat and short, but for bytes, which are one text. 90 MB of brackets would hold the app up for 17 s. */
const limits = { deepest: 16, mostValues: 200_000 };

export function encodeFrame(value: unknown): string {
  return JSON.stringify(value, (_, field: unknown) =>
    field instanceof Uint8Array ? { $bytes: Buffer.from(field).toString('base64') } : field,
  );
}

/** Throws `SyntaxError` when it is not JSON, or nested or longer beyond anything that is asked. */
export function decodeFrame(frame: string): unknown {
  if (!isBounded(frame, limits)) throw new SyntaxError('The frame is no request.');
  return JSON.parse(frame, (_, field: unknown) => {
    const bytes = (field as { $bytes?: unknown } | null)?.$bytes;
    return typeof bytes === 'string' ? new Uint8Array(Buffer.from(bytes, 'base64')) : field;
  });
}
