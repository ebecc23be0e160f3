/** That something happened, for whoever wants to know: so that a part needs nothing of those that follow it. */
export interface Signal {
  /** Listeners stay as long as the part does. */
  on: (listener: () => void) => void;
  emit: () => void;
}

export function createSignal(): Signal {
  const listeners: (() => void)[] = [];
  return {
    on: (listener) => void listeners.push(listener),
    emit() {
      for (const listener of listeners) listener();
    },
  };
}
