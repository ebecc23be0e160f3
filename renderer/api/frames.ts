/** JSON in which bytes travel as `{"$bytes": "<base64>"}`. */
export function encodeFrame(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => (part instanceof Uint8Array ? { $bytes: toBase64(part) } : part));
}

/** Undefined for what is not a JSON text. */
export function decodeFrame(text: unknown): unknown {
  if (typeof text !== 'string') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `fromCharCode` takes its bytes as arguments, of which a call can have only so many. */
const chunk = 0x8000;

function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (let at = 0; at < bytes.length; at += chunk) binary += String.fromCharCode(...bytes.subarray(at, at + chunk));
  return btoa(binary);
}
