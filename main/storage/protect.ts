/** Takes from everybody but the owner what Loupe keeps, also what an earlier version or a copying program left readable for all. */
import { chmodSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** What is in these is out of reach with them. The data folder itself may be one that the person has for other things as well. */
const folders = ['pictures', 'documents', 'backups', 'logs', 'cache', 'shell'];
const files =
  /^(loupe.*\.db(-wal|-shm|-journal)?(\.part)?|loupe.*\.db(-wal)?\.sealed|loupe\.(lock|strays|vault)(\.part)?|serving\.json|shell\.json|open-.*\.html)$/;

/**
 * What is not there or belongs to somebody else stays as it is.
 * Means nothing on Windows, where folders of a person are closed to others.
 */
export function protect(directory: string): void {
  if (process.platform === 'win32') return;
  for (const name of readdirSync(directory)) {
    const mode = folders.includes(name) ? 0o700 : files.test(name) ? 0o600 : null;
    try {
      if (mode !== null) chmodSync(join(directory, name), mode);
    } catch {
      // A disk without permissions, or one that cannot be written to.
    }
  }
}
