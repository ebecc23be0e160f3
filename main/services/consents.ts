/**
 * Whether a program on this computer may do what it wants to: the person is asked in a window, the first time that a program wants to
 * use a tool, and again each time until the answer is to be remembered. A program is known by the name that it gives itself: it has the
 * key, so the name is there to tell programs apart, not to keep them out.
 */
import type { ProgramConsent, ProgramQuestion, ProgramTool } from '../contract.ts';
import { LoupeError } from '../errors.ts';

export type AskedConsent = Omit<ProgramQuestion, 'id'>;

export interface Consents {
  /**
   * Resolves when the person allows it. Rejects with `request_refused` where the person does not, or cannot be asked, with
   * `queue_full` where too much waits for the person, and with `cancelled` when the signal is aborted: the question then leaves the window.
   */
  ask(asked: AskedConsent, signal: AbortSignal): Promise<void>;
  /** The first asked first. */
  questions(): ProgramQuestion[];
  /** What nobody asks any more is ignored. Throws `store_*` where the answer cannot be remembered; it then holds for this once. */
  answer(answer: { id: number; allowed: boolean; remembered: boolean }): void;
  forget(program: string, tool: ProgramTool): void;
}

export interface ConsentsOptions {
  /** The last remembered last. */
  remembered: () => readonly ProgramConsent[];
  remember: (consents: ProgramConsent[]) => void;
  /** Brings a window to the front in which the person can be asked; false where there is none. */
  showWindow: () => boolean;
  onChange: (questions: ProgramQuestion[]) => void;
  /** Older ones are forgotten. */
  mostRemembered: number;
}

/** A program that asks without end must not bury the others. */
export const mostQuestions = 8;

interface Waiting {
  question: ProgramQuestion;
  settle: (refusal: LoupeError | null) => void;
}

export function createConsents({ remembered, remember, showWindow, onChange, mostRemembered }: ConsentsOptions): Consents {
  let waiting: Waiting[] = [];
  let lastId = 0;
  const questions = (): ProgramQuestion[] => waiting.map(({ question }) => question);
  const others = (program: string, tool: ProgramTool): ProgramConsent[] =>
    remembered().filter((consent) => consent.program !== program || consent.tool !== tool);

  function leave(left: readonly Waiting[]): void {
    waiting = waiting.filter((one) => !left.includes(one));
    onChange(questions());
  }

  return {
    async ask(asked, signal) {
      const { program, tool } = asked;
      if (signal.aborted) throw gone();
      const known = remembered().find((consent) => consent.program === program && consent.tool === tool);
      if (known?.allowed) return;
      if (known) throw refused(program, 'Whoever uses Loupe can change that in Settings > For programs.');
      if (waiting.length >= mostQuestions) {
        throw new LoupeError(
          'queue_full',
          `${mostQuestions} other questions of programs wait for an answer in Loupe's window.`,
          'Try again when they are answered.',
        );
      }
      if (!showWindow()) {
        throw new LoupeError(
          'request_refused',
          'No window of Loupe is open in which this could be confirmed.',
          'Open Loupe, then try again.',
        );
      }
      await new Promise<void>((resolve, reject) => {
        const withdraw = (): void => {
          leave([one]);
          reject(gone());
        };
        const one: Waiting = {
          question: { id: ++lastId, ...asked },
          settle(refusal) {
            signal.removeEventListener('abort', withdraw);
            if (refusal) reject(refusal);
            else resolve();
          },
        };
        signal.addEventListener('abort', withdraw, { once: true });
        waiting.push(one);
        onChange(questions());
      });
    },
    questions,
    answer({ id, allowed, remembered: isRemembered }) {
      const one = waiting.find(({ question }) => question.id === id);
      if (!one) return;
      const { program, tool } = one.question;
      // What is remembered also answers what the program has asked since.
      const answered = isRemembered ? waiting.filter(({ question }) => question.program === program && question.tool === tool) : [one];
      try {
        if (isRemembered) remember([...others(program, tool), { program, tool, allowed }].slice(-mostRemembered));
      } finally {
        leave(answered);
        for (const { settle } of answered) settle(allowed ? null : refused(program));
      }
    },
    forget: (program, tool) => remember(others(program, tool)),
  };
}

function refused(program: string, nextStep = 'Do not try again unless you are asked to.'): LoupeError {
  return new LoupeError('request_refused', `Whoever uses Loupe does not allow this to “${program}”.`, nextStep);
}

function gone(): LoupeError {
  return new LoupeError('cancelled', 'The program left before its question was answered.');
}
