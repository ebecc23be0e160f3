import type { ModelView } from '../../main/contract.ts';
import type { Client } from '../api/client.ts';

interface Size {
  width: number;
  height: number;
}

/**
 * What the model sees of pictures of one size. One question is under way at a time and only the
 * newest size waits, so that it can follow a drag. Asked again when another model is loaded.
 */
export class Seen {
  readonly #client: Client;
  readonly #stopListening: () => void;
  #view = $state.raw<ModelView | null>(null);
  #wanted: Size | null = null;
  #asking = false;

  constructor(client: Client) {
    this.#client = client;
    this.#stopListening = client.on('engine.changed', ({ status }) => {
      if (status === 'ready' || status === 'stopped') void this.#ask();
    });
  }

  /** Null while it is not known. While the next size is asked about, still that of the last one. */
  get view(): ModelView | null {
    return this.#view;
  }

  /** Null: nothing is looked at. */
  look(size: Size | null): void {
    this.#wanted = size && { width: size.width, height: size.height };
    if (!size) this.#view = null;
    void this.#ask();
  }

  close(): void {
    this.#stopListening();
    this.#wanted = null;
  }

  async #ask(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    let asked: Size | null = null;
    while (this.#wanted && this.#wanted !== asked) {
      asked = this.#wanted;
      // A line of information less; whatever is done next says what is wrong.
      const view = await this.#client.request('pictures.view', asked).catch(() => null);
      if (this.#wanted) this.#view = view;
    }
    this.#asking = false;
  }
}
