/** A process that reads hostile files gives up what it does not need for that. */
import { toLoupeError } from '../errors.ts';
import { loadAddon } from './addon.ts';

/**
 * To be called once everything is imported and before anything hostile is read.
 * @returns null where no file, socket or process can be opened from now on; otherwise why that does not hold here
 */
export function confineProcess(): string | null {
  try {
    return loadAddon().confine();
  } catch (error) {
    return toLoupeError(error).message;
  }
}
