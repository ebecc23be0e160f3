/** Answers that ended while the disk was full. They are kept in memory and stored as soon as there is room. */
import type { Message } from '../../contract.ts';
import { toLoupeError } from '../../errors.ts';
import type { FinishedAnswer, Store } from '../ports.ts';

export interface UnstoredAnswersOptions {
  store: Pick<Store, 'conversations'>;
  /** It is being written again: the new attempt counts, not the one that is kept here. */
  isBeingWritten: (messageId: number) => boolean;
  onStored: (answer: Message) => void;
  /** Between two tries. */
  retryMs: number;
}

export interface UnstoredAnswers {
  keep(messageId: number, answer: FinishedAnswer): void;
  get(messageId: number): FinishedAnswer | undefined;
  /** Tries now. */
  store(): void;
  forget(): void;
  /** Ends the tries. */
  close(): void;
}

export function createUnstoredAnswers({ store, isBeingWritten, onStored, retryMs }: UnstoredAnswersOptions): UnstoredAnswers {
  /** By message. */
  const answers = new Map<number, FinishedAnswer>();
  let retry: NodeJS.Timeout | null = null;

  function stopTrying(): void {
    clearInterval(retry ?? undefined);
    retry = null;
  }

  function storeAll(): void {
    for (const [id, answer] of answers) {
      try {
        if (!isBeingWritten(id)) onStored(store.conversations.update(id, answer));
      } catch (thrown) {
        // Deleted meanwhile: there is nothing to store it in.
        if (toLoupeError(thrown).code !== 'not_found') return;
      }
      answers.delete(id);
    }
    stopTrying();
  }

  return {
    keep(messageId, answer) {
      answers.set(messageId, answer);
      retry ??= setInterval(storeAll, retryMs).unref();
    },
    get: (messageId) => answers.get(messageId),
    store: storeAll,
    forget() {
      answers.clear();
      stopTrying();
    },
    close: stopTrying,
  };
}
