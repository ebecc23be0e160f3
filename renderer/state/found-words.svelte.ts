import type { FoundWords, Picture } from '../../main/contract.ts';
import type { Client } from '../api/client.ts';

/** The words of an answer that are in the text of its picture, as far as that is known: nothing is read for it. */
export class FoundWordsOf {
  readonly #client: Client;
  #found = $state.raw<{ hash: string; answer: string; words: readonly FoundWords[] } | null>(null);
  #asking = false;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Empty until it is known. */
  of(picture: Picture | null, answer: string): readonly FoundWords[] {
    const found = this.#found;
    return found && found.hash === picture?.hash && found.answer === answer ? found.words : [];
  }

  /** Once for each picture and answer, and again as long as the text is not known. Does not reject: the words only stay as they are. */
  async look({ hash }: Picture, answer: string): Promise<void> {
    if (this.#asking || (this.#found?.hash === hash && this.#found.answer === answer)) return;
    this.#asking = true;
    const words = await this.#client.request('pictures.find', { hash, answer }).catch(() => null);
    this.#asking = false;
    if (words) this.#found = { hash, answer, words };
  }
}
