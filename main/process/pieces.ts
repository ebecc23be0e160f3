/**
 * Messages in pieces, from a process that may open nothing. Electron's utility processes hand over more than 64 KiB in shared memory, which
 * on Linux is a file that they open; where they may not, Chromium ends them. What is smaller goes through the channel itself.
 */
import { deserialize, serialize } from 'node:v8';

/** With the message around it well below the limit. */
const pieceBytes = 32 * 1024;

interface Piece {
  piece: Uint8Array;
  isLast: boolean;
}

export function sendInPieces(message: unknown, post: (message: unknown) => void): void {
  const bytes = serialize(message);
  if (bytes.length <= pieceBytes) return post(message);
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    // A copy: a view would bring all that it is a view of.
    const piece: Piece = { piece: Uint8Array.from(bytes.subarray(at, at + pieceBytes)), isLast: at + pieceBytes >= bytes.length };
    post(piece);
  }
}

/** Calls `listener` with whole messages. Pieces of one message come one after the other. */
export function joinPieces(listener: (message: unknown) => void): (message: unknown) => void {
  let pieces: Uint8Array[] = [];
  return (message) => {
    if (!isPiece(message)) return listener(message);
    pieces.push(message.piece);
    if (!message.isLast) return;
    const whole = Buffer.concat(pieces);
    pieces = [];
    listener(deserialize(whole));
  };
}

function isPiece(message: unknown): message is Piece {
  return (message as Partial<Piece> | null)?.piece instanceof Uint8Array;
}
