import { toRequestFailure } from '../api/client.ts';

export interface Toast {
  id: number;
  tone: 'calm' | 'danger';
  message: string;
  nextStep?: string;
  action?: { label: string; run: () => void };
}

/** Long enough to read two lines, and to reach the button where there is one, ms. */
const lifetime = 8_000;
const lifetimeWithAction = 15_000;

/** Short notices at the edge of the window. */
export class Toasts {
  #shown = $state.raw<Toast[]>([]);
  #timers = new Map<number, ReturnType<typeof setTimeout>>();
  #nextId = 1;

  get shown(): Toast[] {
    return this.#shown;
  }

  show(toast: Omit<Toast, 'id' | 'tone'> & { tone?: Toast['tone'] }): void {
    const id = this.#nextId++;
    // The same words twice are one notice.
    this.#shown = [...this.#shown.filter(({ message }) => message !== toast.message), { tone: 'calm', ...toast, id }];
    this.release(id);
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
