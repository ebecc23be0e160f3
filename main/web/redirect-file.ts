/**
 * A link for the system's browser by way of a file that only its owner can read: the arguments of a program, as of the one that opens
 * links, are shown to every user of the machine.
 */
import { randomUUID } from 'node:crypto';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const named = /^open-[0-9a-f-]{36}\.html$/;

/** Returns its path. The files of earlier runs are removed: their links lead nowhere. */
export function writeRedirect(directory: string, link: string): string {
  removeRedirects(directory);
  const path = join(directory, `open-${randomUUID()}.html`);
  const address = link.replaceAll('&', '&amp;').replaceAll('"', '&quot;');
  const page = `<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer"><title>Loupe</title>
<meta http-equiv="refresh" content="0;url=${address}"><p><a href="${address}">Open Loupe</a></p>
`;
  writeFileSync(path, page, { mode: 0o600, flag: 'wx' });
  return path;
}

export function removeRedirects(directory: string): void {
  for (const name of readdirSync(directory)) if (named.test(name)) rmSync(join(directory, name), { force: true });
}
