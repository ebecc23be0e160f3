import { expect, test } from 'vitest';
import { joinPieces, sendInPieces } from './pieces.ts';

test('a large message goes in pieces that are small, and comes out whole', () => {
  const message = {
    id: 3,
    ok: true,
    result: { pixels: Float32Array.from({ length: 300_000 }, (_, index) => index), bytes: new Uint8Array([1, 2]), text: 'ü' },
  };
  const posted: unknown[] = [];
  sendInPieces(message, (piece) => posted.push(piece));
  expect(posted.length).toBeGreaterThan(30);
  // Of a view, all that it is a view of would be sent.
  const sizes = posted.map((piece) => (piece as { piece: Uint8Array }).piece.buffer.byteLength);
  expect(Math.max(...sizes)).toBeLessThan(60 * 1024);
  const heard: unknown[] = [];
  const hear = joinPieces((whole) => heard.push(whole));
  for (const piece of posted) hear(structuredClone(piece));
  hear({ id: 4 });
  expect(heard).toEqual([message, { id: 4 }]);
});

test('a small one goes as it is', () => {
  const posted: unknown[] = [];
  sendInPieces({ id: 1 }, (piece) => posted.push(piece));
  expect(posted).toEqual([{ id: 1 }]);
});
