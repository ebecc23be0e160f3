import type { TurnState } from '../../main/contract.ts';

/** How long the rest of the pages is likely to take, judged by those that were looked at while somebody watched. */
export class PagePace {
  readonly #now: () => number;
  #began: { done: number; at: number } | null = null;
  #left = $state.raw<number | null>(null);

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Seconds; null while nothing is known. */
  get left(): number | null {
    return this.#left;
  }

  follow({ done, total }: Pick<TurnState, 'done' | 'total'>): void {
    const at = this.#now();
    if (!this.#began || done < this.#began.done) this.#began = { done, at };
    const pages = done - this.#began.done;
    this.#left = pages === 0 ? null : ((at - this.#began.at) / pages / 1000) * (total - done);
  }
}
