/**
 * Where the windows of an X11 desktop are, as a person sees them: with the frame that the window manager draws, without the shadow that
 * a program draws itself; menus as well. https://specifications.freedesktop.org/wm-spec/latest/
 */
import type { Rect } from '../../services/capture/geometry.ts';
import { connectToX, localDisplay, padded, type XConnection } from './connection.ts';

/** Smaller ones are helpers of toolkits. */
const leastSide = 16;
/** Between a program's window and the root are the frames that the window manager put around it. */
const mostFrames = 4;
const mostWindows = 200;

/**
 * From the front to the back, in pixels of the X screen. None where the display is elsewhere, where its server does not answer within
 * this time, or where anything goes wrong: a capture goes on without.
 */
export async function xWindows(env: NodeJS.ProcessEnv, patienceMs: number): Promise<Rect[]> {
  const display = localDisplay(env['DISPLAY']);
  if (display === null) return [];
  try {
    const connection = await connectToX(display, { env, signal: AbortSignal.timeout(patienceMs) });
    try {
      return await findWindows(connection);
    } finally {
      connection.close();
    }
  } catch {
    return [];
  }
}

interface Frame {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

async function findWindows(connection: XConnection): Promise<Rect[]> {
  const [children, atoms] = await Promise.all([
    childrenOf(connection, connection.root),
    Promise.all(['_NET_CLIENT_LIST', '_NET_FRAME_EXTENTS', '_GTK_FRAME_EXTENTS'].map((name) => atomOf(connection, name))),
  ]);
  const [clientList, frameExtents, shadowExtents] = atoms as [number, number, number];
  const tops = children.toReversed().slice(0, mostWindows);
  const [rects, clients] = await Promise.all([
    Promise.all(tops.map((window) => shownRect(connection, window))),
    wordsOf(connection, connection.root, clientList).then((ids) => ids.slice(0, mostWindows)),
  ]);
  const known = new Map<number, Rect>();
  await Promise.all(
    clients.map(async (client) => {
      const [top, rect, frame, shadow] = await Promise.all([
        topOf(connection, client),
        rectOf(connection, client),
        wordsOf(connection, client, frameExtents),
        wordsOf(connection, client, shadowExtents),
      ]);
      if (top !== null && rect) known.set(top, grown(grown(rect, frameOf(frame), 1), frameOf(shadow), -1));
    }),
  );
  return tops.flatMap((window, index) => {
    const rect = rects[index] && (known.get(window) ?? rects[index]);
    return rect && rect.width >= leastSide && rect.height >= leastSide ? [rect] : [];
  });
}

function frameOf([left = 0, right = 0, top = 0, bottom = 0]: readonly number[]): Frame {
  return { left, right, top, bottom };
}

function grown({ x, y, width, height }: Rect, { left, right, top, bottom }: Frame, sign: 1 | -1): Rect {
  return { x: x - sign * left, y: y - sign * top, width: width + sign * (left + right), height: height + sign * (top + bottom) };
}

/** Null for one that is not on the screen, or draws nothing. */
async function shownRect(connection: XConnection, window: number): Promise<Rect | null> {
  const [attributes, rect] = await Promise.all([connection.ask(request(3, window)), rectOf(connection, window)]);
  const [inputOutput, viewable] = [1, 2];
  const isShown = attributes?.readUInt16LE(12) === inputOutput && attributes[26] === viewable;
  return isShown ? rect : null;
}

/** On the screen. Null for one that is gone. */
async function rectOf(connection: XConnection, window: number): Promise<Rect | null> {
  const translate = request(40, window, connection.root, 0);
  const [geometry, place] = await Promise.all([connection.ask(request(14, window)), connection.ask(translate)]);
  if (!geometry || !place) return null;
  return { x: place.readInt16LE(12), y: place.readInt16LE(14), width: geometry.readUInt16LE(16), height: geometry.readUInt16LE(18) };
}

async function childrenOf(connection: XConnection, window: number): Promise<number[]> {
  const tree = await connection.ask(request(15, window));
  return tree ? Array.from({ length: tree.readUInt16LE(16) }, (_, index) => tree.readUInt32LE(32 + index * 4)) : [];
}

/** The child of the root that it is in, or is. */
async function topOf(connection: XConnection, client: number): Promise<number | null> {
  let window = client;
  for (let frames = 0; frames <= mostFrames; frames++) {
    const parent = (await connection.ask(request(15, window)))?.readUInt32LE(12);
    if (parent === undefined) return null;
    if (parent === connection.root) return window;
    window = parent;
  }
  return null;
}

/** 0 for a name that nobody uses here. */
async function atomOf(connection: XConnection, name: string): Promise<number> {
  const length = Buffer.alloc(4);
  length.writeUInt16LE(name.length);
  const asked = Buffer.concat([request(16), length, padded(Buffer.from(name))]);
  // Only if it exists.
  asked[1] = 1;
  asked.writeUInt16LE(asked.length / 4, 2);
  return (await connection.ask(asked))?.readUInt32LE(8) ?? 0;
}

/** A property of 32-bit words; none where it is not set. */
async function wordsOf(connection: XConnection, window: number, property: number): Promise<number[]> {
  if (property === 0) return [];
  const anyType = 0;
  const reply = await connection.ask(request(20, window, property, anyType, 0, mostWindows));
  if (!reply || reply[1] !== 32) return [];
  return Array.from({ length: reply.readUInt32LE(16) }, (_, index) => reply.readUInt32LE(32 + index * 4));
}

/** A request of whole words. */
function request(opcode: number, ...words: number[]): Buffer {
  const bytes = Buffer.alloc(4 + words.length * 4);
  bytes[0] = opcode;
  bytes.writeUInt16LE(bytes.length / 4, 2);
  for (const [index, word] of words.entries()) bytes.writeUInt32LE(word, 4 + index * 4);
  return bytes;
}
