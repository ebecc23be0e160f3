import { toRequestFailure } from '../api/client.ts';

export interface Toast {
  id: number;
  tone: 'calm' | 'danger';
  message: string;
  nextStep?: string;
  action?: { label: string; run: () => void };
}

type Notice = Omit<Toast, 'id' | 'tone'> & { tone?: Toast['tone'] };

/** Long enough to read two lines, and to reach the button where there is one, ms. */
const lifetime = 8_000;
const lifetimeWithAction = 15_000;

/** Short notices at the edge of the window. */
export class Toasts {
  #shown = $state.raw<Toast[]>([]);
  #timers = new Map<number, ReturnType<typeof setTimeout>>();
  #nextId = 1;
  /** The dialogs that are open, the one on top last. */
  #dialogs = $state.raw<readonly Element[]>([]);

  get shown(): Toast[] {
    return this.#shown;
  }

  /** The dialog that they are shown in, as nothing behind it can be clicked; null: there is none, and they are shown on the page. */
  get within(): Element | null {
    return this.#dialogs.at(-1) ?? null;
  }

  /** Notices follow a dialog that opens. Returns a function for when it closes. */
  follows(dialog: Element): () => void {
    this.#dialogs = [...this.#dialogs, dialog];
    return () => {
      this.#dialogs = this.#dialogs.filter((open) => open !== dialog);
    };
  }

  /** Returns its id. */
  show(toast: Notice): number {
    const id = this.#nextId++;
    // The same words twice are one notice.
    this.#shown = [...this.#shown.filter(({ message }) => message !== toast.message), { tone: 'calm', ...toast, id }];
    this.release(id);
    return id;
  }

  /** For work in progress: stays until the work ends. Returns functions that update it and that replace it with the outcome. */
  follow(first: Notice): { now: (toast: Notice) => void; end: (toast: Notice | null) => void } {
    const id = this.show(first);
    this.hold(id);
    const place = (toast: Notice): void => {
      this.#shown = this.#shown.map((shown) => (shown.id === id ? { tone: 'calm', ...toast, id } : shown));
    };
    return {
      now: place,
      end: (toast) => {
        // Somebody may have put it away.
        if (!toast) return this.dismiss(id);
        if (!this.#shown.some((shown) => shown.id === id)) return void this.show(toast);
        place(toast);
        this.release(id);
      },
    };
  }

  /** Shows what went wrong, in its own words. */
  failure(thrown: unknown): void {
    const { message, nextStep } = toRequestFailure(thrown);
    this.show({ tone: 'danger', message, nextStep });
  }

  /** Says in a notice why it did not work. */
  attempt(work: Promise<unknown>): void {
    work.catch((error: unknown) => this.failure(error));
  }

  dismiss(id: number): void {
    this.hold(id);
    this.#shown = this.#shown.filter((toast) => toast.id !== id);
  }

  /** Stays until it is released. */
  hold(id: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }

  release(id: number): void {
    this.hold(id);
    const toast = this.#shown.find((shown) => shown.id === id);
    this.#timers.set(
      id,
      setTimeout(() => this.dismiss(id), toast?.action ? lifetimeWithAction : lifetime),
    );
  }
}
