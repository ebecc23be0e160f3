/** The built engine where a test can come in the middle of an answer for sure (`halting-addon.cjs`). */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { forkHost, type HostProcess } from '../../process/channel.ts';

const addon = fileURLToPath(new URL('./halting-addon.cjs', import.meta.url));

/** The seed of an answer that ends when it is cancelled, and never before. */
export const { endless } = createRequire(import.meta.url)(addon) as { endless: number };

/** `halt`: while this file is there, the process stops itself in the middle of each other answer. */
export function forkHaltingHost({ halt, ...environment }: NodeJS.ProcessEnv & { halt?: string } = {}): HostProcess {
  return forkHost({ env: { LOUPE_ADDON: addon, ...(halt !== undefined && { HALT: halt }), ...environment } });
}
