/** What `--image` names -> the one picture that the model gets, and what there is to say of it. */
import { createReadStream, existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { partLabel } from '../contract.ts';
import { checkFileSize, maxFileBytes } from '../image/limits.ts';
import { LoupeError } from '../errors.ts';
import type { ImageSource, PictureFacts } from '../services/ports.ts';
import type { Terminal } from './terminal.ts';

export interface NamedPicture {
  image: ImageSource;
  /** Sentences for whoever asked. */
  notes: string[];
  read: Pick<PictureFacts, 'part' | 'ground' | 'cutOff'>;
}

/** `page` from 1 on; undefined where nobody chose. */
export async function takePicture(
  named: string,
  page: number | undefined,
  terminal: Terminal,
  who: 'the model sees' | 'Loupe reads' = 'the model sees',
): Promise<NamedPicture> {
  const source = await sourceOf(named, terminal);
  const worker = terminal.startPictures();
  try {
    const facts = await worker.inspect(source, page);
    const name = 'path' in source ? basename(source.path) : source.name;
    const { part, ground, cutOff, display } = facts;
    // Of several pictures the chosen one is handed on as a picture of its own.
    return {
      image: part && display ? { bytes: display, name } : source,
      notes: notesOf(name, facts, page, who),
      read: { part, ground, cutOff },
    };
  } finally {
    await worker.close();
  }
}

export function namesStdin(named: string): boolean {
  return ['-', '/dev/stdin', '/dev/fd/0', '/proc/self/fd/0'].includes(named);
}

async function sourceOf(named: string, terminal: Terminal): Promise<ImageSource> {
  if (namesStdin(named)) return { bytes: await collect(terminal.input(), 'stdin', terminal.interrupted), name: 'stdin' };
  const path = existsSync(named) ? named : pathOf(named);
  const found = await stat(path).catch(() => null);
  // Pipes, as `<(...)` makes them, are this process's own and can be read once.
  if (found && !found.isFile() && !found.isDirectory()) {
    return { bytes: await collect(createReadStream(path), path, terminal.interrupted), name: basename(path) };
  }
  return { path };
}

/** A path, or the path in a `file:` address. */
function pathOf(named: string): string {
  if (/^file:/i.test(named)) {
    try {
      return fileURLToPath(named);
    } catch {
      throw new LoupeError('usage', `${named} is not the address of a file on this computer.`, 'Name the file by its path.');
    }
  }
  // One letter is a drive.
  if (/^([a-z][a-z0-9+.-]+:\/\/|data:)/i.test(named)) {
    const address = named.length > 80 ? `${named.slice(0, 80)}…` : named;
    throw new LoupeError(
      'usage',
      `${address} is an address, and Loupe opens no connections by itself.`,
      'Save the picture and name the file, or pipe it in: --image -',
    );
  }
  return named;
}

async function collect(stream: Readable, name: string, interrupted: AbortSignal): Promise<Uint8Array> {
  const stop = (): void => void stream.destroy(new LoupeError('cancelled', `Stopped while reading ${name}.`));
  interrupted.addEventListener('abort', stop);
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of stream) {
      chunks.push(chunk as Buffer);
      bytes += (chunk as Buffer).length;
      if (bytes > maxFileBytes) checkFileSize(bytes, name);
    }
  } catch (error) {
    if (error instanceof LoupeError) throw error;
    throw new LoupeError('image_missing', `${name} cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)}).`);
  } finally {
    interrupted.removeEventListener('abort', stop);
  }
  return Buffer.concat(chunks);
}

function notesOf(name: string, { part, ground, cutOff }: PictureFacts, page: number | undefined, who: string): string[] {
  const notes: string[] = [];
  if (part && page === undefined) {
    notes.push(`${name} has ${part.count} ${part.unit}s; ${who} ${partLabel(part)}. Choose another with --page N.`);
  }
  if (cutOff) notes.push(`${name} is cut off: ${who} what there is of it.`);
  if (ground === 'black' || ground === 'grey') notes.push(`${name} is light on a transparent ground: ${who} it on ${ground}.`);
  return notes;
}
