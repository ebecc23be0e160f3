import type { ProgramQuestion } from '../../main/contract.ts';
import type { Client } from '../api/client.ts';
import type { Toasts } from './toasts.svelte.ts';

/** What programs on this computer want to do, and wait for the person to allow. Kept in step by the app's events. */
export class ProgramQuestions {
  readonly #client: Client;
  readonly #toasts: Toasts;
  #waiting = $state.raw<ProgramQuestion[]>([]);

  constructor(client: Client, toasts: Toasts) {
    this.#client = client;
    this.#toasts = toasts;
    client.on('programs.asked', (questions) => (this.#waiting = questions));
    client.onConnection((connected) => {
      // Nobody can be answered meanwhile; who still asks then is asked about again.
      if (connected) void this.#refresh();
      else this.#waiting = [];
    });
    void this.#refresh();
  }

  /** The one that is asked first; null where there is none. */
  get first(): ProgramQuestion | null {
    return this.#waiting[0] ?? null;
  }

  async answer(id: number, allowed: boolean, remembered: boolean): Promise<void> {
    try {
      await this.#client.request('programs.answer', { id, allowed, remembered });
    } catch (error) {
      this.#toasts.failure(error);
    }
  }

  async #refresh(): Promise<void> {
    try {
      this.#waiting = await this.#client.request('programs.questions', {});
    } catch (error) {
      this.#toasts.failure(error);
    }
  }
}
