/** Entry of the process that checks databases, so that nothing else waits for the disk. */
import { constants, setPriority } from 'node:os';
import { parentChannel } from '../process/channel.ts';
import type { CheckAnswer, CheckQuestion } from './check-client.ts';
import { checkNow } from './checker.ts';

const channel = parentChannel();

try {
  setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
} catch {
  // At normal priority it only slows other work down a little.
}

function answer({ id, request }: CheckQuestion): CheckAnswer {
  try {
    return { id, finding: checkNow(request) };
  } catch (error) {
    return { id, error: (error as Error).message };
  }
}

// Ctrl-C reaches the whole process group; the parent decides what it means.
process.on('SIGINT', () => {});
channel.onClose(() => process.exit(0));
channel.onMessage((message) => {
  channel.send(answer(message as CheckQuestion));
});
