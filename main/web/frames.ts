/** JSON with bytes in it: a Uint8Array travels as `{"$bytes": base64}`. */

export function encodeFrame(value: unknown): string {
  return JSON.stringify(value, (_, field: unknown) =>
    field instanceof Uint8Array ? { $bytes: Buffer.from(field).toString('base64') } : field,
  );
}

/** Throws `SyntaxError` when it is not JSON. */
export function decodeFrame(frame: string): unknown {
  return JSON.parse(frame, (_, field: unknown) => {
    const bytes = (field as { $bytes?: unknown } | null)?.$bytes;
    return typeof bytes === 'string' ? new Uint8Array(Buffer.from(bytes, 'base64')) : field;
  });
}
