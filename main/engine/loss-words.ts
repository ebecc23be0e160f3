/** How a process of the engine was lost, in words. */
import type { HostExit } from '../process/channel.ts';
import type { Hang } from './watch.ts';

export function hangWords(hang: Hang): string {
  switch (hang.kind) {
    case 'start':
      return 'it did not become ready';
    case 'silent':
      return 'it gave no sign of life';
    case 'stuck':
      return hang.stage === 'none' ? 'its main thread was stuck' : `its main thread was stuck (${hang.stage})`;
    case 'still':
      return `no progress during ${hang.stage}`;
    default:
      return hang satisfies never;
  }
}

export function exitWords({ code, signal }: HostExit): string {
  if (signal !== null) return `signal ${signal}`;
  return code === null ? 'it could not be started' : `exit code ${code}`;
}

export function describeExit(exit: HostExit): string {
  const lastLine = exit.lastWords.split('\n').at(-1)?.trim();
  return lastLine ? `${exitWords(exit)}, last words: ${lastLine}` : exitWords(exit);
}
