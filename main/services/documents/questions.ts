/** Questions about documents in the chat: what is looked at is stored before the model is asked, and looked at again whenever it is asked again. */
import type { Citation, EngineState, Message, QuestionScope } from '../../contract.ts';
import { LoupeError, toLoupeError } from '../../errors.ts';
import type { Abortable, Engine, PagePicture, Store } from '../ports.ts';
import type { Answerer } from './answerer.ts';
import { citationsOf, drawnBy, lookFor, promptFor, seenWidth } from './ask.ts';
import { nextPage, notePage } from './every-page.ts';
import { rangeOf } from './choose-pages.ts';
import type { PagePrompt } from './page-prompt.ts';

export interface DocumentQuestionsOptions {
  store: Pick<Store, 'documents' | 'conversations'>;
  /** A page as a picture, so many pixels wide. */
  show: (id: number, page: number, width: number) => Promise<PagePicture>;
  wordVectors?: Answerer['wordVectors'];
}

export interface PromptOptions extends Abortable {
  port: Pick<Engine, 'generate' | 'countTokens'>;
  contextLength: number;
  maxTokens: number;
  systemPrompt: string;
  use: EngineState['use'];
  sees: boolean;
  /** Called with the answer once it is stored what is looked at, and again when every page was. */
  onLook: (answer: Message) => void;
  /** Called before each page that is looked at by itself, and after the last. */
  onPage: (done: number, total: number) => void;
}

export interface DocumentQuestions {
  /** Throws `not_found` and `usage` where nothing can be asked about this. */
  refuse(scope: QuestionScope): void;
  /**
   * What the model gets for an answer; null where the question is about no document. Where pages are looked at one by one it
   * looks at the next; `more-pages`: to be called again, whenever the model has time. Rejects as asking does.
   */
  prompt(answerId: number, question: Message, options: PromptOptions): Promise<PagePrompt | 'more-pages' | null>;
  /** The citations of an answer; null where there is nothing to check. Does not throw: what cannot be checked now is checked later. */
  check(answerId: number, text: string): Citation[] | null;
  /** Checks those of answers that a process left when it ended. */
  checkRest(): void;
}

export function createDocumentQuestions({ store, show, wordVectors }: DocumentQuestionsOptions): DocumentQuestions {
  const { documents, conversations } = store;

  const draw = drawnBy((id, number) => show(id, number, seenWidth));

  return {
    refuse(scope) {
      if (scope.kind === 'document') rangeOf(documents.get(scope.id), scope.pages);
    },

    async prompt(answerId, { scope, text }, { port, contextLength, maxTokens, systemPrompt, use, sees, signal, onLook, onPage }) {
      if (!scope) return null;
      if (use !== 'chat')
        throw new LoupeError('usage', 'This model does not answer questions about documents.', 'Choose a model that chats.');
      if (scope.kind === 'document' && scope.removed) throw removed(scope.name);
      const answerer: Answerer = { documents, engine: port, contextLength, draw: sees ? draw : null, wordVectors };
      let looks = conversations.looks(answerId);
      if (looks.length === 0) {
        const coverage = await lookFor(answerer, scope, text, { maxTokens, systemPrompt, signal, expand: true });
        onLook(conversations.saveCoverage(answerId, coverage));
        ({ looks } = coverage);
      }
      const { look, done } = nextPage(looks);
      if (look) {
        onPage(done, looks.length);
        conversations.saveNote(answerId, look, await notePage(answerer, scope, look, text, signal));
        if (done + 1 < looks.length) return 'more-pages';
        onPage(looks.length, looks.length);
        onLook(conversations.message(answerId));
        looks = conversations.looks(answerId);
      }
      return promptFor(answerer, scope, looks, text, { maxTokens, systemPrompt, signal });
    },

    check(answerId, text) {
      try {
        const looks = conversations.looks(answerId);
        return looks.length === 0 ? null : citationsOf(documents, looks, text);
      } catch {
        return null;
      }
    },

    checkRest() {
      for (const id of conversations.unchecked()) {
        try {
          conversations.saveCitations(id, citationsOf(documents, conversations.looks(id), conversations.message(id).text));
        } catch (thrown) {
          // Of a conversation that is in the bin.
          if (toLoupeError(thrown).code !== 'not_found') throw thrown;
        }
      }
    },
  };
}

function removed(name: string): LoupeError {
  return new LoupeError('not_found', `${name} was removed from the library.`, 'Add it again, and ask about it then.');
}
