import { serverIdOf, type FileFit, type ModelChoice } from '../../main/contract.ts';
import type { Client } from '../api/client.ts';
import { strings } from '../strings.ts';
import type { AppState } from './app.svelte.ts';
import type { Toasts } from './toasts.svelte.ts';

export interface Doubt {
  name: string;
  fit: FileFit;
}

/** Choosing a model: one that does not fit asks first. */
export class ChooseModel {
  readonly #client: Client;
  readonly #app: AppState;
  readonly #toasts: Toasts;
  /** Counts the choices: what is answered about an earlier one comes too late. */
  #choices = 0;
  #doubt = $state.raw<(Doubt & { id: string }) | null>(null);

  constructor(client: Client, app: AppState, toasts: Toasts) {
    this.#client = client;
    this.#app = app;
    this.#toasts = toasts;
  }

  /** What has to be answered by `confirm`, `copy` or `decline`. */
  get doubt(): Doubt | null {
    return this.#doubt;
  }

  async choose({ id, name }: Pick<ModelChoice, 'id' | 'name'>): Promise<void> {
    const choice = ++this.#choices;
    this.#doubt = null;
    if (id === this.#app.settings.model) return;
    const fit = serverIdOf(id) === null ? await this.#fit(id) : null;
    if (choice !== this.#choices) return;
    if (fit && fit.outcome !== 'fits') this.#doubt = { id, name, fit };
    else await this.#save(id);
  }

  async confirm(): Promise<void> {
    const doubt = this.#doubt;
    this.#doubt = null;
    if (doubt) await this.#save(doubt.id);
  }

  /** Makes the copy that runs better instead; it is chosen by hand once it is there. */
  async copy(): Promise<void> {
    const doubt = this.#doubt;
    this.#doubt = null;
    if (!doubt?.fit.copy) return;
    try {
      await this.#client.request('models.quantise', { id: doubt.id, form: doubt.fit.copy });
      this.#toasts.show({ message: strings.models.copyBegun });
    } catch (error) {
      this.#toasts.failure(error);
    }
  }

  decline(): void {
    this.#doubt = null;
  }

  /** Null where it is not known; what is wrong with the files is said when they are loaded. */
  async #fit(id: string): Promise<FileFit | null> {
    try {
      return await this.#client.request('models.fit', { id });
    } catch {
      return null;
    }
  }

  async #save(model: string): Promise<void> {
    try {
      await this.#app.saveSettings({ model });
    } catch (error) {
      this.#toasts.failure(error);
    }
  }
}
