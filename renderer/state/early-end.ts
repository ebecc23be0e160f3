import type { Message } from '../../main/contract.ts';
import { strings } from '../strings.ts';

const text = strings.chat;

/** Why an answer ends early, in a sentence; empty when it does not. `words`: its text so far. */
export function earlyEnd({ state, finish }: Pick<Message, 'state' | 'finish'>, words: string): string {
  if (state === 'interrupted') return text.interrupted;
  if (state === 'stopped') return text.stopped;
  if (state !== 'complete') return '';
  if (finish === 'length') return text.cutByLength;
  if (finish === 'context') return `${text.cutByContext} ${text.cutByContextStep}`;
  return words === '' ? text.noText : '';
}
