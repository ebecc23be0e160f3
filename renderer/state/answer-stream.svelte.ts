/** Called once before the next frame is drawn. */
export type Schedule = (run: () => void) => void;

/** Hidden windows draw no frames; what is missing then is shown when they come back. */
export const nextFrame: Schedule = (run) => void requestAnimationFrame(run);

/** The text of an answer that is being written, redrawn at most once a frame. */
export class AnswerStream {
  readonly #schedule: Schedule;
  #received: string;
  #shown = $state('');
  #scheduled = false;

  constructor(text: string, schedule: Schedule) {
    this.#schedule = schedule;
    this.#received = text;
    this.#shown = text;
  }

  get text(): string {
    return this.#shown;
  }

  /** `offset` in UTF-16 units. What is known already is passed over; false when something in between is missing. */
  append(offset: number, text: string): boolean {
    const known = this.#received.length - offset;
    if (known < 0) return false;
    if (known >= text.length) return true;
    this.#received += text.slice(known);
    if (!this.#scheduled) {
      this.#scheduled = true;
      this.#schedule(() => {
        this.#scheduled = false;
        this.#shown = this.#received;
      });
    }
    return true;
  }
}
