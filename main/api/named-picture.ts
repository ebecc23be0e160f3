/** The picture file that a program names by its path: what is allowed is what is read. */
import { realpath } from 'node:fs/promises';
import { basename, isAbsolute } from 'node:path';
import { formatBytes, limits } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import { openRegularFile } from '../regular-file.ts';

/** Throws `image_missing` for what names no file of this computer by its whole path. Touches no disk: nobody has allowed anything yet. */
export function checkPath(path: string, platform: NodeJS.Platform = process.platform): void {
  // To look at such a path, Windows connects to the computer that it names, and tells it who asks.
  const isElsewhere = platform === 'win32' && /^[\\/]{2}/.test(path);
  if (!isElsewhere && isAbsolute(path) && !path.includes('\0')) return;
  throw new LoupeError(
    'image_missing',
    isElsewhere ? `${path} is not a path on this computer's own disks.` : `${path} is not an absolute path.`,
    'Name the picture by its whole path, as in /home/you/picture.png or C:\\Users\\you\\picture.png.',
  );
}

/** With all links followed, which is what a person has to see; the path itself where there is no such file. */
export function wholePath(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}

/** The bytes at a path that `wholePath` returned. Rejects with `image_missing`, and with `image_too_large` over what a request may bring. */
export async function readNamedPicture(path: string): Promise<{ bytes: Uint8Array; name: string }> {
  const handle = await openRegularFile(path).catch((error: unknown) => {
    const { message } = error as LoupeError;
    throw new LoupeError('image_missing', message, 'Name a picture file that is there and can be read.', { cause: error });
  });
  try {
    // Since the person was asked, a folder on the way may have become a link.
    if ((await realpath(path)) !== path) {
      throw new LoupeError('image_missing', `${path} now leads elsewhere.`, 'Name the picture by its path without links.');
    }
    const { size } = await handle.stat();
    if (size > limits.pictureBytes) {
      const [has, most] = [formatBytes(size), formatBytes(limits.pictureBytes)];
      throw new LoupeError('image_too_large', `${path} has ${has}; a program may have pictures of up to ${most} looked at.`);
    }
    // Not to its end: it may grow for as long as it is read.
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size), 0, size, 0);
    return { bytes: buffer.subarray(0, bytesRead), name: basename(path) };
  } finally {
    await handle.close();
  }
}
